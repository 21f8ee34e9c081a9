#!/usr/bin/env python3
"""Makes flags.jsonl.gz: what becomes of a token's flags when files disagree.

    pip install transformers==4.57.6 tokenizers==0.22.2
    python flags.py

Every line is a case: a token, the files of a tokenizer in which "@A": 0 and
"@B": 0 stand for the five flags that one file and another give it, texts, and
for each of the 32 (or 32 x 32) combinations, flags of A first, the number of
its result: whether the token is special, and the tokens of each text with
their offsets, as they are and with special tokens split.
"""

import gzip
import json
import os
import shutil
import tempfile

from transformers import MobileBertTokenizerFast, PreTrainedTokenizerFast

FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
NAMED = "[MASK]"
OTHER = "<E>"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", NAMED, "a", "b", "ab", "##a",
              "##b", "[", "]", "mask", OTHER, "<", ">"]
CONFIG = {"tokenizer_class": "MobileBertTokenizer", "do_lower_case": True,
          "strip_accents": None, "tokenize_chinese_chars": True}
CONFIG.update({name + "_token": "[%s]" % name.upper()
               for name in ("unk", "sep", "pad", "cls", "mask")})


def identity(token):
    return VOCABULARY.index(token)


def varied(token, which, **more):
    return {**more, "content": token, "@" + which: 0}


def plain(token, **more):
    return {**more, "content": token, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": True}


def tokenizer_json(token=None):
    """With one token's flags varied, or with the five plain ones only."""
    added = [plain(t, id=i) for i, t in enumerate(VOCABULARY[:5])]
    if token is not None:
        added = [t for t in added if t["content"] != token]
        added.append(varied(token, "A", id=identity(token)))
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": sorted(added, key=lambda t: t["id"]),
        "normalizer": {"type": "BertNormalizer", "clean_text": True,
                       "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3],
                           "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]",
                  "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {t: i for i, t in enumerate(VOCABULARY)}}}


def decoder(token=None, which=None, without=None):
    tokens = {str(i): plain(t) for i, t in enumerate(VOCABULARY[:5])
              if t != without}
    if token is not None:
        tokens[str(identity(token))] = varied(token, which)
    return {"added_tokens_decoder": tokens}


def object_of(token, which):
    return varied(token, which, __type="AddedToken")


def named(which):
    return {"mask_token": object_of(NAMED, which)}


def further(which, key="additional_special_tokens"):
    return {key: [object_of(OTHER, which)]}


def case(name, token, *config, json_token=None, json_file=True, **files):
    content = {"tokenizer_config.json": dict(CONFIG)}
    for part in config:
        content["tokenizer_config.json"].update(part)
    if json_file:
        content["tokenizer.json"] = tokenizer_json(json_token)
    else:
        content["vocab.txt"] = "".join(t + "\n" for t in VOCABULARY)
    content.update({key + ".json": value for key, value in files.items()})
    return {"case": name, "token": token, "files": {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in content.items()}}


def cases():
    for token in (NAMED, OTHER):
        yield case("json x decoder", token, decoder(token, "B"),
                   json_token=token)
        yield case("json", token, json_token=token)
        yield case("vocab, decoder", token, decoder(token, "A"),
                   json_file=False)
    yield case("generic class, json x decoder", NAMED, decoder(NAMED, "B"),
               {"tokenizer_class": "PreTrainedTokenizerFast"},
               json_token=NAMED)
    yield case("json x named", NAMED, named("B"), json_token=NAMED)
    yield case("json x named in map", NAMED, json_token=NAMED,
               special_tokens_map={"mask_token": varied(NAMED, "B")})
    yield case("decoder x named", NAMED, decoder(NAMED, "A"), named("B"))
    yield case("vocab, decoder x named", NAMED, decoder(NAMED, "A"),
               named("B"), json_file=False)
    yield case("vocab, named", NAMED, named("A"), json_file=False)
    yield case("vocab, named in map", NAMED, json_file=False,
               special_tokens_map={"mask_token": varied(NAMED, "A")})
    yield case("json, decoder without it", NAMED, decoder(without=NAMED),
               json_token=NAMED)
    yield case("json x named, decoder without it", NAMED,
               decoder(without=NAMED), named("B"), json_token=NAMED)
    yield case("json x additional", OTHER, further("B"), json_token=OTHER)
    yield case("json x additional in map", OTHER, json_token=OTHER,
               special_tokens_map={
                   "additional_special_tokens": [varied(OTHER, "B")]})
    yield case("decoder x additional", OTHER, decoder(OTHER, "A"),
               further("B"))
    yield case("additional x the same in map", OTHER, further("A"),
               special_tokens_map={
                   "additional_special_tokens": [varied(OTHER, "B")]})
    yield case("json x extra", OTHER,
               {"extra_special_tokens": {"e": object_of(OTHER, "B")}},
               json_token=OTHER)
    for name, config in (("", ()), (", decoder without it", (decoder(),))):
        yield case("json, additional text" + name, OTHER, *config,
                   {"additional_special_tokens": [OTHER]}, json_token=OTHER)
    yield case("decoder, additional text", OTHER, decoder(OTHER, "A"),
               {"additional_special_tokens": [OTHER]})
    yield case("vocab, additional", OTHER, further("A"), json_file=False)
    yield case("json, added_tokens.json", OTHER, json_token=OTHER,
               added_tokens={OTHER: identity(OTHER)})


def texts(token):
    return ["a%sb" % token, "a %s b" % token, " %s " % token.lower(),
            token + token, "a%s b" % token, "a %sb" % token]


def result(directory, token):
    with open(directory + "/tokenizer_config.json") as file:
        generic = json.load(file)["tokenizer_class"] != "MobileBertTokenizer"
    of = PreTrainedTokenizerFast if generic else MobileBertTokenizerFast
    library = of.from_pretrained(directory).backend_tokenizer
    number = library.token_to_id(token)
    found = []
    for split in (False, True):
        library.encode_special_tokens = split
        for text in texts(token):
            encoding = library.encode(text, add_special_tokens=False)
            found.append(" ".join(
                "%d:%d-%d" % (i, *o)
                for i, o in zip(encoding.ids, encoding.offsets)))
    return {"special": library.decode([number],
                                      skip_special_tokens=True) == "",
            "found": found}


def flags_text(bits):
    return json.dumps({f: bool(bits >> i & 1)
                       for i, f in enumerate(FLAGS)})[1:-1]


def run(record):
    both = any('"@B"' in text for text in record["files"].values())
    results = []
    combinations = []
    for a in range(32):
        for b in range(32 if both else 1):
            directory = tempfile.mkdtemp()
            for name, text in record["files"].items():
                with open(os.path.join(directory, name), "w") as file:
                    file.write(text.replace('"@A": 0', flags_text(a))
                               .replace('"@B": 0', flags_text(b)))
            one = result(directory, record["token"])
            shutil.rmtree(directory)
            if one not in results:
                results.append(one)
            combinations.append(results.index(one))
    return {**record, "texts": texts(record["token"]), "results": results,
            "combinations": combinations}


if __name__ == "__main__":
    lines = "".join(json.dumps(run(record)) + "\n" for record in cases())
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "flags.jsonl.gz")
    with open(target, "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9,
                           fileobj=file, mtime=0) as packed:
            packed.write(lines.encode())
