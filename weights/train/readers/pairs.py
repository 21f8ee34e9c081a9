"""Premise, hypothesis and what the one says of the other; texts with labels.

A pair's third member is the set of classes that are not wrong for it: one,
or neutral and contradiction where a set tells only entailment from the rest.

A fifth of MultiNLI's matched development set, dbpedia-topics and SNIPS are
for evaluation only.
"""
import csv
import json
import re

from readers import entities, files, opinions

LABELS = ["entailment", "neutral", "contradiction"]
ENTAILMENT, NEUTRAL, CONTRADICTION = range(3)
NOT_ENTAILED = (NEUTRAL, CONTRADICTION)
HELD_OUT = 20                   # percent of MultiNLI's development premises

DBPEDIA = ["company", "educational institution", "artist", "athlete",
           "office holder", "mean of transportation", "building",
           "natural place", "village", "animal", "plant", "album", "film",
           "written work"]

STACK_OVERFLOW = ["wordpress", "oracle", "svn", "apache", "excel", "matlab",
                  "visual studio", "cocoa", "os x", "bash", "spark",
                  "hibernate", "scala", "sharepoint", "ajax", "qt", "drupal",
                  "linq", "haskell", "magento"]

OPENSTAX = {"anatomy": "anatomy", "biology": "biology",
            "economics": "economics", "psychology": "psychology",
            "sociology": "sociology", "us-history": "american history"}

# What a sentence of Few-NERD is about, by the type of the name it opens with.
FEWNERD = {
    "person_athlete": "an athlete", "person_politician": "a politician",
    "person_actor": "an actor", "person_artist/author": "an artist",
    "person_soldier": "a soldier", "person_director": "a film director",
    "organization_company": "a company",
    "organization_education": "a school or university",
    "organization_sportsteam": "a sports team",
    "organization_politicalparty": "a political party",
    "organization_media/newspaper": "a newspaper or broadcaster",
    "organization_government/governmentagency": "a government agency",
    "location_bodiesofwater": "a river or lake",
    "location_mountain": "a mountain", "location_island": "an island",
    "location_road/railway/highway/transit": "a road or railway",
    "building_airport": "an airport", "building_hospital": "a hospital",
    "building_hotel": "a hotel", "building_theater": "a theatre",
    "building_sportsfacility": "a stadium",
    "art_film": "a film", "art_music": "music", "art_writtenart": "a book",
    "art_broadcastprogram": "a television programme",
    "event_sportsevent": "a sports event",
    "event_election": "an election",
    "event_attack/battle/war/militaryconflict": "a battle or war",
    "product_car": "a car", "product_airplane": "an aircraft",
    "product_ship": "a ship", "product_software": "software",
    "product_weapon": "a weapon", "other_livingthing": "an animal or plant",
}


def _class(label):
    return (LABELS.index(label),)


def mnli_train(data):
    """MultiNLI: ten thousand pairs of its training set."""
    pattern = re.compile('For the statement, "(.*)", does the hypothesis '
                         '"(.*)" represent', re.DOTALL)
    rows = set()
    with files.text(data / "nli-mnli/mnli-10k-train.csv.gz") as file:
        for row in csv.DictReader(file):
            premise, hypothesis = pattern.match(row["Question"]).groups()
            if row["Answer"] in LABELS:
                rows.add((premise.strip(), hypothesis.strip(),
                          _class(row["Answer"])))
    return sorted(rows)


def mnli_dev(data):
    """MultiNLI's matched development set as (training, held-out) pairs."""
    parts = [], []
    for row in files.json_lines(data / "nli-mnli/mnli-dev-matched.jsonl.gz"):
        premise = row["premise"].strip()
        held_out = files.part("mnli " + premise) < HELD_OUT
        parts[held_out].append((premise, row["hypothesis"].strip(),
                                _class(row["label"])))
    return parts


def snli(data):
    """SNLI: 20,000 pairs of its training set and its development set."""
    folder = data / "nli-snli"
    classes = {"1": (NEUTRAL,), "2": (CONTRADICTION,), "3": (ENTAILMENT,)}
    rows = []
    for name in ("snli-18k-train.tsv.gz", "snli-2k-test.tsv"):
        rows += [(row[2], row[3], classes[row[0]])
                 for row in files.tsv(folder / name, False)
                 if len(row) >= 4 and row[0] in classes]
    rows += [(row["premise"], row["hypothesis"], _class(row["label"]))
             for row in files.json_lines(folder / "snli-dev.jsonl.gz")
             if row["label"] in LABELS]
    return rows


