"""Writes what Hugging Face's own code gives on the held-out texts of a model.

    perl ../../test/quality/data.pl DATA TEXTS
    python figures.py ../ner TEXTS

Writes figures.tsv into the model's directory: measure, number of texts,
percent.  `make quality` measures the same in SQL, on the same texts, and
compares.  TEXTS that were thinned (EVERY) are told by their number.
"""
import argparse
import collections
import json
import math
import re
import string
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers

BATCH = 16
transformers.logging.set_verbosity_error()  # of heads that a class has not


class Texts:
    """The files that data.pl wrote."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __getitem__(self, name):
        with open(self.folder / f"{name}.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file]


class Model:
    """A complete directory with Hugging Face's class and tokenizer."""

    def __init__(self, directory):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        config = json.loads((Path(directory) / "config.json").read_text())
        self.directory = directory
        self.kind = config["architectures"][0]
        self.labels = list((config.get("id2label") or {}).values())
        self.model = self.load(self.kind)

    def load(self, kind):
        """The model as another class of the same directory."""
        return getattr(transformers, kind).from_pretrained(
            self.directory).eval()

    def pipeline(self, task, model=None, **options):
        return transformers.pipeline(
            task, model=model or self.model, tokenizer=self.tokenizer,
            device="cpu", **options)

    def logits(self, firsts, seconds=None, model=None):
        """The logits of texts or pairs, in batches of near-equal length."""
        order = sorted(range(len(firsts)), key=lambda i: len(firsts[i]) + (
            len(seconds[i]) if seconds else 0))
        found = [None] * len(firsts)
        for at in range(0, len(order), BATCH):
            rows = order[at:at + BATCH]
            e = self.tokenizer(
                [firsts[i] for i in rows],
                [seconds[i] for i in rows] if seconds else None,
                truncation=True, max_length=512, padding=True,
                return_tensors="pt")
            with torch.no_grad():
                z = (model or self.model)(**e).logits
            for i, row in zip(rows, z):
                found[i] = row
        return found


