#!/usr/bin/env python3
"""Make this folder from the reference data: python3 choose.py REFERENCE

REFERENCE has directories that sentence-transformers saved and expected.jsonl,
as its generate_st.py writes them (see README.md here).
"""
import gzip
import json
import os
import shutil
import sys

DIRECTORIES = ["ce-bert-1", "ce-electra-3", "st-bert-modes",
               "st-bert-prompt-excluded", "st-distilbert-dense",
               "st-mpnet-mean-normalize"]

reference = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
for name in DIRECTORIES:
    shutil.rmtree(f"{here}/{name}", ignore_errors=True)
    # what tokenizer.json holds already is left out
    shutil.copytree(f"{reference}/{name}", f"{here}/{name}",
                    copy_function=shutil.copyfile,
                    ignore=shutil.ignore_patterns("vocab.txt", "special_tokens_map.json"))
    for folder, _, _ in os.walk(f"{here}/{name}"):
        os.chmod(folder, 0o755)
with open(f"{reference}/expected.jsonl", encoding="utf-8") as cases, \
        open(f"{here}/expected.jsonl.gz", "wb") as file, \
        gzip.GzipFile("", "wb", 9, file, 0) as out:
    for case in cases:
        if json.loads(case)["directory"] in DIRECTORIES:
            out.write(case.encode())
