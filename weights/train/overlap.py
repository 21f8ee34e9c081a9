"""Looks for held-out text in what a program trains on.

    python overlap.py sentiment --data DATA

Texts are compared as the network sees them, decoded from their tokens, parts
of a pair apart, without case and punctuation.  For each held-out set the
program prints how many of its texts

    equal     are a text of the training, word for word
    run       share 13 words in a row with one (shorter texts: are equal)
    near      have 70 % of their words in common with one (Jaccard index)

and the first few of each.  Short texts may be equal by chance ("i agree").
"""
import argparse
import importlib
import random

import transformers

from program import Task, options
from readers.files import Near, Ngrams, words

SHOWN = 3


def task_of(program, data):
    """Returns the task that a program defines, with its default options."""
    module = importlib.import_module(program)
    kind = next(value for value in vars(module).values()
                if isinstance(value, type) and issubclass(value, Task)
                and value is not Task)
    opts = options(kind, ["--data", data, "--out", ""])
    tokenizer = transformers.AutoTokenizer.from_pretrained(opts.base)
    return kind(data, tokenizer, opts)


def training_texts(task):
    """Returns the texts that a task trains on, each once."""
    tokenizer = task.tokenizer
    parts = set()
    for example in task.training(random.Random(
            f"examples {task.options.seed}")):
        part = []
        for token in example.ids:
            if token in (tokenizer.cls_token_id, tokenizer.sep_token_id):
                parts.add(tuple(part))
                part = []
            elif token != tokenizer.pad_token_id:
                part.append(token)
    parts.discard(())
    return tokenizer.batch_decode(sorted(parts))


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program", help="name of a training program")
    p.add_argument("--data", required=True)
    args = p.parse_args()
    task = task_of(args.program, args.data)

    texts = training_texts(task)
    print(f"{len(texts)} texts of the training")
    equal = {tuple(words(text)) for text in texts}
    near = Near(texts)
    runs = Ngrams(texts)
    for name, held_out in task.held_out_texts().items():
        found = {"equal": [t for t in held_out if tuple(words(t)) in equal],
                 "run": [t for t in held_out if t in runs],
                 "near": [t for t in held_out if t in near]}
        print(f"{name}: {len(held_out)} texts; " + ", ".join(
            f"{len(some)} {how}" for how, some in found.items()))
        for how, some in found.items():
            for text in some[:SHOWN]:
                print(f"    {how}: {text[:120]}")


if __name__ == "__main__":
    main()
