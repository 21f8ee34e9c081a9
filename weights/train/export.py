"""Writes what was trained as a model directory that stands on a base.

    python export.py RUN TARGET --base ../minilm

RUN is the output directory of a training program.  TARGET becomes a Hugging
Face directory in F16 with the tensors that differ from the base's, and
"base" in its config.json: `import_model` takes the rest from the registered
model of that name.  `complete.py` makes a directory with all tensors of it.
"""
import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from encoder import complete_tensors

TOKENIZER = ["vocab.txt", "tokenizer_config.json", "special_tokens_map.json"]


def halves(tensors):
    """Rounds tensors to F16; what does not fit is an error."""
    rounded = {name: value.half() for name, value in tensors.items()}
    for name, value in rounded.items():
        if not torch.isfinite(value).all():
            raise ValueError(f'tensor "{name}" does not fit half precision')
    return rounded


def configuration(base, result):
    """Returns the base's configuration with the class of a result."""
    config = json.loads((base / "config.json").read_text())
    config["architectures"] = ["MobileBert" + result["kind"]]
    config["base"] = base.resolve().name
    for member in ("id2label", "label2id"):
        config.pop(member, None)
    if result["labels"]:
        labels = result["labels"]
        config["id2label"] = {str(i): name for i, name in enumerate(labels)}
        config["label2id"] = {name: i for i, name in enumerate(labels)}
    return config


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", type=Path)
    p.add_argument("target", type=Path)
    p.add_argument("--base", type=Path, required=True)
    args = p.parse_args()

    result = json.loads((args.run / "result.json").read_text())
    trained = halves(load_file(args.run / "model.safetensors"))
    base = halves(complete_tensors(args.base))
    differing = {name: value for name, value in trained.items()
                 if name not in base or not torch.equal(value, base[name])}

    args.target.mkdir(parents=True, exist_ok=True)
    weights = args.target / "model.safetensors"
    save_file(differing, weights, {"format": "pt"})
    weights.chmod(0o644)
    (args.target / "config.json").write_text(
        json.dumps(configuration(args.base, result), indent=2,
                   sort_keys=True) + "\n")
    for name in TOKENIZER:
        shutil.copyfile(args.base / name, args.target / name)
    print(f"{len(differing)} tensors, {weights.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
