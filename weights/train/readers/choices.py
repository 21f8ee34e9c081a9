"""Questions with four answers of which one is right: (text, answers, right).

A fifth of CODAH is for evaluation only.
"""
import json

from readers import files

HELD_OUT = 20                   # percent of CODAH's prompts


def codah(data):
    """Beginnings of sentences with their ends: (training, held-out)."""
    parts = [], []
    for row in files.tsv(data / "codah/full_data.tsv", False):
        held_out = files.part("codah " + row[1]) < HELD_OUT
        parts[held_out].append((row[1], row[2:6], int(row[6])))
    return parts


def oanc(data):
    """Questions on passages; the passage stands before the question."""
    rows = {}
    for path in sorted((data / "choose-oanc-mcq").glob("*.json.gz")):
        with files.text(path) as file:
            for row in json.load(file):
                right = int(row["gold_answer"].removeprefix("option")) - 1
                rows[row["document"], row["question"]] = (
                    f'{row["document"]} {row["question"]}', row["options"],
                    right)
    return list(rows.values())
