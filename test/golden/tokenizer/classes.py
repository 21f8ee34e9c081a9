#!/usr/bin/env python3
"""Makes classes.jsonl.gz: what a class of tokenizers adds to a model's files.

    pip install transformers==4.57.6 tokenizers==0.22.2 protobuf
    python classes.py

Every line is a case: a model_type, the files of a tokenizer, the class that
config.json names or that follows from the type, texts, and the tokens that
AutoTokenizer makes of each text alone and before "b a": ids, offsets, types,
in the form id:start-end:type (types 0 where the model gets none).
"""

import gzip
import itertools
import json
import os
import shutil
import tempfile

from transformers import AutoTokenizer

PREFIXES = {"bert": "Bert", "mobilebert": "MobileBert",
            "distilbert": "DistilBert", "electra": "Electra",
            "mpnet": "MPNet"}
VOCABULARY = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "[PAD]", "[CLS]",
              "[SEP]", "[MASK]", "a", "b", "ab", "##a", "##b", "mask", "s",
              "pad", "unk", "cls", "é", "A", "北", "##é", "e", "##e",
              "<mask>"]
TEXTS = ["a b", "Ab É a", "a北b", "x <mask> b", "x <MASK>b [MASK]  a",
         "<s>a</s> <S>a</S>", "<pad><unk>[UNK]", "[CLS] a [SEP]", "é E"]
SECOND = "b a"
MPNET_TOKENS = ("<s>", "<pad>", "</s>", "<mask>", "[UNK]")
BERT_TOKENS = ("[CLS]", "[PAD]", "[SEP]", "[MASK]", "[UNK]")


def token(text, mpnet=False):
    return {"content": text, "single_word": False, "lstrip": text == "<mask>",
            "rstrip": False, "normalized": mpnet, "special": True}


def normalizer(lower=True, strip=None, chinese=True):
    return {"type": "BertNormalizer", "clean_text": True,
            "handle_chinese_chars": chinese, "strip_accents": strip,
            "lowercase": lower}


def special(text, type_id):
    return {"SpecialToken": {"id": text, "type_id": type_id}}


def template(cls, sep, double):
    single = [special(cls, 0), {"Sequence": {"id": "A", "type_id": 0}},
              special(sep, 0)]
    pair = single + [special(sep, 0)] * double + [
        {"Sequence": {"id": "B", "type_id": 1}}, special(sep, 1)]
    return {"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {
                t: {"id": t, "ids": [VOCABULARY.index(t)], "tokens": [t]}
                for t in (cls, sep)}}


def tokenizer_json(mpnet, normal=None, processor=None, added=True):
    tokens = MPNET_TOKENS if mpnet else BERT_TOKENS
    listed = [{"id": VOCABULARY.index(t), **token(t, mpnet)} for t in tokens]
    cls, sep = (tokens[0], tokens[2])
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": sorted(listed, key=lambda t: t["id"]) if added else [],
        "normalizer": normal or normalizer(),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": processor or template(cls, sep, mpnet),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]",
                  "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {t: i for i, t in enumerate(VOCABULARY)}}}


def case(name, model_type, config=None, tokenizer_class=None, **content):
    files = {}
    if "json" in content:
        files["tokenizer.json"] = json.dumps(content["json"])
    else:
        files["vocab.txt"] = "".join(t + "\n" for t in VOCABULARY)
    if config is not None:
        files["tokenizer_config.json"] = json.dumps(config)
    return {"case": name, "model_type": model_type, "files": files,
            "in_config": tokenizer_class,
            "class": tokenizer_class or PREFIXES[model_type] + "Tokenizer"}


