"""Writes a model directory with all tensors, for Hugging Face.

    python complete.py ../qa /tmp/qa

The directories of this project's models hold what differs from their base,
which is to lie beside them; Hugging Face wants everything in one file.  The
result is loaded with the class that its config.json names, and refused when
that lacks a tensor.
"""
import json
import shutil
import sys
from pathlib import Path

import transformers
from safetensors.torch import save_file

from encoder import complete_tensors


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: complete.py DIRECTORY TARGET")
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_file() and path.name != "model.safetensors":
            shutil.copyfile(path, target / path.name)
    config = json.loads((source / "config.json").read_text())
    config.pop("base", None)
    config.pop("base_sha256", None)
    (target / "config.json").write_text(
        json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file(complete_tensors(source), target / "model.safetensors",
              {"format": "pt"})

    kind = getattr(transformers, config["architectures"][0])
    _, loaded = kind.from_pretrained(target, output_loading_info=True)
    if loaded["missing_keys"] or loaded["mismatched_keys"]:
        sys.exit(f"complete.py: {kind.__name__} lacks "
                 f"{loaded['missing_keys'] + loaded['mismatched_keys']}")
    print(f"{target}: loads as {kind.__name__}")


if __name__ == "__main__":
    main()