def cad(data):
    """SNLI pairs that people changed as little as the label allows."""
    return [(row[0], row[1], _class(row[2]))
            for row in files.tsv(data / "nli-cad-snli/train.tsv.gz")]


def wiki(data):
    """Pairs of Wikipedia; found ones tell entailment from the rest only."""
    rows = []
    letters = {"e": (ENTAILMENT,), "n": (NEUTRAL,), "c": (CONTRADICTION,)}
    for path in sorted((data / "nli-semi-automatic-wiki").glob("*.train.*")):
        for row in files.json_lines(path):
            classes = letters[row["label"]]
            if not path.name.startswith("base") and classes != (ENTAILMENT,):
                classes = NOT_ENTAILED
            rows.append((row["premise"], row["hypothesis"], classes))
    return rows


# Sets of (text, label) to make pairs with sentences on labels of.

def clinc(data):
    """Requests to an assistant, 150 intents."""
    with files.text(data / "clinc150/data_full.json.gz") as file:
        rows = json.load(file)["train"]
    return [(text, label.replace("_", " ")) for text, label in rows]


def home(data):
    """Requests to an assistant at home, 64 intents."""
    rows = set()
    for path in sorted((data / "nlu-home").glob("*.csv.gz")):
        with files.text(path) as file:
            for row in csv.reader(file):
                label = re.sub("^(iot_hue_|iot_|general_)", "", row[1])
                label = label.replace("light", "light ").replace("_", " ")
                rows.add((row[0], label.strip()))
    return sorted(rows)


def stack_overflow(data):
    """Titles of questions on 20 techniques."""
    path = data / "stackoverflow-titles/train.tsv.gz"
    return [(row[0], STACK_OVERFLOW[int(row[1]) - 1])
            for row in files.tsv(path) if len(row) == 2]


def clothes(data):
    """Reviews of clothes by department."""
    path = data / "reviews-clothing/clothing-reviews.csv.zip"
    return [(row["Review Text"], row["Department Name"].lower())
            for row in files.zipped_table(path)
            if row["Review Text"] and row["Department Name"]]


def textbooks(data):
    """Paragraphs of six textbooks by subject."""
    rows = []
    for name, subject in OPENSTAX.items():
        with files.text(data / f"text-openstax/{name}.txt.gz") as file:
            rows += [(line.strip(), subject) for line in file
                     if len(line) > 200 and "." in line]
    return rows


def articles(data):
    """Paragraphs of Wikipedia by the title of their article."""
    return [(paragraph["context"],
             re.sub(r"_?\(.*\)", "", paragraph["title"]).replace("_", " "))
            for path in sorted((data / "squad-train").glob("train-*"))
            for paragraph in files.json_lines(path)]


def kinds(data):
    """Sentences of Wikipedia by the kind of thing they open with."""
    rows = set()
    for path in sorted((data / "ner-fewnerd-partial").glob("*.gz")):
        for words, tags in entities.sentences(path):
            first = next((i for i, tag in enumerate(tags) if tag != "O"), 9)
            if first <= 1 and tags[first][2:] in FEWNERD:
                rows.add((" ".join(words), FEWNERD[tags[first][2:]]))
    return sorted(rows)


def emotions(data):
    """Comments by their one emotion."""
    folder = data / "goemotions"
    names = (folder / "labels.txt").read_text().split()
    return [(row[0].replace("[NAME]", "Sam"), names[int(row[1])])
            for row in files.tsv(folder / "train.tsv.gz", False)
            if "," not in row[1] and names[int(row[1])] != "neutral"]


def reviews(data):
    """Sentences of reviews of products by what they say of them."""
    names = {opinions.POSITIVE: "positive", opinions.NEGATIVE: "negative"}
    return [(text, names[label]) for text, label
            in opinions.products(data) + opinions.pros_and_cons(data)]


def dbpedia(data):
    """Short descriptions of things of 14 kinds, for evaluation."""
    return [(row[0], DBPEDIA[int(row[1]) - 1])
            for row in files.tsv(data / "dbpedia-topics/test.tsv")]


def snips(data):
    """Requests to an assistant of 7 kinds, for evaluation."""
    return [(row[0], re.sub("(?<=[a-z])(?=[A-Z])", " ", row[1]).lower())
            for row in files.tsv(data / "snips/test.tsv")]
