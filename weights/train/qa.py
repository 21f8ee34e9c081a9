"""Trains `qa`: the span of a text that answers a question, or none.

    python qa.py --data DATA --out OUT --start ../../qa.safetensors

A question that its text does not answer has the first token, [CLS], as its
answer, as SQuAD 2.0 does it; readers/questions.py makes such questions.

Held out: SQuAD v1.1's development set, in the windows that MLPerf made, and
SQuAD 2.0's, where "no answer" is given when [CLS] scores above every span.
"""
import collections

import torch
import torch.nn.functional as F

from batches import Example, inputs, predict
from program import Task, main
from readers import questions
from readers.files import Ngrams

WINDOW = 384
STRIDE = 128
LONGEST = 30                    # tokens of an answer
OUT_OF_REACH = -1e4
QAMR = 9000                     # questions of QAMR, one in ten
UNANSWERED = 0.25               # share of all questions
# Those that are made here are easier than people's, so these weigh two thirds
# of the loss.
WEIGHT = 2 * (1 - UNANSWERED) / UNANSWERED


def f1(guess, answer):
    """F1 over the words of two normalised answers."""
    common = sum((collections.Counter(guess)
                  & collections.Counter(answer)).values())
    if not guess or not answer:
        return float(guess == answer)
    return 2 * common / (len(guess) + len(answer))


def score(guess, answers):
    """Returns (exact match, F1) of a guess, the best over all answers."""
    guess = questions.normalised(guess)
    answers = [questions.normalised(a) for a in answers] or [[]]
    return (max(float(guess == a) for a in answers),
            max(f1(guess, a) for a in answers))


def best_span(begins, ends, first, last):
    """Returns (score, begin, end) of the best span of tokens."""
    z = begins[first:last + 1, None] + ends[None, first:last + 1]
    ok = torch.ones_like(z, dtype=torch.bool).triu().tril(LONGEST - 1)
    z = z.masked_fill(~ok, 2 * OUT_OF_REACH)
    at = int(z.argmax())
    return (z.flatten()[at].item(), first + at // z.shape[1],
            first + at % z.shape[1])


