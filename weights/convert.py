#!/usr/bin/env python3
#-------------------------------------------------------------------------
#
# convert.py
#		Turns a checkpoint into a directory for import_model: of MobileBERT,
#		BERT, DistilBERT, ELECTRA or MPNet.
#
#	python convert.py SOURCE DIR [--f16]
#
# SOURCE is a directory or a name on the Hugging Face hub.  Its weights may
# be safetensors, pytorch_model.bin, tf_model.h5 or a TensorFlow checkpoint
# as Google published it; see README.md.  DIR gets model.safetensors,
# config.json and the tokenizer's files, and those of sentence-transformers
# where SOURCE has them.
#
# PyTorch and safetensors files keep every tensor under its own name.  The
# two TensorFlow forms go through the transformers library, hence through the
# class that config.json names, or MobileBertForPreTraining without a name.
# Either way the result is opened once more with that class, and a tensor
# that the class misses is an error: the library would make it up.  Only a
# class whose head is missing altogether is taken for the base model (as
# all-mpnet-base-v2 has it), and a base model may lack its pooler.
#
# Depends on transformers (4.x for TensorFlow files), torch and safetensors.
#
#-------------------------------------------------------------------------
import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

FAMILIES = {"mobilebert": "MobileBert", "bert": "Bert",
            "distilbert": "DistilBert", "electra": "Electra",
            "mpnet": "MPNet"}   # model_type: what names of classes begin with
PYTORCH_FILES = ["model.safetensors", "pytorch_model.bin"]
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "vocab.txt",
                   "special_tokens_map.json", "added_tokens.json"]
SENTENCE_FILES = ["modules.json", "sentence_bert_config.json",
                  "config_sentence_transformers.json"]


def fail(message):
    """Ends the program with a message and exit status 1."""
    sys.exit(f"convert.py: {message}")


def find_source(name):
    """Returns the directory of the checkpoint, downloaded when not here."""
    path = Path(name)
    if path.is_dir():
        return path
    from huggingface_hub import snapshot_download
    return Path(snapshot_download(name))


def load_tensors(path):
    """Returns the tensors of one safetensors or PyTorch file by name."""
    if path.suffix == ".safetensors":
        return load_file(path)
    # weights_only: the pickle machine that builds tensors and nothing else
    content = torch.load(path, map_location="cpu", weights_only=True)
    for wrapper in ("state_dict", "model"):
        if isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    return {name: value for name, value in content.items()
            if isinstance(value, torch.Tensor)}


def pytorch_tensors(source):
    """Returns all tensors of SOURCE, or None when it has no such file."""
    for name in PYTORCH_FILES:
        path, index = source / name, source / f"{name}.index.json"
        if path.exists():
            return load_tensors(path)
        if index.exists():
            tensors = {}
            parts = json.loads(index.read_text())["weight_map"].values()
            for part in sorted(set(parts)):
                tensors.update(load_tensors(source / part))
            return tensors
    return None


def drop_shared(tensors):
    """Leaves out the second of two names for one and the same memory."""
    kept, seen = {}, {}
    # decoder.* last: the importer falls back from it to the word embeddings
    for name in sorted(tensors, key=lambda n: (".decoder." in n, n)):
        tensor = tensors[name]
        place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride())
        if tensor.numel() == 0 or seen.setdefault(place, name) == name:
            kept[name] = tensor
    return kept


def model_class(config):
    """Returns the transformers class that config.json names."""
    names = getattr(config, "architectures", None)
    prefix = FAMILIES[config.model_type]
    name = names[0] if names else (
        prefix + ("ForPreTraining" if prefix == "MobileBert" else "Model"))
    found = getattr(transformers, name.removeprefix("TF"), None)
    if found is None or not found.__name__.startswith(prefix):
        fail(f'architecture "{name}" is not one of {config.model_type}')
    return found


def read_config(settings):
    """Returns the configuration of the family that settings name."""
    family = settings.get("model_type", "mobilebert")
    if family not in FAMILIES:
        fail(f'model_type "{family}" is not one of ' + ", ".join(FAMILIES))
    return transformers.CONFIG_MAPPING[family](**settings)


def tensorflow_reader(family):
    """Returns transformers' function that reads a TensorFlow checkpoint."""
    module = getattr(transformers.models, family)
    module = getattr(module, f"modeling_{family}")
    reader = getattr(module, f"load_tf_weights_in_{family}", None)
    if reader is None:
        fail(f"TensorFlow checkpoints of {family} are not read")
    return reader


def google_settings(settings):
    """Returns Google's configuration with Google's own defaults filled in."""
    width = settings["hidden_size"]
    filled = {
        "hidden_act": "gelu",
        "type_vocab_size": 16,
        "trigram_input": False,
        "use_bottleneck": False,
        "use_bottleneck_attention": False,
        "key_query_shared_bottleneck": False,
        "num_feedforward_networks": 1,
        "normalization_type": "layer_norm",
        "embedding_size": width,
        "intra_bottleneck_size": width,
        "classifier_activation": True,
        **settings,
    }
    if filled["hidden_act"] == "gelu":
        filled["hidden_act"] = "gelu_new"       # there it is the tanh formula
    return filled


