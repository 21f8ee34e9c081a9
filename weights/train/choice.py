"""Trains `choice`: which of four answers goes with a text?

    python choice.py --data DATA --out OUT --start RUNS/nli

Held out: a fifth of CODAH.
"""
import torch
import torch.nn.functional as F

from batches import Example, in_order, inputs, pad
from program import Task, main
from readers import choices
from readers.files import Near, Ngrams

MAX_TOKENS = 384


class Choice(Task):
    kind = "ForMultipleChoice"
    sets = ["codah", "choose-oanc-mcq"]
    defaults = {"epochs": 3, "lr": 5e-5, "evaluate_every": 500}

    def encode(self, rows):
        """An example is four pairs; 'ids' are theirs, as many as when all
        are padded, the target is (the pairs, number of the right one)."""
        examples = []
        for text, answers, right in rows:
            e = self.tokenizer([text] * len(answers), answers,
                               truncation=True, max_length=MAX_TOKENS)
            pairs = [Example(ids, types, None) for ids, types
                     in zip(e["input_ids"], e["token_type_ids"])]
            ids = pad([pair.ids for pair in pairs]).flatten().tolist()
            examples.append(Example(ids, [], (pairs, right)))
        return examples

    def training(self, rng):
        held_out = self.held_out_texts()["codah"]
        near, runs = Near(held_out), Ngrams(held_out)
        rows = [row for row in choices.codah(self.data)[0]
                if row[0] not in near and row[0] not in runs]
        return self.encode(rows + choices.oanc(self.data))

    def logits(self, network, rows):
        """Logits of the answers, one row a question."""
        pairs = [pair for row in rows for pair in row.target[0]]
        states = network.states(*inputs(pairs, network.device))
        return network.classify(states).view(len(rows), -1)

    def loss(self, network, rows):
        right = torch.tensor([row.target[1] for row in rows])
        return F.cross_entropy(self.logits(network, rows),
                               right.to(network.device))

    def held_out_texts(self):
        return {"codah": [text for text, _, _
                          in choices.codah(self.data)[1]]}

    def evaluate(self, network, sample):
        rows = self.encode(choices.codah(self.data)[1])
        network.drop.off()
        right = 0
        with torch.no_grad():
            for batch in in_order([len(row.ids) for row in rows], 8192):
                part = [rows[i] for i in batch]
                found = self.logits(network, part).argmax(-1).tolist()
                right += sum(a == row.target[1]
                             for a, row in zip(found, part))
        return {"codah": round(right / len(rows), 4)}


if __name__ == "__main__":
    main(Choice)
