"""Writes, or checks, what Hugging Face's own code gives with a model.

    python golden.py ../ner ../../test/golden/shipped/ner.jsonl
    python golden.py --check ../ner ../../test/golden/shipped/ner.jsonl

The complete model is written to a temporary directory, as complete.py does,
and loaded with the class that its config.json names and, of ForPreTraining,
with those of its single heads; nothing may be missing.  A line of the file is
a text, or a pair, and the logits of one head in float32: all of them, or those
of the ten best tokens for a mask.  test/t/shipped_golden.pl compares what the
extension gives; --check compares with the file, and changes nothing.
"""
import argparse
import json
import sys
from pathlib import Path

import torch
import transformers

from figures import complete

SINGLE = [
    "The food was cold, the waiter was rude, and we waited an hour.",
    "I love it!",
    "Angela Merkel met Barack Obama in Berlin before the summit of NATO.",
    "In 1969 Neil Armstrong walked on the Moon.",
    "a",
]
PAIRS = [
    ("A man is playing a guitar on a stage.", "Somebody makes music."),
    ("A man is playing a guitar on a stage.", "Nobody is on the stage."),
    ("Prices rose again last month.", "This example is economy."),
    ("She opened the door.", "Then she walked into the room."),
]
QUESTIONS = [
    ("Who wrote Hamlet?",
     "Hamlet is a tragedy that William Shakespeare wrote around 1600."),
    ("When was the tower built?",
     "The Eiffel Tower, named after Gustave Eiffel, was built from 1887 to "
     "1889 as the centrepiece of the World's Fair."),
    ("Who wrote Hamlet?", "The Eiffel Tower stands in Paris."),
]
MASKED = [
    "The capital of France is [MASK].",
    "He put the [MASK] on the table and sat down.",
    "The Second World [MASK] ended in 1945.",
]
# class without "MobileBert": (head in SQL, texts)
HEADS = {
    "ForMaskedLM": ("fill_mask", MASKED),
    "ForNextSentencePrediction": ("next_sentence", PAIRS),
    "ForSequenceClassification": ("classify", SINGLE + PAIRS),
    "ForTokenClassification": ("ner", SINGLE),
    "ForQuestionAnswering": ("answer", QUESTIONS),
    "ForMultipleChoice": ("choose", PAIRS),
}
BEST = 10                       # tokens for a mask
BOUND = 1e-5                    # of the largest number


def load(directory, kind):
    """A model of the class, none of whose tensors is made up."""
    model, found = getattr(transformers, kind).from_pretrained(
        directory, output_loading_info=True)
    missing = found["missing_keys"] or found["mismatched_keys"]
    if missing:
        sys.exit(f"golden.py: {directory} lacks {missing} for {kind}")
    return model.eval()


def logits(model, tokenizer, text):
    """Logits of a text or pair: rows by token, or one row."""
    pair = isinstance(text, tuple)
    e = tokenizer(*(text if pair else (text,)), return_tensors="pt")
    if type(model).__name__.endswith("ForMultipleChoice"):
        e = {name: value[None] for name, value in e.items()}
    with torch.no_grad():
        out = model(**e)
    if hasattr(out, "start_logits"):
        return torch.stack([out.start_logits[0], out.end_logits[0]], dim=1)
    return out.logits[0].reshape(-1, out.logits.shape[-1])


def lines(directory):
    """Yields the objects of a model's file."""
    config = json.loads((directory / "config.json").read_text())
    kind = config["architectures"][0].removeprefix("MobileBert")
    kinds = (["ForMaskedLM", "ForNextSentencePrediction"]
             if kind == "ForPreTraining" else [kind])
    place = complete(directory)
    load(place.name, "MobileBert" + kind)
    tokenizer = transformers.AutoTokenizer.from_pretrained(place.name)
    for kind in kinds:
        head, texts = HEADS[kind]
        model = load(place.name, "MobileBert" + kind)
        for text in texts:
            z = logits(model, tokenizer, text)
            line = {"head": head,
                    "text": text if isinstance(text, str) else text[0]}
            if not isinstance(text, str):
                line["pair"] = text[1]
            if head == "fill_mask":
                at = tokenizer(text)["input_ids"].index(
                    tokenizer.mask_token_id)
                best = z[at].topk(BEST).indices
                line["token_no"], line["ids"] = at, best.tolist()
                z = z[at:at + 1, best]
            line["logits"] = z.tolist()
            yield line


def compare(found, there):
    """Returns the largest difference as a share of the largest number."""
    worst = 0.0
    if len(found) != len(there):
        sys.exit("golden.py: the file has other lines")
    for a, b in zip(found, there):
        x, y = torch.tensor(a.pop("logits")), torch.tensor(b.pop("logits"))
        if a != b or x.shape != y.shape:
            sys.exit(f"golden.py: {a} is {b} in the file")
        worst = max(worst, ((x - y).abs().max() / y.abs().max()).item())
    return worst


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path)
    p.add_argument("file", type=Path)
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    torch.set_num_threads(1)
    found = list(lines(args.model))
    if args.check:
        worst = compare(found, [json.loads(line) for line
                                in args.file.read_text().splitlines()])
        print(f"{args.file}: {worst:.1e} of the largest number at most")
        sys.exit(worst > BOUND)
    args.file.parent.mkdir(parents=True, exist_ok=True)
    args.file.write_text("".join(json.dumps(line) + "\n" for line in found))


if __name__ == "__main__":
    main()
