"""Trains `sentiment`: negative, neutral or positive.

    python sentiment.py --data DATA --out OUT --layers 3

Held out: SST-2's development set and UCI's sentences on products and films,
each with two classes, so the larger of negative and positive counts.
"""
import torch
import torch.nn.functional as F

from batches import Example, inputs, predict
from program import Task, main
from readers import opinions
from readers.files import Near, Ngrams

MAX_TOKENS = 128
GOEMOTIONS = 12000              # comments; their labels are noisy


class Sentiment(Task):
    kind = "ForSequenceClassification"
    labels = ["negative", "neutral", "positive"]
    sets = ["sentence-polarity", "nltk-subjectivity", "nltk-product-reviews-1",
            "nltk-product-reviews-2", "nltk-pros-cons", "reviews-clothing",
            "goemotions"]
    defaults = {"epochs": 3, "batch_tokens": 2048}

    def __init__(self, *args):
        super().__init__(*args)
        self.held_out = {
            "sst2": self.encode(opinions.sst2(self.data)),
            "uci amazon": self.encode(opinions.uci(self.data, "amazon")),
            "uci imdb": self.encode(opinions.uci(self.data, "imdb")),
        }

    def encode(self, rows):
        e = self.tokenizer([text for text, _ in rows], truncation=True,
                           max_length=MAX_TOKENS)
        return [Example(ids, [0] * len(ids), label)
                for ids, (_, label) in zip(e["input_ids"], rows)]

    def training(self, rng):
        d = self.data

        def some(rows, count):
            return rng.sample(rows, min(count, len(rows)))

        clothes = opinions.clothing(d)
        few = min(sum(label == k for _, label in clothes) for k in range(3))
        rows = (opinions.polarity(d) + opinions.products(d)
                + some(opinions.plots(d), 3000)
                + some(opinions.pros_and_cons(d), 8000)
                + some(opinions.goemotions(d), GOEMOTIONS))
        for label in range(3):
            rows += some([row for row in clothes if row[1] == label], few)
        held_out = sum(self.held_out_texts().values(), [])
        near, runs = Near(held_out), Ngrams(held_out, 8)
        return self.encode([row for row in rows
                            if row[0] not in near and row[0] not in runs])

    def loss(self, network, rows):
        states = network.states(*inputs(rows, network.device))
        labels = torch.tensor([row.target for row in rows])
        return F.cross_entropy(network.classify(states),
                               labels.to(network.device))

    def held_out_texts(self):
        return {"sst2": [text for text, _ in opinions.sst2(self.data)],
                "uci amazon": [text for text, _
                               in opinions.uci(self.data, "amazon")],
                "uci imdb": [text for text, _
                             in opinions.uci(self.data, "imdb")]}

    def evaluate(self, network, sample):
        figures = {}
        for name, rows in self.held_out.items():
            rows = rows[:400] if sample else rows
            logits = predict(network, rows, lambda states, _:
                             network.classify(states).tolist())
            right = sum((2 if z[2] > z[0] else 0) == row.target
                        for z, row in zip(logits, rows))
            figures[name] = round(right / len(rows), 4)
        return figures


if __name__ == "__main__":
    main(Sentiment)
