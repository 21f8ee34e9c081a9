"""Trains `ner`: persons, places, organisations and other names.

    python ner.py --data DATA --out OUT --layers 3

A word of which the data leaves open what it is adds the probability of all
tags that may be right to the loss; see readers/entities.py.

Held out, strict F1 of whole entities: UNER's test set (its three types;
predictions of MISC left out), a quarter of wikigold's articles (four types),
WNUT-17's test set (four types).
"""
import torch

from batches import Example, inputs, predict
from program import Task, main
from readers import entities
from readers.files import Ngrams

MAX_TOKENS = 160
JOINED = 3                      # sentences at most that make one text
FEWNERD = 12000                 # sentences of Few-NERD


def spans(tags):
    """Returns the entities of a list of tags as (begin, end, type).

    An I- that continues nothing opens an entity.
    """
    found, begin, kind = set(), None, None
    for i, tag in enumerate(list(tags) + ["O"]):
        goes_on = tag[0] == "I" and tag[2:] == kind
        if kind is not None and not goes_on:
            found.add((begin, i, kind))
            kind = None
        if tag != "O" and not goes_on:
            begin, kind = i, tag[2:]
    return found


def f1(pairs, types):
    """Strict F1 over sentences; pairs of (gold, predicted) sets of spans."""
    right = gold = guessed = 0
    for true, found in pairs:
        true = {span for span in true if span[2] in types}
        found = {span for span in found if span[2] in types}
        right += len(true & found)
        gold += len(true)
        guessed += len(found)
    return round(2 * right / max(1, gold + guessed), 4)


class Ner(Task):
    kind = "ForTokenClassification"
    labels = entities.TAGS
    sets = ["ner-uner-ewt", "ner-crossner", "wikigold", "wnut17", "ner-btc",
            "ner-fewnerd-partial"]
    defaults = {"epochs": 4, "batch_tokens": 2048}

    def __init__(self, *args):
        super().__init__(*args)
        self.held_out = {
            "uner": (entities.uner(self.data, "test"), entities.TYPES[:3]),
            "wikigold": (entities.wikigold(self.data)[1], entities.TYPES),
            "wnut": (entities.wnut(self.data, "test"), entities.TYPES),
        }

    def encode(self, sentence):
        """A word's first piece has its tag, further ones have the I- of it.

        The target is (allowed tags of each token, place of each word).
        """
        e = self.tokenizer([word for word, _ in sentence],
                           is_split_into_words=True, truncation=True,
                           max_length=MAX_TOKENS)
        allowed, places = [], [None] * len(sentence)
        previous = None
        for at, word in enumerate(e.word_ids()):
            if word is None:
                allowed.append(entities.ANY)
            elif word != previous:
                allowed.append(sentence[word][1])
                places[word] = at
            else:
                allowed.append(frozenset(
                    tag + tag % 2 for tag in sentence[word][1]))
            previous = word
        return Example(e["input_ids"], [0] * len(allowed), (allowed, places))

    def training(self, rng):
        d = self.data
        rows = []
        held_out = Ngrams(sum(self.held_out_texts().values(), []))
        for sentences in (entities.uner(d, "train"), entities.uner(d, "dev"),
                          entities.wnut(d, "train"), entities.wnut(d, "dev"),
                          entities.crossner(d), entities.btc(d),
                          entities.wikigold(d)[0], entities.wikigold(d)[0],
                          rng.sample(entities.fewnerd(d), FEWNERD)):
            sentences = [s for s in sentences if " ".join(
                word for word, _ in s) not in held_out]
            begin = 0
            while begin < len(sentences):
                end = begin + rng.randint(1, JOINED)
                rows.append(sum(sentences[begin:end], []))
                begin = end
        return [self.encode(row) for row in rows]

    def logits(self, network, states):
        return network.linear(network.drop(states),
                              network.model.classifier).float()

    def loss(self, network, rows):
        ids, types, mask = inputs(rows, network.device)
        logits = self.logits(network, network.states(ids, types, mask))
        allowed = torch.ones(logits.shape, dtype=torch.bool)
        for i, row in enumerate(rows):
            for at, tags in enumerate(row.target[0]):
                if len(tags) < len(entities.ANY):
                    allowed[i, at] = False
                    allowed[i, at, list(tags)] = True
        allowed = allowed.to(network.device)
        counted = ~allowed.all(-1)
        missed = (logits.logsumexp(-1)
                  - logits.masked_fill(~allowed, -1e9).logsumexp(-1))
        return missed[counted].mean()

    def held_out_texts(self):
        return {name: [" ".join(word for word, _ in sentence)
                       for sentence in sentences]
                for name, (sentences, _) in self.held_out.items()}

    def evaluate(self, network, sample):
        figures = {}
        for name, (sentences, types) in self.held_out.items():
            if sample:
                sentences = sentences[:400]
            rows = [self.encode(sentence) for sentence in sentences]
            tags = predict(network, rows, lambda states, _: self.logits(
                network, states).argmax(-1).tolist())
            pairs = []
            for sentence, row, found in zip(sentences, rows, tags):
                # a word beyond the window, or one without pieces, has no tag
                guessed = [entities.TAGS[found[at]] if at is not None else "O"
                           for at in row.target[1]]
                gold = [entities.TAGS[min(allowed)]
                        for _, allowed in sentence]
                pairs.append((spans(gold), spans(guessed)))
            figures[name] = f1(pairs, types)
            if not sample:
                for kind in types:
                    figures[f"{name} {kind}"] = f1(pairs, [kind])
        return figures


if __name__ == "__main__":
    main(Ner)
