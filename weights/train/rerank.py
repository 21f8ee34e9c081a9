"""Trains `rerank`: one number, how well a passage answers a question.

    python rerank.py --data DATA --out OUT --start RUNS/qa

Some words of each question are left out, so that the rest must do: what is
left out in one place stands in another.

Held out: Natural Questions of QED's development set (mean reciprocal rank of
the question's paragraph among the 20 that the base's embeddings find first,
0 where it is not among them) and Cranfield (nDCG@10 of the first 50 in the
new order, and in the order of the embeddings).
"""
import math

import torch
import torch.nn.functional as F
import transformers

from batches import Example, inputs, predict
from encoder import Network
from program import Task, main
from readers import retrieval
from readers.files import Ngrams

MAX_TOKENS = 256
SQUAD = 30000                   # questions of SQuAD
LEFT_OUT = 0.15                 # share of a question's words


class Rerank(Task):
    kind = "ForSequenceClassification"
    labels = ["relevance"]
    sets = ["squad-train", "qed-nq"]
    defaults = {"epochs": 1, "lr": 1e-4}

    def encode(self, rows):
        e = self.tokenizer([row[0] for row in rows], [row[1] for row in rows],
                           truncation="only_second", max_length=MAX_TOKENS)
        return [Example(ids, types, row[2]) for ids, types, row
                in zip(e["input_ids"], e["token_type_ids"], rows)]

    def training(self, rng):
        held_out = Ngrams(retrieval.natural_dev(self.data)[1])
        return self.encode(
            [(retrieval.thinned(question, LEFT_OUT, rng), passage, right)
             for question, passage, right
             in retrieval.with_negatives(self.data, SQUAD, rng)
             if passage not in held_out])

    def loss(self, network, rows):
        z = network.classify(network.states(*inputs(rows, network.device)))
        right = torch.tensor([float(row.target) for row in rows])
        return F.binary_cross_entropy_with_logits(
            z[:, 0], right.to(network.device))

    def held_out_texts(self):
        queries, passages, _ = retrieval.natural_dev(self.data)
        return {"natural questions": queries, "natural passages": passages,
                "cranfield": retrieval.cranfield(self.data)[1]}

    def embeddings(self, texts):
        """Embeddings of the base: the mean of the states, normalised."""
        base = Network(self.options.base, transformers
                       .MobileBertForSequenceClassification, 0)
        e = self.tokenizer(texts, truncation=True, max_length=MAX_TOKENS)
        rows = [Example(ids, [0] * len(ids), None) for ids in e["input_ids"]]
        means = predict(base, rows, lambda states, batch: [
            states[i, :len(row.ids)].float().mean(0)
            for i, row in enumerate(batch)])
        return F.normalize(torch.stack(means), dim=1)

    def reranked(self, network, found, first):
        """Yields (relevant, order by embeddings, new order) a query, of its
        'first' first passages."""
        queries, passages, relevant = found
        nearest = self.embeddings(queries) @ self.embeddings(passages).T
        order = nearest.topk(first).indices.tolist()
        rows = self.encode([(query, passages[i], None)
                            for query, own in zip(queries, order)
                            for i in own])
        scores = predict(network, rows, lambda states, _:
                         network.classify(states)[:, 0].tolist())
        for i, own in enumerate(order):
            score = dict(zip(own, scores[i * first:(i + 1) * first]))
            yield relevant[i], own, sorted(own, key=score.get, reverse=True)

    def evaluate(self, network, sample):
        figures = {}
        every = 20 if sample else 1
        for name, found, first, measure in (
                ("natural mrr", retrieval.natural_dev(self.data), 20,
                 reciprocal_rank),
                ("cranfield ndcg", retrieval.cranfield(self.data), 50,
                 ndcg)):
            queries, passages, relevant = found
            found = queries[::every], passages, relevant[::every]
            rows = list(self.reranked(network, found, first))
            for order, column in (("embeddings", 1), ("reranked", 2)):
                figures[f"{name} {order}"] = round(sum(
                    measure(row[0], row[column]) for row in rows)
                    / len(rows), 4)
        return figures


def reciprocal_rank(relevant, order):
    """1 / rank of the first relevant passage, 0 if there is none."""
    for rank, passage in enumerate(order, 1):
        if passage in relevant:
            return 1 / rank
    return 0.0


def ndcg(relevant, order, depth=10):
    """Normalised discounted cumulative gain of the first passages."""
    gain = sum(1 / math.log2(rank + 1)
               for rank, passage in enumerate(order[:depth], 1)
               if passage in relevant)
    best = sum(1 / math.log2(rank + 1)
               for rank in range(1, min(depth, len(relevant)) + 1))
    return gain / best if best else 0.0


if __name__ == "__main__":
    main(Rerank)
