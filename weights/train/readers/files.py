"""Opening files, splitting by hash, comparing texts."""
import csv
import gzip
import hashlib
import io
import json
import re
import zipfile


def text(path):
    """Opens a text file, compressed or not, UTF-8 with or without BOM."""
    if str(path).endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return open(path, encoding="utf-8-sig")


def json_lines(path):
    """Yields the objects of a file of JSON lines."""
    with text(path) as file:
        for line in file:
            yield json.loads(line)


def tsv(path, header=True):
    """Yields the rows of a file of values parted by tabs, without quotes."""
    with text(path) as file:
        for number, line in enumerate(file):
            if number or not header:
                yield line.rstrip("\r\n").split("\t")


def table(path):
    """Yields the rows of a CSV file with a header as dictionaries."""
    with text(path) as file:
        yield from csv.DictReader(file)


def members(path, encoding="utf-8"):
    """Yields names and texts of the files in a zip archive."""
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith("/") and not name.startswith("__MACOSX"):
                yield name, archive.read(name).decode(encoding,
                                                      errors="replace")


def zipped_table(path):
    """Yields the rows of the one CSV file in a zip archive."""
    for _, content in members(path):
        yield from csv.DictReader(io.StringIO(content))


def part(key):
    """Returns a number from 0 to 99 that is always the same for a key."""
    return int(hashlib.sha1(key.encode()).hexdigest(), 16) % 100


def words(sentence):
    """Returns a text's words, small letters, without punctuation."""
    return re.findall(r"[a-z0-9]+", sentence.lower())


class Near:
    """Finds texts that have most of their words in common with given ones.

    'share' is the least Jaccard index of the two sets of words.  A text that
    reaches it shares one of the rarest of its words, so only these are looked
    up.
    """

    def __init__(self, texts, share=0.7):
        self.sets = [frozenset(words(t)) for t in texts]
        self.share = share
        self.index = {}
        for number, found in enumerate(self.sets):
            for word in found:
                self.index.setdefault(word, []).append(number)

    def __contains__(self, sentence):
        own = frozenset(words(sentence))
        rarest = sorted(own, key=lambda word: len(self.index.get(word, ())))
        near = {number
                for word in rarest[:int((1 - self.share) * len(own)) + 1]
                for number in self.index.get(word, ())}
        return any(len(own & self.sets[number])
                   >= self.share * len(own | self.sets[number])
                   for number in near)


class Ngrams:
    """Finds texts that share a run of words with given ones."""

    def __init__(self, texts=(), length=13):
        self.length = length
        self.seen = set()
        self.add(texts)

    def runs(self, sentence):
        """Returns the hashes of a text's runs of words; a shorter text is
        one run."""
        found = words(sentence)
        count = max(1, len(found) - self.length + 1)
        return {hash(tuple(found[i:i + self.length])) for i in range(count)}

    def add(self, texts):
        """Adds texts to those that are looked for."""
        for sentence in texts:
            self.seen |= self.runs(sentence)

    def __contains__(self, sentence):
        return not self.seen.isdisjoint(self.runs(sentence))
