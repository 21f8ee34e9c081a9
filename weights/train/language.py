"""Trains `language`: masked words, next sentence and questions at once.

    python language.py --data DATA --out OUT --start RUNS/qa

One encoder for all three: a batch holds pairs of passages with masked words,
and questions (those of qa.py).  Whole words are masked, since punctuation and
pieces of words teach little. Passage B follows passage A in half of the pairs;
else it nearly always stands elsewhere in the same document, so that the subject
alone does not tell.

The decoder of masked words is the table of word embeddings, which is not
trained.

Held out: articles of Wikipedia (SQuAD 2.0's development set), one masked word
a passage, and the figures of qa.py.
"""
import itertools
import random
from dataclasses import dataclass

import torch
import torch.nn.functional as F
import transformers

from batches import Example, inputs, pad, predict
from program import main
from qa import WINDOW, Qa
from readers import prose, questions
from readers.files import Ngrams

HALVES = 1000                   # paragraphs that settle where B follows A
PASSAGES = (128, 128, 256)      # tokens of a pair, one of these
MASKED = 0.15                   # share of the tokens
QUESTIONS = 1.0                 # share of the examples of qa.py
NEXT, SAME_DOCUMENT = 0.5, 0.95  # bounds: B follows, same document, other
IGNORED = -100


@dataclass
class Passages:
    """The target of a pair of passages: 0 if B follows A, else 1."""
    apart: int


class PreTraining(transformers.MobileBertForPreTraining):
    """MobileBertForPreTraining with a head for questions beside its own."""

    def __init__(self, config):
        super().__init__(config)
        self.qa_outputs = torch.nn.Linear(config.hidden_size, 2)
        self.post_init()


def fill(sentences, begin, room):
    """Joins sentences from 'begin' on while they fit, one at least; returns
    (tokens, number of the next sentence)."""
    tokens, at = [], begin
    while at < len(sentences) and (
            not tokens or len(tokens) + len(sentences[at]) <= room):
        tokens += sentences[at]
        at += 1
    return tokens, at


