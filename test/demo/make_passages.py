#!/usr/bin/env python3
#-------------------------------------------------------------------------
#
# make_passages.py
#		Cuts the inaugural addresses of US presidents into the passages of the
#		demonstration.
#
# Reads inaugural.zip of the NLTK corpora (pinned by its sha256) and writes
# passages.csv with the columns id, president, year and passage.  The words
# are untouched; only white space is collapsed, and headings and remarks in
# brackets are left out.
#
# A passage is a run of whole sentences of one address, SHORT to LONG words.
# Where to cut is found by dynamic programming over the sentences: the sum of
# the costs of all passages is least, where a passage costs the square of its
# distance from IDEAL words, and more when it ends inside a paragraph, inside
# a sentence, or is out of bounds.  Sentences of more than LONG words, common
# in the nineteenth century, may be cut at a semicolon, a colon or a dash.
#
#	python make_passages.py inaugural.zip passages.csv
#
# Python's standard library is enough.
#
#-------------------------------------------------------------------------
import csv
import hashlib
import re
import sys
import zipfile

ZIP_SHA256 = \
    "7c5fb5793e31fbeae12bf1aa0ffda5336468f07cedb50654c6d31ca384e2046b"
SHORT, IDEAL, LONG = 60, 85, 110        # words

# One file is in Big5, for the sake of its quotation marks and dashes.
ENCODINGS = {"2005-Bush": "big5"}

PRESIDENTS = {
    "1797-Adams": "John Adams",
    "1825-Adams": "John Quincy Adams",
    "1989-Bush": "George H. W. Bush",
    "1841-Harrison": "William Henry Harrison",
    "1889-Harrison": "Benjamin Harrison",
    "1905-Roosevelt": "Theodore Roosevelt",
    "Biden": "Joseph R. Biden",
    "Buchanan": "James Buchanan",
    "Bush": "George W. Bush",
    "Carter": "Jimmy Carter",
    "Cleveland": "Grover Cleveland",
    "Clinton": "Bill Clinton",
    "Coolidge": "Calvin Coolidge",
    "Eisenhower": "Dwight D. Eisenhower",
    "Garfield": "James A. Garfield",
    "Grant": "Ulysses S. Grant",
    "Harding": "Warren G. Harding",
    "Hayes": "Rutherford B. Hayes",
    "Hoover": "Herbert Hoover",
    "Jackson": "Andrew Jackson",
    "Jefferson": "Thomas Jefferson",
    "Johnson": "Lyndon B. Johnson",
    "Kennedy": "John F. Kennedy",
    "Lincoln": "Abraham Lincoln",
    "Madison": "James Madison",
    "McKinley": "William McKinley",
    "Monroe": "James Monroe",
    "Nixon": "Richard Nixon",
    "Obama": "Barack Obama",
    "Pierce": "Franklin Pierce",
    "Polk": "James K. Polk",
    "Reagan": "Ronald Reagan",
    "Roosevelt": "Franklin D. Roosevelt",
    "Taft": "William Howard Taft",
    "Taylor": "Zachary Taylor",
    "Truman": "Harry S. Truman",
    "Trump": "Donald J. Trump",
    "VanBuren": "Martin Van Buren",
    "Washington": "George Washington",
    "Wilson": "Woodrow Wilson",
}

# What a cut costs after a unit of text, on the scale of squared words.
AFTER_PARAGRAPH, AFTER_SENTENCE, AFTER_CLAUSE = 0, 300, 1500
OUT_OF_BOUNDS = 100000                  # for each word too few or too many

SENTENCE_END = re.compile(
    r"""(?<=[.?!])(?<!\bMr\.)(?<!\bSt\.)(?<!\b[A-Z]\.)   # no abbreviation
        (["'”’)]*)\s+(?=["'“‘(]*[A-Z])""", re.X)
CLAUSE_END = re.compile(r"(?<=[;:])\s+|(?<=--)\s+|(?<=—)")


def split_after(pattern, text):
    """Cuts text after each match of the pattern and strips the parts."""
    ends = [m.end() for m in pattern.finditer(text)]
    bounds = zip([0] + ends, ends + [len(text)])
    return [text[a:b].strip() for a, b in bounds if text[a:b].strip()]


def units(address):
    """Yields the smallest parts as (text, words, cost of a cut after it)."""
    for paragraph in address.splitlines():
        paragraph = " ".join(paragraph.split())
        heading = (len(paragraph.split()) < 10
                   and not re.search(r"""[.,:;?!"'”’—-]$""", paragraph))
        if heading or re.fullmatch(r"\[.*\]", paragraph):
            continue
        sentences = split_after(SENTENCE_END, paragraph)
        for i, sentence in enumerate(sentences):
            last = AFTER_SENTENCE
            if i == len(sentences) - 1:
                last = AFTER_PARAGRAPH
            clauses = [sentence]
            if len(sentence.split()) > LONG:
                clauses = split_after(CLAUSE_END, sentence)
            for clause in clauses[:-1]:
                yield clause, len(clause.split()), AFTER_CLAUSE
            yield clauses[-1], len(clauses[-1].split()), last


def passages(address):
    """Returns the address as a list of passages, cut at the least cost."""
    parts = list(units(address))
    best = [(0, 0)]                     # best[j]: cost of parts[:j], start
    for j in range(1, len(parts) + 1):
        choices = []
        words = 0
        for i in range(j - 1, -1, -1):
            words += parts[i][1]
            out = max(SHORT - words, words - LONG, 0)
            cost = (best[i][0] + (words - IDEAL) ** 2 + parts[j - 1][2]
                    + out * OUT_OF_BOUNDS)
            choices.append((cost, i))
            if words > 3 * LONG:
                break
        best.append(min(choices))
    found = []
    j = len(parts)
    while j > 0:
        i = best[j][1]
        found.append(" ".join(p[0] for p in parts[i:j]))
        j = i
    return found[::-1]


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: make_passages.py INAUGURAL.ZIP PASSAGES.CSV")
    found = hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()
    if found != ZIP_SHA256:
        sys.exit(f'make_passages.py: "{sys.argv[1]}" has sha256 {found}, '
                 f"expected {ZIP_SHA256}")

    rows = []
    with zipfile.ZipFile(sys.argv[1]) as source:
        for name in sorted(source.namelist()):
            match = re.fullmatch(r"inaugural/((\d{4})-(\w+))\.txt", name)
            if not match:
                continue
            stem, year, family = match.groups()
            president = PRESIDENTS.get(stem) or PRESIDENTS[family]
            text = source.read(name).decode(ENCODINGS.get(stem, "utf-8"))
            rows += [(president, year, p) for p in passages(text)]

    with open(sys.argv[2], "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["id", "president", "year", "passage"])
        writer.writerows((i, *row) for i, row in enumerate(rows, 1))
    words = sorted(len(row[2].split()) for row in rows)
    within = sum(SHORT <= w <= LONG for w in words)
    print(f"{len(rows)} passages, {words[0]} to {words[-1]} words, "
          f"{within} of them {SHORT} to {LONG}")


if __name__ == "__main__":
    main()
