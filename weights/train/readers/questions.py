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
SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=[A-Z\"'(\[])")
SENTENCE_START = re.compile(r"(^|[.!?:][\"')\]]*\s+)[\"'(\[]*$")
NAME = re.compile(r"\b[A-Z][\w'-]*\w(?: (?:of |the |de )?[A-Z][\w'-]*\w)*"
                  r"|\b\d[\d,.]*(?<![,.])\b")
NEGATED = re.compile(r"\b(did|do|does|was|were|is|are|has|had|can|could|will|"
                     r"would|should)\b")
OPPOSITES = [pair.split() for pair in (
    "first last", "before after", "largest smallest", "highest lowest",
    "most least", "more fewer", "increase decrease", "increased decreased",
    "north south", "east west", "northern southern", "eastern western",
    "male female", "men women", "man woman", "won lost", "win lose",
    "winner loser", "early late", "earliest latest", "oldest youngest",
    "old new", "older newer", "above below", "inside outside", "began ended",
    "begin end", "started stopped", "start stop", "best worst",
    "better worse", "upper lower", "major minor", "positive negative",
    "allowed forbidden", "legal illegal", "same different", "long short",
    "longest shortest", "high low", "higher lower", "large small",
    "larger smaller", "strong weak", "rich poor", "public private",
    "internal external", "include exclude", "included excluded",
    "accepted rejected", "accept reject", "supported opposed",
    "support oppose", "created destroyed", "built destroyed",
    "joined left", "join leave", "born buried", "gained lost",
    "caused prevented", "cause prevent", "successful failed",
    "common rare", "maximum minimum", "import export", "rural urban",
    "ancient modern", "left right", "enemy ally", "attacked defended",
    "hot cold", "light dark", "full empty", "many few", "always never",
    "majority minority", "required forbidden", "popular unpopular",
    "added removed", "add remove", "open close", "opened closed",
    "founded dissolved", "bought sold", "buy sell", "friend enemy",
    "parents children", "father mother", "son daughter", "brother sister",
    "husband wife", "king queen")]
OPPOSITES = ({one: two for one, two in OPPOSITES}
             | {two: one for one, two in OPPOSITES})


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


def unanswered(articles, count, rng, kinds=None):
    """Returns questions whose paragraph does not answer them.

    'kinds' are functions that make one, taken in turn.  Without them half of
    the questions are altered; a quarter have their own paragraph without the
    sentence that answers, a quarter another paragraph of the same article.
    """
    kinds = kinds or [altered, elsewhere, altered, cut_out]
    choices = [(paragraphs, paragraph, qa)
               for paragraphs in articles if len(paragraphs) > 1
               for paragraph in paragraphs for qa in paragraph["qas"]]
    rng.shuffle(choices)
    rows = []
    for paragraphs, own, qa in choices:
        if len(rows) >= count:
            break
        row = kinds[len(rows) % len(kinds)](paragraphs, own, qa, rng)
        if row is not None:
            rows.append(row)
    return rows


def elsewhere(paragraphs, own, qa, rng):
    """Puts a question to another paragraph of the same article: the one
    that has most of its longer words, and not the answer."""
    asked = {word for word in files.words(qa["q"]) if len(word) > 3}
    others = [p for p in paragraphs if p is not own
              and qa["a"].lower() not in p["context"].lower()]
    if not others:
        return None
    best = max(others, key=lambda p: len(
        asked & set(files.words(p["context"]))))
    return Question(qa["q"], best["context"])


def cut_out(paragraphs, own, qa, rng):
    """Takes the sentence that answers out of the paragraph."""
    context = own["context"]
    begin = max((m.end() for m in SENTENCE_END.finditer(context, 0, qa["s"])),
                default=0)
    end = SENTENCE_END.search(context, qa["s"] + len(qa["a"]))
    rest = context[:begin] + (context[end.end():] if end else "")
    if len(rest) < 100 or qa["a"].lower() in rest.lower():
        return None
    return Question(qa["q"], rest.strip())


def altered(paragraphs, own, qa, rng):
    """Alters a question, so that its paragraph no longer answers it: another
    name or number of the same article for one, the opposite of a word, or a
    negation."""
    ways = [swap_name, swap_name, swap_name, opposite, opposite, negate]
    rng.shuffle(ways)
    for way in ways:
        question = way(qa, own, paragraphs, rng)
        if question is not None:
            return Question(question, own["context"])
    return None


def swap_name(qa, own, paragraphs, rng):
    """Puts another name or number for one that question and text share."""
    question = qa["q"]
    found = [m for m in NAME.finditer(question)
             if m.start() and m.group() in own["context"]]
    if not found:
        return None
    old = rng.choice(found)
    source = own if rng.random() < 0.5 else rng.choice(paragraphs)
    taken = set(files.words(question)) | set(files.words(qa["a"]))
    others = sorted({m.group() for m in NAME.finditer(source["context"])
                     if SENTENCE_START.search(source["context"][:m.start()])
                     is None
                     and m.group()[0].isdigit() == old.group()[0].isdigit()
                     and len(m.group()) > 1
                     and taken.isdisjoint(files.words(m.group()))})
    if not others:
        return None
    return question[:old.start()] + rng.choice(others) + question[old.end():]


def opposite(qa, own, paragraphs, rng):
    """Puts the opposite for a word of the question."""
    found = [m for m in re.finditer("[a-z]+", qa["q"])
             if m.group() in OPPOSITES]
    if not found:
        return None
    old = rng.choice(found)
    return (qa["q"][:old.start()] + OPPOSITES[old.group()]
            + qa["q"][old.end():])


def negate(qa, own, paragraphs, rng):
    """Asks what is not so."""
    found = NEGATED.search(qa["q"])
    if found is None:
        return None
    verb = found.group()
    short = {"can": "can't", "will": "won't"}.get(verb, verb + "n't")
    return (qa["q"][:found.start()]
            + rng.choice([short, verb + " not", verb + " never"])
            + qa["q"][found.end():])


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
