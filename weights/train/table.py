"""Writes the figures of the shipped models into README.md and RESULTS.md.

    python table.py [--milliseconds FILE]

In README.md's table of models the cells "quality" and "MB", in RESULTS.md's the
cells "reached": from figures.tsv and the size of each directory in weights/.
FILE has the milliseconds a text, "model number" a line, which
test/quality/speed.sql prints.  test/t/package.pl looks that README has
figures.tsv's numbers.
"""
import argparse
import re
from pathlib import Path

WEIGHTS = Path(__file__).resolve().parent.parent
QUALITY = {
    "language": "words of Wikipedia masked: first guess {masked top 1} %, "
                "among five {masked top 5} %; next sentence "
                "{next sentence accuracy} %",
    "qa": "SQuAD v1.1 F1 {squad1 f1}, EM {squad1 exact}; v2.0 with no answer "
          "F1 {squad2 f1}",
    "ner": "F1 of UNER {uner f1} (PER {uner PER f1}, LOC {uner LOC f1}, ORG "
           "{uner ORG f1}), wikigold {wikigold f1}, WNUT-17 {wnut f1}",
    "sentiment": "SST-2 {sst2 accuracy} %, UCI Amazon {amazon accuracy} %, "
                 "IMDb {imdb accuracy} %",
    "nli": "MultiNLI {mnli accuracy} %; labels of one's own: DBpedia's 14 "
           "topics {dbpedia accuracy} %, SNIPS' 7 intents {snips accuracy} %",
}


def figures(model):
    """Returns the measures of a model: name to percent."""
    lines = (WEIGHTS / model / "figures.tsv").read_text().splitlines()
    return {name: float(value) for name, _, value
            in (line.split("\t") for line in lines)}


def quality(model):
    """Returns what README says of a model's quality."""
    own = figures(model)
    return re.sub(r"\{([^}]+)\}", lambda m: f"{own[m[1]]:.1f}", QUALITY[model])


def size(model):
    """Returns the MB of a model's directory."""
    return sum(path.stat().st_size for path
               in (WEIGHTS / model).rglob("*") if path.is_file()) / 1e6


def readme(text, milliseconds):
    def row(match):
        cells = match[0].split(" | ")
        model = match[1]
        if len(cells) != 5 or not (WEIGHTS / model).is_dir():
            return match[0]
        if model in QUALITY:
            cells[2] = quality(model)
        cells[3] = f"{size(model):.1f}"
        if model in milliseconds:
            cells[4] = f"{milliseconds[model]} |"
        return " | ".join(cells)

    return re.sub(r"^\| `(\w+)` \| .*$", row, text, flags=re.M)


def results(text):
    """Rows "| model | measure of figures.tsv | aim | reached | reason |"."""
    def row(match):
        cells = match[0].split(" | ")
        if len(cells) == 5 and (WEIGHTS / match[1] / "figures.tsv").exists():
            own = figures(match[1])
            if cells[1] in own:
                cells[3] = f"{own[cells[1]]:.1f}"
        return " | ".join(cells)

    return re.sub(r"^\| `(\w+)` \| .*$", row, text, flags=re.M)


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--milliseconds", type=Path)
    args = p.parse_args()
    milliseconds = {}
    if args.milliseconds:
        milliseconds = dict(line.split() for line in
                            args.milliseconds.read_text().splitlines())
    path = WEIGHTS.parent / "README.md"
    path.write_text(readme(path.read_text(), milliseconds))
    path = WEIGHTS / "train" / "RESULTS.md"
    path.write_text(results(path.read_text()))


if __name__ == "__main__":
    main()