def normalised(answer):
    """SQuAD's comparison: no case, no punctuation, no articles."""
    answer = "".join(c for c in answer.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", answer).split()


def exact(guess, gold):
    return float(normalised(guess) == normalised(gold))


def f1(guess, gold):
    guess, gold = normalised(guess), normalised(gold)
    if not guess or not gold:
        return float(guess == gold)
    common = sum((collections.Counter(guess)
                  & collections.Counter(gold)).values())
    return 2 * common / (len(guess) + len(gold))


def answers(model, texts):
    head = None
    if model.kind != "MobileBertForQuestionAnswering":
        head = model.load("MobileBertForQuestionAnswering")
    pipeline = model.pipeline("question-answering", head)
    for name in ("squad1", "squad2"):
        scores = collections.defaultdict(list)
        for row in texts[name]:
            found = pipeline(
                question=row["question"], context=row["context"],
                max_answer_len=30, handle_impossible_answer=name == "squad2")
            gold = row["answers"] or [""]
            kind = ("unanswerable" if gold == [""] else "answerable f1")
            one = max(f1(found["answer"], a) for a in gold)
            scores["exact"].append(max(exact(found["answer"], a)
                                       for a in gold))
            scores["f1"].append(one)
            if name == "squad2":
                scores[kind].append(one)
        for measure, values in scores.items():
            yield f"{name} {measure}", len(values), sum(values) / len(values)


def names(model, texts):
    pipeline = model.pipeline("token-classification",
                              aggregation_strategy="first")
    for name in ("uner", "wikigold", "wnut"):
        counts = collections.defaultdict(lambda: [0, 0, 0])
        rows = texts[name]
        for row in rows:
            gold = {(s["begin"], s["end"], s["type"]) for s in row["spans"]}
            found = {(e["start"], e["end"], e["entity_group"])
                     for e in pipeline([row["words"]], delimiter=" ",
                                       is_split_into_words=True)[0]}
            if name == "uner":
                found = {e for e in found if e[2] != "MISC"}
            for kind in {e[2] for e in gold | found}:
                own = [{e for e in part if e[2] == kind}
                       for part in (gold, found)]
                for key in (kind, None):
                    counts[key][0] += len(own[0] & own[1])
                    counts[key][1] += len(own[0])
                    counts[key][2] += len(own[1])
        for kind, (both, right, guessed) in counts.items():
            measure = " ".join(filter(None, (name, kind, "f1")))
            yield measure, len(rows), 2 * both / (right + guessed)


def opinions(model, texts):
    negative, positive = (model.labels.index(name)
                          for name in ("negative", "positive"))
    for name in ("sst2", "amazon", "imdb"):
        rows = texts[name]
        right = sum((z[positive] > z[negative]).item()
                    == (row["label"] == "positive") for z, row in zip(
                        model.logits([row["text"] for row in rows]), rows))
        yield f"{name} accuracy", len(rows), right / len(rows)


def inference(model, texts):
    rows = texts["mnli"]
    found = model.logits([row["premise"] for row in rows],
                         [row["hypothesis"] for row in rows])
    right = sum(model.labels[z.argmax()] == row["label"]
                for z, row in zip(found, rows))
    yield "mnli accuracy", len(rows), right / len(rows)
    entailment = model.labels.index("entailment")
    for name in ("dbpedia", "snips"):
        rows = texts[name]
        labels = sorted({row["label"] for row in rows})
        for suffix, template in (("", "This example is {}."),
                                 (", about", "This text is about {}.")):
            scores = model.logits(
                [row["text"] for row in rows for _ in labels],
                [template.format(label) for _ in rows for label in labels])
            right = 0
            for i, row in enumerate(rows):
                own = [z[entailment].item() for z
                       in scores[i * len(labels):(i + 1) * len(labels)]]
                right += labels[own.index(max(own))] == row["label"]
            yield f"{name} accuracy{suffix}", len(rows), right / len(rows)


def language(model, texts):
    rows = texts["masked"]
    head = model.load("MobileBertForMaskedLM")
    first = five = 0
    for at in range(0, len(rows), BATCH):
        part = rows[at:at + BATCH]
        e = model.tokenizer([row["text"] for row in part], padding=True,
                            return_tensors="pt")
        with torch.no_grad():
            z = head(**e).logits
        masks = (e["input_ids"] == model.tokenizer.mask_token_id)
        for row, own, mask in zip(part, z, masks):
            best = model.tokenizer.convert_ids_to_tokens(
                own[mask][0].topk(5).indices.tolist())
            first += best[0] == row["word"]
            five += row["word"] in best
    yield "masked top 1", len(rows), first / len(rows)
    yield "masked top 5", len(rows), five / len(rows)
    rows = texts["next"]
    head = model.load("MobileBertForNextSentencePrediction")
    found = model.logits([row["first"] for row in rows],
                         [row["second"] for row in rows], head)
    right = sum((z.argmax().item() == 0) == row["follows"]
                for z, row in zip(found, rows))
    yield "next sentence accuracy", len(rows), right / len(rows)


def embeddings(model, texts):
    """Mean-pooled and normalised, as minilm's files say."""
    found = []
    for text in texts:
        e = model.tokenizer(text, truncation=True, max_length=256,
                            return_tensors="pt")
        with torch.no_grad():
            found.append(model.model(**e).last_hidden_state[0].mean(0))
    return torch.nn.functional.normalize(torch.stack(found), dim=1)


def reranking(model, texts, minilm):
    for name, first, measure in (("cranfield", 50, "cranfield ndcg@10"),
                                 ("natural", 20, "natural mrr")):
        asked = texts[name]
        passages = [row["passage"] for row in texts[f"{name}-passages"]]
        near = (embeddings(minilm, [row["query"] for row in asked])
                @ embeddings(minilm, passages).T)
        orders = {"embeddings": near.topk(first).indices.tolist()}
        scores = model.logits(
            [row["query"] for row, own in zip(asked, orders["embeddings"])
             for _ in own],
            [passages[i] for own in orders["embeddings"] for i in own])
        orders["reranked"] = [
            [i for _, i in sorted(
                zip((z.item() for z in scores[n * first:(n + 1) * first]),
                    own), reverse=True)]
            for n, own in enumerate(orders["embeddings"])]
        for order, rows in orders.items():
            total = 0.0
            for row, own in zip(asked, rows):
                places = [rank for rank, i in enumerate(own, 1)
                          if i in row["relevant"]]
                if name == "natural":
                    total += 1 / places[0] if places else 0
                    continue
                ideal = range(1, min(10, len(row["relevant"])) + 1)
                total += (sum(1 / math.log2(p + 1) for p in places if p <= 10)
                          / sum(1 / math.log2(p + 1) for p in ideal))
            yield f"{measure}, {order}", len(asked), total / len(asked)


def choices(model, texts):
    rows = texts["codah"]
    right = 0
    for row in rows:
        e = model.tokenizer([row["prompt"]] * 4, row["choices"],
                            truncation=True, padding=True,
                            return_tensors="pt")
        with torch.no_grad():
            z = model.model(**{name: value[None]
                               for name, value in e.items()}).logits[0]
        right += z.argmax().item() + 1 == row["right"]
    yield "codah accuracy", len(rows), right / len(rows)


def complete(directory):
    """Writes the complete model to a directory that is deleted in the end."""
    target = tempfile.TemporaryDirectory()
    subprocess.run([sys.executable, Path(__file__).parent / "complete.py",
                    directory, target.name], check=True,
                   stdout=subprocess.DEVNULL)
    return target


def figures(directory, texts):
    place = complete(directory)
    model = Model(place.name)
    config = json.loads((Path(directory) / "config.json").read_text())
    if (model.kind == "MobileBertForQuestionAnswering"
            or "answer" in config.get("default_for", [])):
        yield from answers(model, texts)
    if model.kind == "MobileBertForTokenClassification":
        yield from names(model, texts)
    elif model.kind == "MobileBertForPreTraining":
        yield from language(model, texts)
    elif model.kind == "MobileBertForMultipleChoice":
        yield from choices(model, texts)
    elif "entailment" in model.labels:
        yield from inference(model, texts)
    elif "negative" in model.labels:
        yield from opinions(model, texts)
    elif len(model.labels) == 1:
        below = complete(Path(directory).parent / "minilm")
        yield from reranking(model, texts, Model(below.name))


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path)
    p.add_argument("texts")
    args = p.parse_args()
    lines = [f"{measure}\t{count}\t{100 * value:.4f}\n" for measure, count,
             value in figures(args.model, Texts(args.texts))]
    (args.model / "figures.tsv").write_text("".join(lines))
    print("".join(lines), end="")


if __name__ == "__main__":
    main()
