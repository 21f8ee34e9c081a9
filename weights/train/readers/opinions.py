"""Texts with a sentiment: 0 negative, 1 neutral, 2 positive.

SST-2 and both parts of UCI are for evaluation only.  Sentences of SST-2's
development set are taken out of what is trained on: 731 of its 872 are in
sentence-polarity, 270 in subjectivity.
"""
import re

from readers import files

NEGATIVE, NEUTRAL, POSITIVE = range(3)

GOEMOTIONS = {
    POSITIVE: "admiration amusement approval caring desire excitement "
              "gratitude joy love optimism pride relief",
    NEUTRAL: "neutral",
    NEGATIVE: "anger annoyance disappointment disapproval disgust "
              "embarrassment fear grief nervousness remorse sadness",
}
MASKED = {"[NAME]": "Sam", "[RELIGION]": "Catholic"}


def sst2(data):
    """SST-2's development set."""
    return [(row[0].strip(), POSITIVE if row[1] == "1" else NEGATIVE)
            for row in files.tsv(data / "sst2/dev.tsv")]


def uci(data, domain):
    """Sentences on products ("amazon") or films ("imdb")."""
    path = data / f"sentiment-uci/{domain}_labelled.txt"
    return [(row[0].strip(), POSITIVE if row[1] == "1" else NEGATIVE)
            for row in files.tsv(path, header=False) if len(row) == 2]


def polarity(data):
    """Film reviews' sentences."""
    path = data / "sentence-polarity/sentence_polarity.zip"
    rows = []
    for name, content in files.members(path):
        if name.endswith((".pos", ".neg")):
            label = POSITIVE if name.endswith(".pos") else NEGATIVE
            rows += [(line.strip(), label) for line in content.splitlines()
                     if line.strip()]
    return rows


def plots(data):
    """Summaries of films' plots, which judge nothing: neutral."""
    path = data / "nltk-subjectivity/subjectivity.zip"
    return [(line.strip(), NEUTRAL)
            for name, content in files.members(path, "latin-1")
            if "/plot" in name
            for line in content.splitlines() if line.strip()]


def products(data):
    """Sentences of reviews of products, with the sign of their marks."""
    rows = []
    for path in sorted(data.glob("nltk-product-reviews-*/*.zip")):
        for name, content in files.members(path, "latin-1"):
            if "README" in name:
                continue
            for line in content.splitlines():
                marks, _, sentence = line.partition("##")
                signs = set(re.findall(r"\[([+-])\d?\]", marks))
                if len(signs) == 1 and sentence.strip():
                    rows.append((sentence.strip(),
                                 POSITIVE if signs == {"+"} else NEGATIVE))
    return rows


def pros_and_cons(data):
    """Short lists of what is good and bad; one word alone says too little."""
    rows = []
    path = data / "nltk-pros-cons/pros_cons.zip"
    for name, content in files.members(path, "latin-1"):
        if "README" in name:
            continue
        label = POSITIVE if "Pros" in name else NEGATIVE
        rows += [(entry, label) for entry
                 in re.findall(r"<(?:Pros|Cons)>(.*?)</", content)
                 if len(entry.split()) > 3]
    return rows


def clothing(data):
    """Reviews of clothes: one or two stars, three, five."""
    labels = {"1": NEGATIVE, "2": NEGATIVE, "3": NEUTRAL, "5": POSITIVE}
    path = data / "reviews-clothing/clothing-reviews.csv.zip"
    rows = []
    for row in files.zipped_table(path):
        if row["Rating"] in labels and row["Review Text"]:
            title = row["Title"] + ". " if row["Title"] else ""
            rows.append((title + row["Review Text"], labels[row["Rating"]]))
    return rows


def goemotions(data):
    """Comments whose emotions all belong to one group."""
    folder = data / "goemotions"
    names = (folder / "labels.txt").read_text().split()
    groups = {names.index(name): group
              for group, listed in GOEMOTIONS.items()
              for name in listed.split()}
    rows = []
    for comment, numbers, _ in files.tsv(folder / "train.tsv.gz", False):
        found = {groups.get(int(n)) for n in numbers.split(",")}
        if len(found) == 1 and None not in found:
            for mask, word in MASKED.items():
                comment = comment.replace(mask, word)
            rows.append((comment, found.pop()))
    return rows
