#!/usr/bin/env python3
"""Make this folder from the reference data: python3 choose.py REFERENCE

REFERENCE is the folder sentence-transformers of the reference data, as its
generate_st.py writes it (see README.md here).  Cases with prompts are left out.
"""
import gzip
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DIRECTORIES = ("st-bert-modes", "st-mpnet-mean-normalize")


def pack(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".gz", "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9,
                           fileobj=file, mtime=0) as packed:
            packed.write(content)


reference = sys.argv[1]
for directory in DIRECTORIES:
    for folder, _, names in os.walk(os.path.join(reference, directory)):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                pack(os.path.join(HERE, os.path.relpath(path, reference)),
                     file.read())
with open(os.path.join(reference, "expected.jsonl")) as file:
    cases = [json.loads(line) for line in file]
lines = [json.dumps(case) + "\n" for case in cases
         if case["directory"] in DIRECTORIES
         and "prompt" not in case and "prompt_name" not in case]
pack(os.path.join(HERE, "expected.jsonl"), "".join(lines).encode())
