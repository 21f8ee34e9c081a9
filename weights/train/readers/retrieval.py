"""Queries, passages and which of them belong together."""
import re
import xml.etree.ElementTree as ElementTree

from readers import files, questions


def with_negatives(data, count, rng):
    """Returns (question, passage, 1 or 0) of SQuAD and Natural Questions.

    For each question its own paragraph and one that does not answer it: of
    the same article in SQuAD, of the paragraphs of other questions, the one
    of a few with most words in common, in Natural Questions.
    """
    articles = questions.squad(data)
    asked = rng.sample(questions.answered(articles), count)
    rows = [(q.question, q.context, 1) for q in asked]
    rows += [(q.question, q.context, 0)
             for q in questions.unanswered(articles, count, rng,
                                           [questions.elsewhere])]
    natural = questions.natural(data, "train")
    for q in natural:
        words = set(files.words(q.question))
        other = max((p for p in rng.sample(natural, 200)
                     if p.context != q.context),
                    key=lambda p: len(words & set(files.words(p.context))))
        rows += [(q.question, q.context, 1), (q.question, other.context, 0)]
    return rows


def natural_dev(data):
    """QED's development set: (queries, passages, relevant), where relevant
    are the numbers of a query's passages."""
    asked = questions.natural(data, "dev")
    passages = sorted({q.context for q in asked})
    number = {passage: i for i, passage in enumerate(passages)}
    return ([q.question for q in asked], passages,
            [{number[q.context]} for q in asked])


def cranfield(data):
    """Cranfield, as natural_dev; judgements count queries by position."""
    folder = data / "cranfield"
    text = (folder / "cran.all.1400.xml").read_text(encoding="utf-8")
    root = ElementTree.fromstring(
        "<all>" + re.sub(r"<\?xml.*?\?>", "", text) + "</all>")
    numbers, passages = [], []
    for doc in root.iter("doc"):
        numbers.append(doc.findtext("docno").strip())
        passages.append(" ".join((doc.findtext("text") or "").split()))
    queries = [" ".join(top.findtext("title").split()) for top
               in ElementTree.parse(folder / "cran.qry.xml").iter("top")]
    relevant = [set() for _ in queries]
    for line in (folder / "cranqrel.trec.txt").read_text().splitlines():
        query, _, document, grade = line.split()
        if int(grade) > 0:
            relevant[int(query) - 1].add(numbers.index(document))
    return queries, passages, relevant


def thinned(text, share, rng):
    """Returns a text with about a share of its words left out."""
    words = text.split()
    kept = [word for word in words if rng.random() >= share]
    return " ".join(kept) if kept else text
