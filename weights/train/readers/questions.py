"""Questions on a text, with the places of their answers.

SQuAD v1.1's and 2.0's development sets are for evaluation only.
"""
import csv
import io
import re
import struct
import tarfile
import zlib
from dataclasses import dataclass, field

from readers import files

LONGEST = 200                   # characters of an answer to learn
MIXED = 8                       # paragraphs tried for an unanswered question


@dataclass
class Question:
    """A question; 'spans' are (begin, end) in the context, none if it has
    no answer there; 'answers' are the texts that count as right."""
    question: str
    context: str
    spans: list = field(default_factory=list)
    answers: list = field(default_factory=list)


def squad(data):
    """Returns the articles of SQuAD v1.1 train as lists of paragraphs."""
    articles = {}
    for path in sorted((data / "squad-train").glob("train-*.jsonl.gz")):
        for paragraph in files.json_lines(path):
            articles.setdefault(paragraph["title"], []).append(paragraph)
    return list(articles.values())


def answered(articles):
    """Returns the questions of SQuAD v1.1 train."""
    return [Question(qa["q"], paragraph["context"],
                     [(qa["s"], qa["s"] + len(qa["a"]))], [qa["a"]])
            for paragraphs in articles for paragraph in paragraphs
            for qa in paragraph["qas"]]


def unanswered(articles, count, rng):
    """Returns questions with a paragraph that does not answer them.

    The paragraph is of the same article, lacks the answer, and is the one
    of a few that has most words in common with the question.
    """
    choices = [(paragraphs, paragraph, qa)
               for paragraphs in articles if len(paragraphs) > 1
               for paragraph in paragraphs for qa in paragraph["qas"]]
    rows = []
    for paragraphs, own, qa in rng.sample(choices, min(count, len(choices))):
        asked = set(files.words(qa["q"]))
        others = [p for p in rng.sample(paragraphs,
                                        min(MIXED, len(paragraphs)))
                  if p is not own
                  and qa["a"].lower() not in p["context"].lower()]
        if others:
            best = max(others, key=lambda p: len(
                asked & set(files.words(p["context"]))))
            rows.append(Question(qa["q"], best["context"]))
    return rows


def undo_tokens(text):
    """Undoes treebank marks in place: no character moves its number.

    Blanks around punctuation may stay: the tokenizer splits there anyway.
    """
    for mark, plain in (("``", '" '), ("''", '" '), ("-LRB-", "(    "),
                        ("-RRB-", ")    "), (" n't", "n't ")):
        text = text.replace(mark, plain)
    return text


def natural(data, part):
    """Questions put to a search engine, on a paragraph of Wikipedia.

    part    "train" or "dev"
    """
    pattern = {"train": "nq-train-*", "dev": "qed-dev*"}[part]
    rows = []
    for path in sorted((data / "qed-nq").glob(pattern)):
        for line in files.json_lines(path):
            context = undo_tokens(line["paragraph_text"])
            if part == "train":
                spans = [tuple(span) for span in line["answer_spans"]
                         if span[1] - span[0] <= LONGEST]
            else:
                spans = [(a[0]["start"], a[0]["end"])
                         for a in line["original_nq_answers"] if len(a) == 1]
            if spans:
                rows.append(Question(line["question_text"], context, spans,
                                     [context[b:e] for b, e in spans]))
    return rows


def qamr(data):
    """Questions on single sentences, where both validators agree."""
    folder = data / "qamr"
    sentences = {row[0]: undo_tokens(row[1]).split(" ") for row
                 in files.tsv(folder / "wiki-sentences.tsv.gz", False)}
    rows = []
    for name in ("dev.tsv.gz", "test.tsv.gz"):
        for row in files.tsv(folder / name, False):
            answer = [int(i) for i in row[6].split()]
            checks = [check.partition(":")[2] for check in row[7:9]]
            if (any(check != row[6] for check in checks)
                    or answer != list(range(answer[0], answer[-1] + 1))):
                continue
            tokens = sentences[row[0]]
            begin = len(" ".join(tokens[:answer[0]])) + (answer[0] > 0)
            end = begin + len(" ".join(tokens[answer[0]:answer[-1] + 1]))
            context = " ".join(tokens)
            rows.append(Question(undo_tokens(row[5]), context,
                                 [(begin, end)], [context[begin:end]]))
    return rows


