"""Trains `nli`: does a text entail a sentence, contradict it, or neither?

    python nli.py --data DATA --out OUT

Besides pairs of such sets, texts with labels are made into pairs "text / This
text is about {label}.", which is what zero_shot asks.  A wrong label is a
contradiction: with multi_label entailment is weighed against it alone.

Held out: a fifth of MultiNLI's matched development set by premise; zero-shot
accuracy on two sets of which nothing is trained on, 14 topics of dbpedia and
7 intents of SNIPS, with Hugging Face's default sentence and with "This text
is about {}."
"""
import torch

from batches import Example, inputs, predict
from program import Task, main
from readers import pairs
from readers.files import Ngrams

MAX_TOKENS = 128
TEMPLATES = ["This text is about {}.", "This example is {}.",
             "The topic is {}.", "This is about {}.", "{}"]
# texts that pairs with label sentences are made of
LABELLED = [(pairs.clinc, 9000), (pairs.home, 4000),
            (pairs.stack_overflow, 3000), (pairs.clothes, 1500),
            (pairs.textbooks, 1500), (pairs.articles, 4000),
            (pairs.kinds, 9000), (pairs.emotions, 3000),
            (pairs.reviews, 2500)]
LABELLED_WORDS = 60


def with_labels(rows, count, rng):
    """Returns pairs of texts with a right and with a wrong label.

    Of a long text some words suffice to tell what it is about.
    """
    names = sorted({label for _, label in rows})
    found = []
    for text, label in rng.sample(rows, min(count, len(rows))):
        text = " ".join(text.split()[:rng.randint(20, LABELLED_WORDS)])
        template = rng.choice(TEMPLATES)
        wrong = rng.choice([name for name in names if name != label])
        found.append((text, template.format(label), (pairs.ENTAILMENT,)))
        found.append((text, template.format(wrong), (pairs.CONTRADICTION,)))
    return found


class Nli(Task):
    kind = "ForSequenceClassification"
    labels = pairs.LABELS
    sets = ["nli-mnli", "nli-snli", "nli-cad-snli", "nli-semi-automatic-wiki",
            "clinc150", "nlu-home", "stackoverflow-titles", "reviews-clothing",
            "text-openstax", "squad-train", "ner-fewnerd-partial",
            "goemotions", "nltk-product-reviews-1", "nltk-product-reviews-2",
            "nltk-pros-cons"]
    defaults = {"epochs": 3, "batch_tokens": 4096}

    def encode(self, rows):
        e = self.tokenizer([row[0] for row in rows], [row[1] for row in rows],
                           truncation=True, max_length=MAX_TOKENS)
        return [Example(ids, types, row[2]) for ids, types, row
                in zip(e["input_ids"], e["token_type_ids"], rows)]

    def training(self, rng):
        d = self.data
        mnli, held_out = pairs.mnli_dev(d)
        rows = (mnli + pairs.mnli_train(d) + pairs.snli(d) + pairs.cad(d)
                + pairs.wiki(d))
        for reader, count in LABELLED:
            rows += with_labels(reader(d), count, rng)
        seen = Ngrams((row[0] for row in held_out), 10)
        seen.add(text for text, _ in pairs.dbpedia(d) + pairs.snips(d))
        return self.encode([row for row in rows if row[0] not in seen])

    def loss(self, network, rows):
        z = network.classify(network.states(*inputs(rows, network.device)))
        wrong = torch.ones(z.shape, dtype=torch.bool)
        for i, row in enumerate(rows):
            wrong[i, list(row.target)] = False
        right = z.masked_fill(wrong.to(network.device), -1e9)
        return (z.logsumexp(-1) - right.logsumexp(-1)).mean()

    def scores(self, network, rows):
        return predict(network, self.encode(rows), lambda states, _:
                       network.classify(states).tolist())

    def zero_shot(self, network, rows, template):
        """Returns the share of texts whose label is entailed the most."""
        names = sorted({label for _, label in rows})
        asked = [(text, template.format(name), None)
                 for text, _ in rows for name in names]
        entailed = [z[pairs.ENTAILMENT] for z in self.scores(network, asked)]
        right = 0
        for i, (_, label) in enumerate(rows):
            own = entailed[i * len(names):(i + 1) * len(names)]
            right += names[own.index(max(own))] == label
        return round(right / len(rows), 4)

    def held_out_texts(self):
        held_out = pairs.mnli_dev(self.data)[1]
        return {"mnli premises": sorted({row[0] for row in held_out}),
                "mnli hypotheses": [row[1] for row in held_out],
                "dbpedia": [text for text, _ in pairs.dbpedia(self.data)],
                "snips": [text for text, _ in pairs.snips(self.data)]}

    def evaluate(self, network, sample):
        held_out = pairs.mnli_dev(self.data)[1]
        if sample:
            held_out = held_out[:400]
        topics = self.part(pairs.dbpedia(self.data), sample, 7)
        intents = self.part(pairs.snips(self.data), sample, 7)
        found = self.scores(network, held_out)
        figures = {"mnli": round(sum(
            z.index(max(z)) in row[2] for z, row in zip(found, held_out))
            / len(held_out), 4)}
        for template in TEMPLATES[:1 if sample else 2]:
            for name, rows in (("dbpedia", topics), ("snips", intents)):
                figures[f"{name} '{template}'"] = self.zero_shot(
                    network, rows, template)
        return figures


if __name__ == "__main__":
    main(Nli)
