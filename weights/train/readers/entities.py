"""Sentences with named entities: PER, LOC, ORG, MISC in BIO tags.

A sentence is a list of (word, allowed): 'allowed' is the set of tags that are
not wrong for the word, as numbers in TAGS.  One tag where the data says which
it is; several where it does not: sets without MISC, or in which only entities
of some types are marked, leave open what an unmarked word is.
"""
import re

from readers import files

TYPES = ["PER", "LOC", "ORG", "MISC"]
TAGS = ["O"] + [f"{place}-{name}" for name in TYPES for place in "BI"]
NUMBER = {tag: number for number, tag in enumerate(TAGS)}
ANY = frozenset(NUMBER.values())
OUTSIDE = frozenset([NUMBER["O"]])
OUTSIDE_OR_MISC = frozenset(NUMBER[tag] for tag in ("O", "B-MISC", "I-MISC"))

WNUT = {"person": "PER", "location": "LOC", "corporation": "ORG",
        "group": "ORG", "creative-work": "MISC", "product": "MISC"}

CROSSNER = dict.fromkeys("person politician musicalartist writer researcher "
                         "scientist".split(), "PER")
CROSSNER |= dict.fromkeys("location country".split(), "LOC")
CROSSNER |= dict.fromkeys("organisation politicalparty band university"
                          .split(), "ORG")
CROSSNER |= dict.fromkeys("misc event election album song award book poem "
                          "magazine theory discipline protein conference "
                          "academicjournal product programlang "
                          "astronomicalobject".split(), "MISC")

FEWNERD = {"person": "PER", "location": "LOC", "organization": "ORG",
           "building": "LOC", "art": "MISC", "event": "MISC",
           "product": "MISC", "other_award": "MISC", "other_law": "MISC",
           "other_language": "MISC", "other_god": "MISC"}


def sentences(path, word=0, tag=1):
    """Yields sentences of a file with a word a line as (words, tags)."""
    words, tags = [], []
    with files.text(path) as file:
        for line in file:
            line = line.rstrip("\r\n")
            if line.startswith("# ") and "\t" not in line:
                continue
            if not line.strip():
                if words:
                    yield words, tags
                words, tags = [], []
                continue
            columns = (line.split("\t") if "\t" in line
                       else line.rsplit(" ", 1))
            words.append(columns[word])
            tags.append(columns[tag].strip())
    if words:
        yield words, tags


def marked(words, tags, types, unmarked=OUTSIDE, unknown=OUTSIDE_OR_MISC):
    """Makes a sentence of tags in a data set's own types.

    types      our type by theirs
    unmarked   what words with the tag O may be
    unknown    what words of a type that is not in 'types' may be
    """
    sentence = []
    for word, tag in zip(words, tags):
        place, _, theirs = tag.partition("-")
        if place == "O":
            allowed = unmarked
        elif theirs in types:
            allowed = frozenset([NUMBER[f"{place}-{types[theirs]}"]])
        else:
            allowed = unknown
        sentence.append((word, allowed))
    return sentence


def uner(data, part):
    """Blogs, mail, reviews, answers; "train" has OTH, the others have not."""
    path = data / f"ner-uner-ewt/en_ewt-ud-{part}.iob2.gz"
    types = {"PER": "PER", "LOC": "LOC", "ORG": "ORG", "OTH": "MISC"}
    return [marked(words, tags, types, unknown=OUTSIDE)
            for words, tags in sentences(path, 1, 2)]


def crossner(data):
    """Wikipedia in five domains, all three parts of each."""
    return [marked(words, tags, CROSSNER)
            for path in sorted((data / "ner-crossner").glob("*.t*t*"))
            for words, tags in sentences(path)]


def wnut(data, part):
    """Tweets and comments; "train", "dev" or "test"."""
    name = {"train": "wnut17train.conll", "dev": "emerging.dev.conll",
            "test": "emerging.test.annotated"}[part]
    return [marked(words, [tag.split(",")[0].strip() for tag in tags], WNUT)
            for words, tags in sentences(data / "wnut17" / name)]


def wikigold(data):
    """Wikipedia: returns (training, held-out) sentences, split by article."""
    parts = [], []
    article = -1
    types = {name: name for name in TYPES}
    for words, tags in sentences(data / "wikigold/wikigold.conll.txt"):
        if words[0] == "-DOCSTART-":
            article += 1
            continue
        before = ["O"] + tags[:-1]
        tags = ["B" + tag[1:] if tag != "O" and tag != previous else tag
                for tag, previous in zip(tags, before)]
        held_out = files.part(f"wikigold {article}") < 25
        parts[held_out].append(marked(words, tags, types))
    return parts


def btc(data):
    """Tweets without MISC; mentions of users are tagged, and not learned."""
    rows = []
    types = {name: name for name in ("PER", "LOC", "ORG")}
    for path in sorted((data / "ner-btc").glob("*.conll*")):
        for words, tags in sentences(path):
            sentence = marked(words, tags, types)
            for i, (word, allowed) in enumerate(sentence):
                if word.startswith("@") or i and words[i - 1] == "@":
                    sentence[i] = (word, ANY)
                elif allowed == OUTSIDE and word[:1].isupper():
                    sentence[i] = (word, OUTSIDE_OR_MISC)
            rows.append(sentence)
    return rows


def fewnerd(data):
    """Wikipedia; each file marks entities of some types only.

    So an unmarked word that may be a name, and the words beside it, teach
    nothing.
    """
    rows = {}
    for path in sorted((data / "ner-fewnerd-partial").glob("*.gz")):
        for words, tags in sentences(path):
            types = {tag[2:]: FEWNERD.get(tag[2:].partition("_")[0])
                     or FEWNERD.get(tag[2:]) for tag in tags if tag != "O"}
            types = {theirs: ours for theirs, ours in types.items() if ours}
            sentence = marked(words, tags, types, unknown=ANY)
            name = [tag == "O" and i > 0 and bool(re.match("[^\\Wa-z_]", word))
                    for i, (word, tag) in enumerate(zip(words, tags))]
            for i, tag in enumerate(tags):
                if tag == "O" and any(name[max(0, i - 1):i + 2]):
                    sentence[i] = (words[i], ANY)
            rows.setdefault(" ".join(words), sentence)
    return list(rows.values())