class Language(Qa):
    kind = "ForPreTraining"
    sets = Qa.sets + ["text-openstax", "text-factbook", "prose"]
    defaults = {"epochs": 3, "batch_tokens": 6144, "head_lr": 1e-3,
                "evaluate_every": 500}

    def __init__(self, *args):
        super().__init__(*args)
        self.names = self.tokenizer.convert_ids_to_tokens(
            range(self.tokenizer.vocab_size))
        self.passages = self.pairs(prose.held_out_wikipedia(self.data),
                                   random.Random("held out"))

    def model_class(self):
        return PreTraining

    def tokens(self, documents):
        """Returns for each document its sentences as lists of tokens, and
        the numbers of those that begin a paragraph."""
        split = [[prose.sentences(paragraph) for paragraph in document]
                 for document in documents]
        flat = [s for document in split for paragraph in document
                for s in paragraph]
        e = iter(self.tokenizer(flat, add_special_tokens=False,
                                truncation=True,
                                max_length=min(PASSAGES))["input_ids"])
        return [([next(e) for paragraph in document for _ in paragraph],
                 set(itertools.accumulate(map(len, document), initial=0)))
                for document in split]

    def pairs(self, documents, rng):
        """Returns pairs of passages over all documents.

        Where it can be, A ends within a paragraph: what follows the end of
        one often might as well stand elsewhere in the document.
        """
        documents = [d for d in self.tokens(documents) if len(d[0]) > 1]
        start, end = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        rows = []
        for own, paragraphs in documents:
            at = 0
            while at < len(own) - 1:
                room = rng.choice(PASSAGES) - 3
                first = at
                a, at = fill(own[:-1], at,
                             rng.randint(room // 4, room * 3 // 4))
                if at in paragraphs and at - first > 1:
                    at -= 1
                    a = a[:-len(own[at])]
                kind = rng.random()
                source, begin = own, at
                if kind >= NEXT:
                    if kind >= SAME_DOCUMENT or len(own) < 8:
                        source, _ = rng.choice(documents)
                    begin = rng.randrange(len(source))
                    if source is own and first <= begin < at:
                        begin = at
                apart = int(source is not own or begin != at)
                b, behind = fill(source, begin, room - len(a))
                if not apart:
                    at = behind
                a = a[-max(1, room - len(b)):] if len(b) < room else a[-3:]
                b = b[:room - len(a)]
                rows.append(Example(
                    [start] + a + [end] + b + [end],
                    [0] * (len(a) + 2) + [1] * (len(b) + 1),
                    Passages(apart)))
        return rows

    def training(self, rng):
        d = self.data
        held_out = Ngrams(sum(prose.held_out_wikipedia(d), []))
        held_out.add(" ".join(words)
                     for _, words, _ in questions.squad1_dev(d))
        documents = (prose.wikipedia(d) + prose.natural(d)
                     + prose.textbooks(d) + prose.factbook(d)
                     + prose.fairy_tales(d) + prose.speeches(d))
        documents = [[p for p in document if p not in held_out]
                     for document in documents]
        asked = super().training(rng)
        return (self.pairs(documents, rng)
                + rng.sample(asked, round(len(asked) * QUESTIONS)))

    def prepare(self, network, examples):
        """A fresh decoder starts as the identity, with words' frequencies."""
        head = network.model.cls.predictions
        if head.bias.any():
            return
        counts = torch.full((network.config.vocab_size,), 0.5)
        for row in examples:
            counts.index_add_(0, torch.tensor(row.ids),
                              torch.ones(len(row.ids)))
        logs = (counts / counts.sum()).log()
        with torch.no_grad():
            dense = head.transform.dense.weight
            dense.copy_(torch.eye(len(dense)))
            head.bias.copy_(0.5 * (logs - logs.mean()))

    def halves(self, rng):
        """Returns first halves of paragraphs of Wikipedia, each with its own
        second half or that of another paragraph of the article."""
        texts = []
        for article in prose.wikipedia(self.data):
            split = [s for s in map(prose.sentences, article) if len(s) > 1]
            for own in split if len(split) > 1 else []:
                other = rng.choice([s for s in split if s is not own])
                apart = rng.randrange(2)
                second = other if apart else own
                texts.append((" ".join(own[:len(own) // 2]),
                              " ".join(second[len(second) // 2:]), apart))
        texts = rng.sample(texts, HALVES)
        e = self.tokenizer([a for a, _, _ in texts], [b for _, b, _ in texts],
                           truncation=True, max_length=WINDOW)
        return [Example(ids, types, Passages(text[2])) for ids, types, text
                in zip(e["input_ids"], e["token_type_ids"], texts)]

    def finish(self, network):
        """Moves the bias of next sentences to where B is said to follow as
        often as it does, which learning from pairs() does not reach."""
        rows = self.halves(random.Random(f"halves {self.options.seed}"))
        z = torch.tensor(predict(network, rows, lambda states, _:
                                 self.follows(network, states).tolist()))
        follow = sum(not row.target.apart for row in rows) / len(rows)
        by = (z[:, 0] - z[:, 1]).quantile(1 - follow).item()
        with torch.no_grad():
            network.model.cls.seq_relationship.bias[0] -= by

    def mask(self, ids, rng):
        """Returns (ids with masks, what to tell at each place)."""
        places = self.whole_words(ids) or range(1, len(ids) - 1)
        count = max(1, min(len(places), round(len(ids) * MASKED)))
        masked, told = list(ids), [IGNORED] * len(ids)
        for i in rng.sample(places, count):
            told[i] = ids[i]
            kind = rng.random()
            if kind < 0.8:
                masked[i] = self.tokenizer.mask_token_id
            elif kind < 0.9:
                masked[i] = rng.randrange(1000, self.tokenizer.vocab_size)
        return masked, told

    def words(self, network, states):
        """Logits of words for single states."""
        head = network.model.cls.predictions
        x = F.gelu(network.linear(states, head.transform.dense))
        x = network.norm(x, head.transform.LayerNorm)
        table = network.model.mobilebert.embeddings.word_embeddings.weight
        return F.linear(x, table.to(network.dtype)).float() + head.bias

    def follows(self, network, states):
        """Logits of whether passage B follows A."""
        return network.linear(network.pooled(states),
                              network.model.cls.seq_relationship).float()

    def loss(self, network, rows):
        """The sum of the tasks' losses over their share of the batch."""
        asked = [row for row in rows if not isinstance(row.target, Passages)]
        passages = [row for row in rows if isinstance(row.target, Passages)]
        loss = 0.0
        if asked:
            loss = super().loss(network, asked) * (len(asked) / len(rows))
        if not passages:
            return loss
        rng = network.drop.rng
        masked = [self.mask(row.ids, rng) for row in passages]
        told = pad([t for _, t in masked], IGNORED).to(network.device)
        states = network.states(*inputs(
            [Example(ids, row.types, None)
             for (ids, _), row in zip(masked, passages)], network.device))
        places = told != IGNORED
        apart = torch.tensor([row.target.apart for row in passages])
        own = (F.cross_entropy(self.words(network, states[places]),
                               told[places])
               + F.cross_entropy(self.follows(network, states),
                                 apart.to(network.device)))
        return loss + own * (len(passages) / len(rows))

    def whole_words(self, ids):
        """Returns the places of tokens that are words of letters."""
        return [i for i in range(1, len(ids) - 1)
                if self.names[ids[i]].isalpha()
                and not self.names[ids[i + 1]].startswith("##")]

    def one_masked(self, rows):
        """Returns the rows with one whole word masked each; the target is
        its place and the word."""
        rng = random.Random("one word")
        masked = []
        for row in rows:
            places = self.whole_words(row.ids)
            if places:
                at = rng.choice(places)
                ids = list(row.ids)
                ids[at] = self.tokenizer.mask_token_id
                masked.append(Example(ids, row.types, (at, row.ids[at])))
        return masked

    def evaluate(self, network, sample):
        figures = super().evaluate(network, sample)
        rows = self.part(self.passages, sample, 8)

        def ranked(states, batch):
            places = torch.tensor([row.target[0] for row in batch])
            logits = self.words(network, states[range(len(batch)), places])
            return logits.topk(5).indices.tolist()

        masked = self.one_masked(rows)
        found = predict(network, masked, ranked)
        words = [row.target[1] for row in masked]
        apart = predict(network, rows, lambda states, _: self.follows(
            network, states).argmax(-1).tolist())
        figures.update({
            "word top 1": sum(word == five[0] for word, five
                              in zip(words, found)) / len(words),
            "word top 5": sum(word in five for word, five
                              in zip(words, found)) / len(words),
            "next sentence": sum(a == row.target.apart for a, row
                                 in zip(apart, rows)) / len(rows)})
        return {name: round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    main(Language)
