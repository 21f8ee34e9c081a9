#!/usr/bin/env python3
"""Make this folder from the reference data: python3 subset.py REFERENCE

REFERENCE has checkpoints/ and expected/ as its generate.py writes them (see
README.md here).  Kept are the checkpoints named below, weights and
config.json, and their cases without what golden_model.c does not read: the
float32 results.  Files are compressed with a zero time stamp, so that the same
data give the same bytes.
"""
import gzip
import json
import os
import shutil
import sys

CHECKPOINTS = """
bottleneck-attention bottleneck-attention-unshared
bottleneck-off-layernorm-bertlike unshared-bottleneck trigram-off
embedding-is-hidden-trigram-off ffn-1
layernorm-gelu-new types-1
types-3 odd-sizes one-layer-one-head outliers deep-12 positions-64
store-sharded model
""".split()
TASKS = "hidden_states attentions embeddings".split()


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".gz", "wb") as raw:
        with gzip.GzipFile("", "wb", 9, raw, 0) as f:
            f.write(data)


def cases(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            case = json.loads(line)
            if case["checkpoint"] not in CHECKPOINTS:
                continue
            error = case["expected"].get("error")
            case["expected"] = {} if error is None else {"error": error}
            yield json.dumps(case, separators=(",", ":")) + "\n"


def main():
    source = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    for part in ("checkpoints", "expected"):
        shutil.rmtree(f"{here}/{part}", ignore_errors=True)
    for name in CHECKPOINTS:
        for file in sorted(os.listdir(f"{source}/checkpoints/{name}")):
            if file == "config.json" or "safetensors" in file:
                with open(f"{source}/checkpoints/{name}/{file}", "rb") as f:
                    write(f"{here}/checkpoints/{name}/{file}", f.read())
    for task in TASKS:
        text = "".join(cases(f"{source}/expected/{task}.jsonl"))
        write(f"{here}/expected/{task}.jsonl", text.encode())
    with open(f"{source}/expected/spread.json", encoding="utf-8") as f:
        spread = {name: {key: value for key, value in fields.items()
                         if key.split("/")[0] in TASKS}
                  for name, fields in json.load(f).items()
                  if name in CHECKPOINTS}
    write(f"{here}/expected/spread.json",
          json.dumps(spread, indent=1).encode())


if __name__ == "__main__":
    main()
