"""Writes what was trained as a model directory that stands on a base.

    python export.py RUN TARGET --base ../minilm --default-for ner
    python export.py LANGUAGE ../language --base ../minilm \\
        --default-for fill_mask next_sentence
    python export.py LANGUAGE ../qa --base ../language \\
        --kind ForQuestionAnswering --default-for answer

RUN is the output directory of a training program.  TARGET becomes a Hugging
Face directory in F16 with the tensors that differ from the base's, and
"base" in its config.json: `import_model` takes the rest from the registered
model of that name, if it is the same ("base_sha256").  `complete.py` makes a directory with all tensors of it.
Of a run with several heads --kind takes one class's; the encoder is the same.

NOTICE and SOURCE.md say on what the model was trained: on the sets of RUN and
on those of other runs that it started from (--after RUN); LICENSE is that of
the strictest of them.  In the end the size of all models beside TARGET is told,
which must stay below LIMIT.
"""
import argparse
import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import attributions
from encoder import complete_tensors, with_prefix

# Parameters beside the encoder that a class has.
HEADS = {"ForPreTraining": "cls.", "ForQuestionAnswering": "qa_outputs.",
         "ForSequenceClassification": "classifier.",
         "ForTokenClassification": "classifier.",
         "ForMultipleChoice": "classifier."}
LIMIT = 110e6                   # bytes of all shipped models; test/t/package.pl
TOKENIZER = ["vocab.txt", "tokenizer_config.json", "special_tokens_map.json"]


def halves(tensors):
    """Rounds tensors to F16; what does not fit is an error."""
    rounded = {name: value.half() for name, value in tensors.items()}
    for name, value in rounded.items():
        if not torch.isfinite(value).all():
            raise ValueError(f'tensor "{name}" does not fit half precision')
    return rounded


def tensor_hash(tensor):
    """Returns the hash of a tensor in F16 that the registry has: SHA-256 of
    type and shape as text, each number with a zero byte, and its bytes."""
    found = hashlib.sha256()
    for part in ("F16", *tensor.shape, ""):
        found.update(f"{part}\0".encode())
    found.update(tensor.numpy().tobytes())
    return found.digest()


def hash_of(tensors):
    """Returns "base_sha256" of the tensors that a model takes from its base:
    SHA-256 of their names, each with a zero byte, and hashes."""
    found = hashlib.sha256()
    for name, tensor in sorted((name.removeprefix("mobilebert."), tensor)
                               for name, tensor in tensors.items()):
        found.update(name.encode() + b"\0" + tensor_hash(tensor))
    return found.hexdigest()


def configuration(base, kind, result, default_for, taken):
    """Returns the base's configuration with the class of a result."""
    config = json.loads((base / "config.json").read_text())
    config["architectures"] = ["MobileBert" + kind]
    config["base"] = base.resolve().name
    config["base_sha256"] = hash_of(taken)
    config["default_for"] = default_for
    for member in ("id2label", "label2id"):
        config.pop(member, None)
    if result["labels"]:
        labels = result["labels"]
        config["id2label"] = {str(i): name for i, name in enumerate(labels)}
        config["label2id"] = {name: i for i, name in enumerate(labels)}
    return config


def size(directory):
    """Returns the bytes of all models in a directory."""
    return sum(path.stat().st_size for config in directory.glob("*/config.json")
               for path in config.parent.rglob("*") if path.is_file())


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", type=Path)
    p.add_argument("target", type=Path)
    p.add_argument("--base", type=Path, required=True)
    p.add_argument("--kind", choices=sorted(HEADS),
                   help="one of several classes of the run")
    p.add_argument("--default-for", nargs="*", default=[], metavar="TASK",
                   help="tasks that import_defaults() makes it the default of")
    p.add_argument("--after", nargs="*", default=[], metavar="RUN", type=Path,
                   help="runs that it was started from")
    args = p.parse_args()

    result = json.loads((args.run / "result.json").read_text())
    kind = args.kind or result["kind"]
    base = {name: value for name, value
            in halves(complete_tensors(args.base)).items()
            if name.startswith("mobilebert.")}
    tensors = load_file(args.run / "model.safetensors")
    start = result["options"]["start"]
    if start:
        # what this run left as it was may differ from the base as well
        tensors = {**(complete_tensors(start) if Path(start).is_dir() else
                      with_prefix(load_file(start))), **tensors}
    trained = halves({name: value for name, value in tensors.items()
                      if name.startswith(("mobilebert.", HEADS[kind]))})
    differing = {name: value for name, value in trained.items()
                 if name not in base or not torch.equal(value, base[name])}
    sets = set(result["sets"])
    for run in args.after:
        sets.update(json.loads((run / "result.json").read_text())["sets"])

    args.target.mkdir(parents=True, exist_ok=True)
    weights = args.target / "model.safetensors"
    save_file(differing, weights, {"format": "pt"})
    weights.chmod(0o644)
    (args.target / "config.json").write_text(
        json.dumps(configuration(args.base, kind, result, args.default_for,
                                 {name: value for name, value in base.items()
                                  if name not in differing}),
                   indent=2, sort_keys=True) + "\n")
    (args.target / "NOTICE").write_text(attributions.notice(
        f"{args.target.resolve().name}: MobileBert{kind}", sets))
    shutil.copyfile(attributions.licence(sets), args.target / "LICENSE")
    for name in TOKENIZER:
        shutil.copyfile(args.base / name, args.target / name)
    options = {name.replace("_", "-"): result["options"][name]
               for name in ("layers", "epochs", "lr", "head_lr",
                            "batch_tokens", "seed")}
    (args.target / "SOURCE.md").write_text(attributions.source(
        args.target.resolve().name, kind, args.base.resolve().name,
        result["program"], options,
        {name: hashlib.sha256((args.target / name).read_bytes()).hexdigest()
         for name in ("model.safetensors", "config.json")}, sets))
    total = size(args.target.resolve().parent)
    print(f"{len(differing)} tensors, {weights.stat().st_size / 1e6:.1f} MB; "
          f"all models {total / 1e6:.1f} MB"
          + (f", more than {LIMIT / 1e6:.0f}" if total > LIMIT else ""))


if __name__ == "__main__":
    main()
