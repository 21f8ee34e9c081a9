#!/usr/bin/env python3
"""Golden values of scikit-learn for test/unit/test_fit.c and test_report.c.

Writes fit.txt and report.txt beside itself; README.md says with which versions.

fit.txt, for each case:

    case NAME KIND ROWS FEATURES LABELS L2 BALANCED
    ROWS lines: target, features as multiples of 1/64
    ROWS lines: expected scores

KIND is class, labels or number.  The target of labels is a bit for each label.
Scores are probabilities of all labels, or the number.

report.txt, for each case:

    case NAME ROWS
    ROWS lines: actual TAB predicted
    end of rows
    digits 2, classification_report's text, digits 6, the same with six digits
    end of case
"""
import os
import random
import re

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import classification_report
from sklearn.multiclass import OneVsRestClassifier

here = os.path.dirname(os.path.abspath(__file__))
out = []


def features(rng, rows, width, centres=None, labels=None, spread=1.0):
    x = rng.normal(size=(rows, width)) * spread
    if centres is not None:
        x += centres[labels]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.round(x * 64)


def write(name, kind, x64, targets, scores, labels, l2, balanced):
    rows, width = x64.shape
    out.append(f"case {name} {kind} {rows} {width} {labels} {l2!r} {int(balanced)}")
    for target, x in zip(targets, x64):
        out.append(f"{target} " + " ".join(str(int(v)) for v in x))
    for row in np.atleast_2d(scores.T).T:
        out.append(" ".join(f"{v:.9g}" for v in row))


def classes(name, seed, rows, width, labels, l2, balanced=False, spread=1.0,
            shares=None, repeats=1, single=False):
    rng = np.random.default_rng(seed)
    y = rng.choice(labels, size=rows, p=shares)
    y[:labels] = np.arange(labels)
    if single:
        y[labels:] = rng.choice(labels - 1, size=rows - labels)
    centres = rng.normal(size=(labels, width))
    x64 = features(rng, rows, width, centres, y, spread)
    if repeats > 1:
        x64 = np.repeat(x64, repeats, axis=0)
        y = np.where(rng.random(rows * repeats) < 0.25,
                     rng.choice(labels, size=rows * repeats), np.repeat(y, repeats))
    x = x64 / 64
    weight = "balanced" if balanced else None
    fitted = [LogisticRegression(C=1 / l2, class_weight=weight, solver=solver,
                                 tol=1e-13, max_iter=100000).fit(x, y)
              for solver in ("newton-cholesky", "lbfgs")]
    p = [f.predict_proba(x) for f in fitted]
    assert np.abs(p[0] - p[1]).max() < 1e-5, (name, np.abs(p[0] - p[1]).max())
    write(name, "class", x64, y, p[0], labels, l2, balanced)


def label_sets(name, seed, rows, width, labels, l2, balanced=False):
    rng = np.random.default_rng(seed)
    x64 = features(rng, rows, width)
    w = rng.normal(size=(width, labels)) * 3
    y = (x64 / 64 @ w + rng.normal(size=(rows, labels)) * 0.5 - 0.8 > 0).astype(int)
    weight = "balanced" if balanced else None
    fit = OneVsRestClassifier(LogisticRegression(
        C=1 / l2, class_weight=weight, solver="newton-cholesky", tol=1e-13,
        max_iter=100000)).fit(x64 / 64, y)
    write(name, "labels", x64, ["".join(map(str, r)) for r in y],
          fit.predict_proba(x64 / 64), labels, l2, balanced)


def numbers(name, seed, rows, width, l2, offset):
    rng = np.random.default_rng(seed)
    x64 = features(rng, rows, width)
    y = np.round(x64 / 64 @ rng.normal(size=width) * 100 +
                 rng.normal(size=rows) * 10 + offset, 3)
    fit = Ridge(alpha=l2, solver="cholesky").fit(x64 / 64, y)
    write(name, "number", x64, [repr(float(v)) for v in y], fit.predict(x64 / 64),
          1, l2, False)


classes("two", 1, 80, 10, 2, 1.0)
classes("two-rare-balanced", 2, 90, 10, 2, 0.1, True, 3.0, (0.9, 0.1))
classes("five", 3, 150, 12, 5, 0.5, spread=2.0)
classes("five-balanced", 4, 150, 12, 5, 0.02, True, 2.0,
        (0.5, 0.3, 0.1, 0.05, 0.05))
classes("separable", 5, 60, 12, 3, 1e-6, spread=0.1)
classes("repeated", 6, 12, 8, 3, 0.3, repeats=12)
classes("single", 7, 60, 10, 4, 0.2, single=True)
classes("wide", 8, 24, 70, 2, 0.05)
classes("many", 9, 120, 20, 30, 0.1, spread=0.5)
label_sets("sets", 10, 120, 10, 4, 1.0)
label_sets("sets-balanced", 11, 120, 10, 9, 0.1, True)
numbers("numbers", 12, 100, 12, 0.5, 1000)
numbers("numbers-wide", 13, 30, 70, 0.01, -3)
with open(os.path.join(here, "fit.txt"), "w") as f:
    f.write("\n".join(out) + "\n")

out = []


def report(name, pairs):
    actual, predicted = zip(*pairs)
    out.append(f"case {name} {len(pairs)}")
    out.extend(f"{a}\t{p}" for a, p in pairs)
    out.append("end of rows")
    for digits in (2, 6):
        out.append(f"digits {digits}")
        text = classification_report(actual, predicted, digits=digits, zero_division=0)
        # Where nothing is right, scikit-learn's sums are of an empty array, which
        # makes them floats: it prints a support of 2.0.
        out.append(re.sub(r"( \d+)\.0$", r"  \1", text, flags=re.M).rstrip("\n"))
    out.append("end of case")


def noisy(seed, names, rows, right):
    rng = random.Random(seed)
    return [(a, a if rng.random() < right else rng.choice(names))
            for a in rng.choices(names, weights=range(1, len(names) + 1), k=rows)]


report("two", noisy(1, ["ham", "spam"], 97, 0.9))
report("many", noisy(2, [f"intent_{i}" for i in range(23)], 400, 0.7))
report("never-predicted", [("a", "b")] * 3 + [("b", "b")] * 7 + [("c", "c"), ("c", "b")])
report("never-actual", [("a", "a")] * 5 + [("a", "z")] * 2 + [("b", "y")])
report("all-wrong", [("a", "b"), ("b", "a"), ("a", "c")])
report("one-label", [("only", "only")] * 4)
report("order", noisy(3, ["Z", "a", "é", "ab", "A", "日本", "\U0001f600", "ｚ", "0"], 60, 0.5))
with open(os.path.join(here, "report.txt"), "w") as f:
    f.write("\n".join(out) + "\n")
