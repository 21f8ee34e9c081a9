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

# For the encoder (golden_model.c): those that differ in structure.
STRUCTURE = """
bottleneck-attention bottleneck-attention-unshared
bottleneck-off-layernorm-bertlike unshared-bottleneck trigram-off
embedding-is-hidden-trigram-off ffn-1
layernorm-gelu-new types-1
types-3 odd-sizes-ner one-layer-one-head outliers deep-12 positions-64
store-sharded
""".split()
STRUCTURE_TASKS = "hidden_states attentions embeddings".split()

# For the heads and pipelines (reference.pl): the smallest of each kind, with
# their tokenizers.
HEADS = """
sequence-1-plain sequence-5-multi nli-3-entail-first positions-64 ner-labels
odd-sizes-ner tok-no-cjk choice trigram-off one-layer-one-head
""".split()
HEAD_TASKS = """
text-classification zero-shot-classification token-classification token_logits
question-answering qa_logits fill-mask next_sentence multiple_choice
pretraining losses
""".split()

TASKS = {task: STRUCTURE for task in STRUCTURE_TASKS}
TASKS.update({task: HEADS for task in HEAD_TASKS})


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".gz", "wb") as raw:
        with gzip.GzipFile("", "wb", 9, raw, 0) as f:
            f.write(data)


def cases(path, checkpoints):
    with open(path, encoding="utf-8") as f:
        for line in f:
            case = json.loads(line)
            if case["checkpoint"] not in checkpoints:
                continue
            error = case["expected"].get("error")
            case["expected"] = {} if error is None else {"error": error}
            yield json.dumps(case, separators=(",", ":")) + "\n"


def make(source, here, structure, heads, tasks):
    """heads are the checkpoints whose tokenizer is kept; tasks with no case
    left have no file"""
    for part in ("checkpoints", "expected"):
        shutil.rmtree(f"{here}/{part}", ignore_errors=True)
    names = sorted(set(structure + heads))
    for name in names:
        if (name not in structure
                and os.path.isdir(f"{here}/../checkpoint/{name}")):
            continue            # reference.pl finds it there
        for file in sorted(os.listdir(f"{source}/checkpoints/{name}")):
            if (file == "config.json" or "safetensors" in file
                    or name in heads):
                with open(f"{source}/checkpoints/{name}/{file}", "rb") as f:
                    write(f"{here}/checkpoints/{name}/{file}", f.read())
    for task, checkpoints in tasks.items():
        text = "".join(cases(f"{source}/expected/{task}.jsonl", checkpoints))
        if text:
            write(f"{here}/expected/{task}.jsonl", text.encode())
    with open(f"{source}/expected/spread.json", encoding="utf-8") as f:
        spread = {name: {key: value for key, value in fields.items()
                         if key.split("/")[0] in tasks}
                  for name, fields in json.load(f).items()
                  if name in names}
    write(f"{here}/expected/spread.json",
          json.dumps(spread, indent=1).encode())


if __name__ == "__main__":
    make(sys.argv[1], os.path.dirname(os.path.abspath(__file__)), STRUCTURE,
         HEADS, TASKS)
