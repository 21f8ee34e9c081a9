#!/usr/bin/env python3
"""Makes sample.jsonl.gz: 200 questions of SQuAD, answered and scored by Hugging Face.

    perl ../../bench/squad.pl --decode DATA > questions.jsonl
    python3 make_sample.py questions.jsonl ../checkpoint/tok-no-cjk sample.jsonl.gz

Needs transformers 4.57 with torch.  Every 53rd question is taken.  "answer" is
what the question-answering pipeline gives with the options in OPTIONS; as the
model's weights are random it is hardly ever right, so "other" is a gold answer
in disguise, to have more to score.
"""
import gzip
import json
import sys

import torch
from transformers import pipeline
from transformers.data.metrics.squad_metrics import compute_exact, compute_f1

OPTIONS = {"max_seq_len": 128, "doc_stride": 20}
STEP, COUNT = 53, 200


def disguise(gold, n):
    """A gold answer with changes that the scores ignore, or do not."""
    words = gold.split()
    return ["The " + gold.upper() + "!", gold + " and an extra word", " ".join(words[1:]), "a-" + gold,
            "  ".join(words[::-1]), gold.replace(" ", ", "), "\u201c" + gold + "\u201d", "the", "",
            " ".join(words + words), gold.swapcase() + "\u00a0\u00c9T\u00c9"][n % 11]


def score(answer, golds):
    return {"exact": max(compute_exact(g, answer) for g in golds), "f1": max(compute_f1(g, answer) for g in golds)}


def main():
    torch.set_num_threads(1)
    with open(sys.argv[1], encoding="utf-8") as f:
        questions = [json.loads(line) for line in f][::STEP][:COUNT]
    assert len(questions) == COUNT
    model = pipeline("question-answering", model=sys.argv[2], tokenizer=sys.argv[2], device="cpu")
    with gzip.GzipFile(sys.argv[3], "wb", mtime=0) as out:
        for n, case in enumerate(questions):
            golds = case["answers"]
            found = model(question=case["question"], context=case["context"], **OPTIONS)
            other = disguise(golds[0], n)
            case.update(answer=found["answer"], score=found["score"], start=found["start"], end=found["end"],
                        **score(found["answer"], golds), other=other,
                        **{"other_" + k: v for k, v in score(other, golds).items()})
            out.write((json.dumps(case, ensure_ascii=False) + "\n").encode())


main()
