"""Batches of texts of near-equal length, so that little is padded."""
from dataclasses import dataclass
from typing import Any

import torch

POOL = 3000                     # texts that are sorted by length together


@dataclass
class Example:
    """One text or pair as token ids, and what is to be learned of it."""
    ids: list
    types: list
    target: Any


def pad(rows, value=0):
    """Returns rows of numbers as one tensor, filled up with 'value'."""
    length = max(map(len, rows))
    return torch.tensor([list(row) + [value] * (length - len(row))
                         for row in rows])


def inputs(examples, device):
    """Returns ids, token types and mask of a batch of examples."""
    ids = pad([e.ids for e in examples])
    types = pad([e.types for e in examples])
    mask = pad([[1] * len(e.ids) for e in examples])
    return ids.to(device), types.to(device), mask.to(device)


def cut(order, lengths, tokens):
    """Cuts 'order' into batches of at most 'tokens' tokens, padding included.

    'order' is sorted by length.  A text that is longer than 'tokens' is a
    batch of its own.
    """
    batches, current = [], []
    for i in order:
        if current and lengths[i] * (len(current) + 1) > tokens:
            batches.append(current)
            current = []
        current.append(i)
    if current:
        batches.append(current)
    return batches


def shuffled(lengths, tokens, rng):
    """Returns one epoch: batches of numbers of texts in random order."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    batches = []
    for begin in range(0, len(order), POOL):
        pool = sorted(order[begin:begin + POOL], key=lengths.__getitem__)
        batches += cut(pool, lengths, tokens)
    rng.shuffle(batches)
    return batches


def in_order(lengths, tokens):
    """Returns batches over all texts by length, for evaluation."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return cut(order, lengths, tokens)


def predict(network, examples, answer, tokens=8192):
    """Runs the network over examples, without dropout and gradients.

    answer(states, examples of the batch) returns one result an example.
    """
    network.drop.off()
    results = [None] * len(examples)
    with torch.no_grad():
        for batch in in_order([len(e.ids) for e in examples], tokens):
            rows = [examples[i] for i in batch]
            states = network.states(*inputs(rows, network.device))
            for i, result in zip(batch, answer(states, rows)):
                results[i] = result
    return results