class Qa(Task):
    kind = "ForQuestionAnswering"
    sets = ["squad-train", "qed-nq", "qamr", "fairytaleqa"]
    defaults = {"epochs": 2, "batch_tokens": 6144, "evaluate_every": 500}

    def windows(self, question):
        """Yields the windows of a question as Examples without a target,
        with the offsets of their tokens and the numbers of their words."""
        e = self.tokenizer(question.question.strip(), question.context,
                           truncation="only_second", max_length=WINDOW,
                           stride=STRIDE, return_overflowing_tokens=True,
                           return_offsets_mapping=True)
        for i, ids in enumerate(e["input_ids"]):
            yield (Example(ids, e["token_type_ids"][i], None),
                   e["offset_mapping"][i], e.word_ids(i))

    def encode(self, question):
        """Returns the windows of a question to learn from."""
        rows = []
        for row, offsets, _ in self.windows(question):
            first, last = row.types.index(1), len(row.ids) - 2
            row.target = (0, 0)
            for begin, end in question.spans:
                inside = [k for k in range(first, last + 1)
                          if offsets[k][1] > begin and offsets[k][0] < end]
                if (inside and offsets[inside[0]][0] <= begin
                        and offsets[inside[-1]][1] >= end):
                    row.target = (inside[0], inside[-1])
                    break
            rows.append(row)
        return rows

    def training(self, rng):
        articles = questions.squad(self.data)
        rows = (questions.answered(articles)
                + questions.natural(self.data, "train")
                + rng.sample(questions.qamr(self.data), QAMR)
                + questions.fairy_tales(self.data))
        held_out = Ngrams(q.context for q in questions.squad2_dev(self.data))
        held_out.add(" ".join(words) for _, words, _
                     in questions.squad1_dev(self.data))
        count = round(len(rows) * UNANSWERED / (1 - UNANSWERED))
        rows += questions.unanswered(articles, count, rng)
        rows = [q for q in rows if q.context not in held_out]
        return [window for q in rows for window in self.encode(q)]

    def logits(self, network, states, rows):
        """Logits of begin and end; only [CLS] and the context compete."""
        ok = torch.zeros(states.shape[:2], device=network.device)
        for i, row in enumerate(rows):
            ok[i, 0] = 1
            ok[i, row.types.index(1):len(row.ids) - 1] = 1
        z = network.linear(states, network.model.qa_outputs).float()
        return z + (1 - ok)[..., None] * OUT_OF_REACH

    def loss(self, network, rows):
        states = network.states(*inputs(rows, network.device))
        z = self.logits(network, states, rows)
        target = torch.tensor([row.target for row in rows])
        weight = torch.where(target[:, 0] == 0, WEIGHT, 1.0)
        target, weight = target.to(network.device), weight.to(network.device)
        losses = (F.cross_entropy(z[..., 0], target[:, 0], reduction="none")
                  + F.cross_entropy(z[..., 1], target[:, 1],
                                    reduction="none")) / 2
        return (losses * weight).mean()

    def best(self, network, rows):
        """Returns (score, begin, end, score of no answer) of windows."""
        def answer(states, batch):
            z = self.logits(network, states, batch).cpu()
            return [best_span(z[i, :, 0], z[i, :, 1], row.types.index(1),
                              len(row.ids) - 2) + (z[i, 0].sum().item(),)
                    for i, row in enumerate(batch)]
        return predict(network, rows, answer)

    def held_out_texts(self):
        squad2 = questions.squad2_dev(self.data)
        squad1 = list(questions.squad1_dev(self.data))
        return {"squad1 contexts": sorted({" ".join(words) for _, words, _
                                           in squad1}),
                "squad1 questions": [self.question_of(windows[0])
                                     for windows, _, _ in squad1],
                "squad2 contexts": sorted({q.context for q in squad2}),
                "squad2 questions": [q.question for q in squad2]}

    def question_of(self, window):
        """Returns the question of a window of token ids."""
        return self.tokenizer.decode(window["ids"][:window["types"].index(1)],
                                     skip_special_tokens=True)

    def evaluate(self, network, sample):
        figures = self.evaluate_v1(network, sample)
        figures.update(self.evaluate_v2(network, sample))
        return {name: round(value, 4) for name, value in figures.items()}

    def evaluate_v1(self, network, sample):
        asked = self.part(list(questions.squad1_dev(self.data)), sample, 25)
        rows, owners = [], []
        for number, (windows, _, _) in enumerate(asked):
            for window in windows:
                rows.append(Example(window["ids"], window["types"],
                                    window["words"]))
                owners.append(number)
        found = {}
        for row, owner, (z, begin, end, _) in zip(
                rows, owners, self.best(network, rows)):
            first = row.types.index(1)
            words = asked[owner][1][row.target[begin - first]:
                                    row.target[end - first] + 1]
            found[owner] = max(found.get(owner, (-1e9, "")),
                               (z, " ".join(words)))
        scores = [score(found[number][1], answers)
                  for number, (_, _, answers) in enumerate(asked)]
        return {"squad1 em": sum(em for em, _ in scores) / len(scores),
                "squad1 f1": sum(f for _, f in scores) / len(scores)}

    def evaluate_v2(self, network, sample):
        asked = self.part(questions.squad2_dev(self.data), sample, 25)
        rows, places = [], []
        for number, question in enumerate(asked):
            for row, offsets, words in self.windows(question):
                rows.append(row)
                places.append((number, offsets, words))
        spans, nothing = {}, {}
        for (number, offsets, words), (z, begin, end, none) in zip(
                places, self.best(network, rows)):
            while words[begin - 1] == words[begin]:
                begin -= 1
            while words[end + 1] == words[end]:
                end += 1
            text = asked[number].context[offsets[begin][0]:offsets[end][1]]
            spans[number] = max(spans.get(number, (-1e9, "")), (z, text))
            nothing[number] = min(nothing.get(number, 1e9), none)
        scores = {True: [], False: []}
        for number, question in enumerate(asked):
            z, text = spans[number]
            guess = text if z >= nothing[number] else ""
            scores[bool(question.answers)].append(
                score(guess, question.answers))
        every = scores[True] + scores[False]
        return {"squad2 em": sum(em for em, _ in every) / len(every),
                "squad2 f1": sum(f for _, f in every) / len(every),
                "squad2 answered f1":
                    sum(f for _, f in scores[True]) / len(scores[True]),
                "squad2 unanswered":
                    sum(em for em, _ in scores[False]) / len(scores[False])}


if __name__ == "__main__":
    main(Qa)
