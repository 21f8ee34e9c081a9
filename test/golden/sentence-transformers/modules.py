#!/usr/bin/env python3
"""Make the folder modules here: python modules.py

Models with modules after Pooling, by sentence-transformers itself.  They have
the Transformer of st-bert-modes, whose files are not copied; of each model
what lies beside it is kept, and modules.jsonl.gz has what the library gives.
Needs sentence-transformers 5.7.0, transformers 4.57.6, torch 2.13.0.
"""
import gzip
import json
import os
import shutil
import tempfile

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import (
    Dropout, LayerNorm, Normalize, Pooling)

here = os.path.dirname(os.path.abspath(__file__))
base = f"{here}/st-bert-modes"
torch.set_num_threads(1)
random = torch.Generator().manual_seed(20261130)


def fill(parameter, scale, middle=0.0):
    with torch.no_grad():
        parameter.copy_(middle + scale * torch.randn(parameter.shape, generator=random))


def dense(inputs, outputs, activation, bias=True):
    module = Dense(inputs, outputs, bias=bias, activation_function=activation)
    fill(module.linear.weight, 0.8 / inputs ** 0.5)
    if bias:
        fill(module.linear.bias, 0.3)
    return module


def layer_norm(width):
    module = LayerNorm(width)
    fill(module.norm.weight, 0.2, 1.0)
    fill(module.norm.bias, 0.2)
    return module


# name: pooling, what follows, other settings
MODELS = {
    "st-modules-unit-dense-unit": ("mean", [
        Normalize(), dense(20, 9, torch.nn.GELU()), Normalize()], {}),
    "st-modules-dense-norm": ("cls", [
        dense(20, 33, torch.nn.ReLU(), bias=False), layer_norm(33)],
        {"similarity_fn_name": "euclidean"}),
    "st-modules-many": (["mean", "max"], [
        layer_norm(40), dense(40, 12, torch.nn.SiLU()), Dropout(0.1),
        Normalize(), dense(12, 64, torch.nn.Sigmoid()), layer_norm(64),
        Normalize()],
        {"truncate_dim": 50, "prompts": {"query": "Ask: "}}),
}
HALF = "st-modules-unit-dense-unit"         # its Dense is stored as F16

with gzip.open(f"{here}/expected.jsonl.gz", "rt", encoding="utf-8") as lines:
    TEXTS = [case["text"] for case in map(json.loads, lines)
             if case["directory"] == "st-bert-modes"][:12]


def vector(model, text, **options):
    return model.encode([text], batch_size=1, show_progress_bar=False, **options)[0]


shutil.rmtree(f"{here}/modules", ignore_errors=True)
with open(f"{here}/modules.jsonl.gz", "wb") as file, \
        gzip.GzipFile("", "wb", 9, file, 0) as out, \
        tempfile.TemporaryDirectory() as scratch:
    for name, (pooling, after, settings) in MODELS.items():
        transformer = SentenceTransformer(base, device="cpu", local_files_only=True)[0]
        model = SentenceTransformer(
            modules=[transformer, Pooling(20, pooling_mode=pooling), *after],
            device="cpu", **settings)
        path = f"{scratch}/{name}"
        model.save(path, create_model_card=False)
        if name == HALF:
            weights = f"{path}/3_Dense/model.safetensors"
            save_file({k: v.half() for k, v in load_file(weights).items()}, weights)
        for kept in ["modules.json", "config_sentence_transformers.json",
                     *(f for f in os.listdir(path) if f[0].isdigit())]:
            target = f"{here}/modules/{name}/{kept}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not os.path.isdir(f"{path}/{kept}"):
                shutil.copyfile(f"{path}/{kept}", target)
            elif os.listdir(f"{path}/{kept}"):
                shutil.copytree(f"{path}/{kept}", target, copy_function=shutil.copyfile)
        low, high = (SentenceTransformer(path, device="cpu", local_files_only=True) for _ in range(2))
        high = high.double()
        calls = [{"text": t} for t in TEXTS] + [
            {"text": t, "prompt_name": p} for p in settings.get("prompts", {}) for t in TEXTS[:2]]
        for call in calls:
            options = {k: v for k, v in call.items() if k != "text"}
            case = {"directory": name, **call,
                    "expected": {"embedding": [float(f"{x:.9g}") for x in vector(low, call["text"], **options)]},
                    "expected64": {"embedding": [float(f"{x:.12g}") for x in vector(high, call["text"], **options)]}}
            out.write((json.dumps(case, separators=(",", ":")) + "\n").encode())