def tensorflow_model(source):
    """Returns the model read from one of TensorFlow's two forms."""
    configs = [source / n for n in ("config.json", "bert_config.json")]
    configs = [path for path in configs if path.exists()]
    if not configs:
        fail(f'"{source}" has no config.json')
    settings = json.loads(configs[0].read_text())
    checkpoints = sorted(source.glob("*.ckpt*.index"))

    keras = source / "tf_model.h5"
    if not keras.exists() and not checkpoints:
        fail(f'"{source}" holds no weights: expected model.safetensors, '
             "pytorch_model.bin, tf_model.h5 or *.ckpt.index")

    if not keras.exists() and "model_type" not in settings:
        settings = google_settings(settings)
    config = read_config(settings)
    model = model_class(config)(config)
    for value in model.parameters():
        value.data.fill_(float("nan"))  # what is not read stays NaN
    if keras.exists():
        from transformers.modeling_tf_pytorch_utils import (
            load_tf2_checkpoint_in_pytorch_model)
        model = load_tf2_checkpoint_in_pytorch_model(
            model, str(keras), allow_missing_keys=True)
    else:
        model = tensorflow_reader(config.model_type)(
            model, config, str(checkpoints[0])[:-len(".index")])
    model.tie_weights()
    missing = [name for name, value in model.named_parameters()
               if value.isnan().any()]
    if missing:
        fail("the source lacks " + ", ".join(sorted(missing)[:5]))
    return model


def write_tokenizer(source, target, family):
    """Copies the tokenizer's files, or makes tokenizer.json from vocab.txt."""
    if (source / "tokenizer.json").exists():
        for name in TOKENIZER_FILES:
            if (source / name).exists():
                shutil.copyfile(source / name, target / name)
    elif (source / "vocab.txt").exists():
        getattr(transformers, f"{FAMILIES[family]}TokenizerFast") \
            .from_pretrained(source).save_pretrained(target)
    else:
        fail(f'"{source}" has neither tokenizer.json nor vocab.txt')


def write_modules(source, target):
    """Copies the folders of sentence-transformers' modules but the first."""
    if not (source / "modules.json").exists():
        return
    for module in json.loads((source / "modules.json").read_text())[1:]:
        folder = module.get("path", "")
        if not folder or not (source / folder / "config.json").exists():
            continue
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            fail(f'folder "{folder}" of modules.json is outside the model')
        (target / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / folder / "config.json",
                        target / folder / "config.json")
        tensors = pytorch_tensors(source / folder)
        if tensors is not None:
            save_file({name: value.clone().contiguous()
                       for name, value in tensors.items()},
                      target / folder / "model.safetensors",
                      {"format": "pt"})


def check(target):
    """Opens the result with transformers and refuses missing tensors."""
    config = read_config(json.loads((target / "config.json").read_text()))
    cls = model_class(config)
    base = getattr(transformers, FAMILIES[config.model_type] + "Model")
    missing = missing_tensors(cls, target)
    if cls is not base and missing >= head_tensors(cls, config):
        cls, missing = base, missing_tensors(base, target)
    if cls is base:
        missing = {name for name in missing if not name.startswith("pooler.")}
    if missing:
        (target / "model.safetensors").unlink()
        fail("the source lacks " + ", ".join(sorted(missing)[:5]))


def missing_tensors(cls, target):
    """Returns the names that the class would make up."""
    _, info = cls.from_pretrained(target, output_loading_info=True,
                                  torch_dtype=torch.float32)
    return set(info["missing_keys"])


def head_tensors(cls, config):
    """Returns the names of the class's own tensors, without its base model's."""
    with torch.device("meta"):
        model = cls(config)
    base = model.base_model_prefix + "."
    tied = set(model._tied_weights_keys or [])
    return {name for name, _ in model.named_parameters()
            if not name.startswith(base) and name not in tied}


def main():
    parser = argparse.ArgumentParser(
        description="Turns a checkpoint of MobileBERT, BERT, DistilBERT, "
        "ELECTRA or MPNet into a directory for mobilebert.import_model.")
    parser.add_argument("source", help="a directory or a name on the hub")
    parser.add_argument("target", help="the directory to write")
    parser.add_argument("--f16", action="store_true",
                        help="store the weights as half precision")
    args = parser.parse_args()
    source, target = find_source(args.source), Path(args.target)
    target.mkdir(parents=True, exist_ok=True)
    if source.resolve() == target.resolve():
        fail("source and target are the same directory")

    tensors = pytorch_tensors(source)
    if tensors is None:
        model = tensorflow_model(source)
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(target)
        tensors = model.state_dict()
    else:
        read_config(json.loads((source / "config.json").read_text()))
        shutil.copyfile(source / "config.json", target / "config.json")

    tensors = drop_shared(tensors)
    for name, value in tensors.items():
        if args.f16 and value.is_floating_point():
            value = value.to(torch.float16)
            if not value.isfinite().all():
                fail(f'tensor "{name}" does not fit half precision')
        tensors[name] = value.clone().contiguous()
    save_file(tensors, target / "model.safetensors", {"format": "pt"})

    family = json.loads((target / "config.json").read_text()).get(
        "model_type", "mobilebert")
    write_tokenizer(source, target, family)
    for name in SENTENCE_FILES:
        if (source / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    write_modules(source, target)
    check(target)
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    print(f"{target}: {len(tensors)} tensors, {size} bytes")


if __name__ == "__main__":
    main()