def fairy_tales(data, part="train"):
    """Questions on sections of tales whose answers stand there verbatim."""
    texts = {}
    with tarfile.open(data / "fairytaleqa/fairytaleqa.tar.gz") as archive:
        for member in archive.getmembers():
            if f"/{part}/" in member.name and member.name.endswith(".csv"):
                content = archive.extractfile(member).read().decode("utf-8")
                texts[member.name] = list(csv.DictReader(io.StringIO(content)))
    rows = []
    for name, questions in sorted(texts.items()):
        if not name.startswith("questions/"):
            continue
        story = name.replace("questions/", "section-stories/").replace(
            "-questions.csv", "-story.csv")
        sections = {row["section"]: row["text"] for row in texts[story]}
        for row in questions:
            context = sections.get(row["cor_section"], "")
            answer = row["answer1"].strip()
            begin = context.lower().find(answer.lower())
            if answer and begin >= 0:
                rows.append(Question(row["question"], context,
                                     [(begin, begin + len(answer))],
                                     [answer]))
    return rows


def squad2_dev(data):
    """SQuAD 2.0's development set; half of it has no answers."""
    return [Question(qa["q"], paragraph["context"], answers=qa["answers"])
            for paragraph in files.json_lines(
                data / "squad2-dev/dev-v2.0.jsonl.gz")
            for qa in paragraph["qas"]]


# SQuAD v1.1's development set lies as TFRecords of tokenised windows.

def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _fields(data):
    """Yields the fields of a protocol buffer: numbers, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        elif key & 7 == 2:
            size, at = _varint(data, at)
            value = data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, value


def _feature(data):
    """Returns the list of a tf.train.Feature: texts or numbers."""
    values = []
    for kind, listed in _fields(data):
        for _, value in _fields(listed):
            if kind == 1:
                values.append(value.decode("utf-8"))
            elif isinstance(value, int):
                values.append(value)
            else:
                at = 0
                while at < len(value):
                    number, at = _varint(value, at)
                    values.append(number)
    return values


def _records(path):
    """Yields the records of a compressed file as dictionaries of lists."""
    data = zlib.decompress(path.read_bytes())
    at = 0
    while at < len(data):
        size, = struct.unpack_from("<Q", data, at)
        record = {}
        for _, features in _fields(data[at + 12:at + 12 + size]):
            for _, entry in _fields(features):
                pair = dict(_fields(entry))
                record[pair[1].decode()] = _feature(pair[2])
        yield record
        at += 16 + size


def squad1_dev(data):
    """Yields (windows, words, answers) of SQuAD v1.1's development set.

    A window is a dictionary of ids, types and words: for each token of the
    context the number of its word.
    """
    folder = data / "squad-mobilebert-tfrecord"
    windows = {}
    for record in _records(folder / "squad_eval.tfrecord"):
        count = sum(record["input_mask"])
        windows.setdefault(record["qas_id"][0], []).append(
            {"ids": record["input_ids"][:count],
             "types": record["segment_ids"][:count],
             "words": record["token_to_orig_map"]})
    for record in _records(folder / "squad_groundtruth.tfrecord"):
        yield (windows[record["qas_id"][0]], record["words"],
               record["answers"])


def normalised(answer):
    """SQuAD's comparison: no case, no punctuation, no articles."""
    answer = re.sub(r"[!-/:-@\[-`{-~]", "", answer.lower())
    return re.sub(r"\b(a|an|the)\b", " ", answer).split()
