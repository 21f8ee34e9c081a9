"""Plain English as documents: lists of paragraphs."""
import csv
import io
import re
import tarfile

from readers import files, questions

SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[A-Z\"'(\[])")


def sentences(paragraph):
    """Splits a paragraph into its sentences; leaves out very short ones."""
    return [s.strip() for s in SENTENCE.split(paragraph)
            if len(s.strip()) > 15]


def wikipedia(data):
    """The articles of SQuAD v1.1 train."""
    return [[paragraph["context"] for paragraph in article]
            for article in questions.squad(data)]


def natural(data):
    """Single paragraphs of Wikipedia on which people asked questions."""
    return [[q.context] for q in questions.natural(data, "train")]


def textbooks(data):
    """Sections of six textbooks."""
    documents = []
    for path in sorted((data / "text-openstax").glob("*.txt.gz")):
        with files.text(path) as file:
            for section in file.read().split("\f"):
                lines = [line.strip() for line in section.splitlines()]
                documents.append([line for line in lines if "." in line
                                  and len(line) > 80
                                  and not re.match(r"[\[:*^]", line)])
    return documents


def factbook(data):
    """Paragraphs on countries."""
    path = data / "text-factbook/factbook-prose.txt.gz"
    with files.text(path) as file:
        return [[line.strip()] for line in file if line.strip()]


def fairy_tales(data):
    """Stories for children."""
    documents = []
    path = data / "fairytaleqa/fairytaleqa.tar.gz"
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            if (member.name.startswith("section-stories/train/")
                    and member.name.endswith(".csv")):
                content = archive.extractfile(member).read().decode("utf-8")
                documents.append([" ".join(row["text"].split()) for row
                                  in csv.DictReader(io.StringIO(content))])
    return documents


def speeches(data):
    """Addresses of presidents; files that are not UTF-8 are left out."""
    documents = []
    for name in ("inaugural", "state_union"):
        for path, content in files.members(data / f"prose/{name}.zip"):
            if (path.endswith(".txt") and "README" not in path
                    and "\ufffd" not in content):
                documents.append([" ".join(part.split()) for part
                                  in re.split(r"\n\s*\n", content)])
    return documents


def held_out_wikipedia(data):
    """The articles of SQuAD 2.0's development set, for evaluation."""
    articles = {}
    for paragraph in files.json_lines(data / "squad2-dev/dev-v2.0.jsonl.gz"):
        articles.setdefault(paragraph["title"], []).append(
            paragraph["context"])
    return list(articles.values())
