#!/usr/bin/env python3
"""Prints the digests that test/unit/test_text.c compares: what the tokenizers
library (0.22.2) makes of every Unicode scalar value.

    pip install tokenizers==0.22.2 && python3 digests.py

Each digest is 64-bit FNV-1a over, for each scalar value from U+0000 up, the
UTF-8 of the normalised character and a byte 0xFF; the last one is over the
number of pieces that BertPreTokenizer makes of "a", the character, "b".
"""
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

SETS = [(True, True, True, True), (False, False, False, True),
        (False, False, True, False), (True, False, False, False)]
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def fnv(parts):
    value = 0xCBF29CE484222325
    for part in parts:
        for byte in part:
            value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


for clean, ideographs, strip, lower in SETS:
    normalizer = BertNormalizer(clean_text=clean, handle_chinese_chars=ideographs,
                                strip_accents=strip, lowercase=lower)
    print("%d%d%d%d %016x" % (clean, ideographs, strip, lower, fnv(
        normalizer.normalize_str(chr(c)).encode() + b"\xff" for c in SCALARS)))
split = BertPreTokenizer()
print("pieces %016x" % fnv(bytes([len(split.pre_tokenize_str("a" + chr(c) + "b"))])
                           for c in SCALARS))