def cases_of(model_type):
    mpnet = model_type == "mpnet"
    plain = tokenizer_json(mpnet)
    generic = {"tokenizer_class": "PreTrainedTokenizerFast"}

    yield case("vocab.txt alone", model_type)
    yield case("tokenizer.json alone", model_type, json=plain)
    for lower, strip, chinese in itertools.product(
            (True, False), (None, True, False), (True, False)):
        switches = {"do_lower_case": lower, "strip_accents": strip,
                    "tokenize_chinese_chars": chinese}
        normal = normalizer(lower, strip, chinese)
        varied = tokenizer_json(mpnet, normal)
        yield case("silent configuration", model_type, {}, json=varied)
        yield case("generic class", model_type, generic, json=varied)
        yield case("vocab.txt, switches", model_type, switches)
        yield case("tokenizer.json, switches", model_type, switches,
                   json=plain)
        yield case("Sequence", model_type,
                   {"do_lower_case": False, "strip_accents": True},
                   json=tokenizer_json(mpnet, {
                       "type": "Sequence",
                       "normalizers": [{"type": "Lowercase"}, normal]}))
    for name in ("BertTokenizer", "MPNetTokenizer", "DistilBertTokenizerFast"):
        config = {"tokenizer_class": name}
        for other in (False, True):
            yield case("class " + name, model_type, config,
                       json=tokenizer_json(other))
        yield case("class %s, vocab.txt" % name, model_type, config)
        yield case("class %s in config.json" % name, model_type, None, name,
                   json=plain)
    yield case("generic class in config.json", model_type, None,
               "PreTrainedTokenizerFast",
               json=tokenizer_json(mpnet, normalizer(False)))
    for names in (["input_ids"], ["input_ids", "token_type_ids"]):
        yield case("inputs " + names[-1], model_type,
                   {"model_input_names": names}, json=plain)
    tokens = MPNET_TOKENS if mpnet else BERT_TOKENS
    yield case("RobertaProcessing", model_type, {}, json=tokenizer_json(
        mpnet, processor={
            "type": "RobertaProcessing", "trim_offsets": False,
            "add_prefix_space": False,
            "sep": [tokens[2], VOCABULARY.index(tokens[2])],
            "cls": [tokens[0], VOCABULARY.index(tokens[0])]}))
    texts = {"mask_token": "<mask>", "cls_token": "<s>", "pad_token": "<pad>",
             "sep_token": "</s>"}
    bare = tokenizer_json(mpnet, added=False)
    yield case("no list", model_type, {}, json=bare)
    yield case("texts", model_type, texts, json=bare)
    yield case("texts, vocab.txt", model_type, texts)
    decoder = {"added_tokens_decoder": {
        str(VOCABULARY.index(t)): {**token(t), "lstrip": False}
        for t in MPNET_TOKENS}}
    yield case("decoder", model_type, decoder, json=plain)
    yield case("decoder, vocab.txt", model_type, decoder)


def tokens_of(tokenizer, *texts):
    made = tokenizer(*texts, return_offsets_mapping=True)
    types = made.get("token_type_ids", [0] * len(made["input_ids"]))
    return " ".join("%d:%d-%d:%d" % (i, *o, t) for i, o, t in zip(
        made["input_ids"], made["offset_mapping"], types))


def run(record):
    directory = tempfile.mkdtemp()
    config = {"model_type": record["model_type"]}
    if record["in_config"]:
        config["tokenizer_class"] = record["in_config"]
    for name, text in {**record["files"],
                       "config.json": json.dumps(config)}.items():
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    shutil.rmtree(directory)
    ids = [-1 if i is None else i for i in (
        tokenizer.cls_token_id, tokenizer.sep_token_id,
        tokenizer.pad_token_id, tokenizer.mask_token_id)]
    return {**record, "ids": ids, "texts": TEXTS, "second": SECOND,
            "single": [tokens_of(tokenizer, text) for text in TEXTS],
            "pair": [tokens_of(tokenizer, text, SECOND) for text in TEXTS]}


if __name__ == "__main__":
    lines = "".join(json.dumps(run(record)) + "\n"
                    for model_type in PREFIXES
                    for record in cases_of(model_type))
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "classes.jsonl.gz")
    with open(target, "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9,
                           fileobj=file, mtime=0) as packed:
            packed.write(lines.encode())
