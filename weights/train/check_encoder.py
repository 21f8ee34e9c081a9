"""Compares the training's forward pass with Hugging Face's.

    python check_encoder.py ../minilm

Exits with status 1 when states of real tokens differ by more than rounding.
"""
import sys

import torch
import transformers

from batches import pad
from encoder import Network

TEXTS = [
    ("a short one", None),
    ("The quick brown fox jumps over the lazy dog.", "And PostgreSQL too."),
    ("What is it? " * 40, "Nobody knows how long this text is. " * 30),
]


def main():
    base = sys.argv[1]
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    encoded = [tokenizer(a, b, truncation=True, max_length=512)
               for a, b in TEXTS]
    ids = pad([e["input_ids"] for e in encoded])
    types = pad([e["token_type_ids"] for e in encoded])
    mask = pad([e["attention_mask"] for e in encoded])
    reference = transformers.MobileBertModel.from_pretrained(base).eval()
    network = Network(base, transformers.MobileBertForSequenceClassification,
                      3)
    place = network.device
    with torch.no_grad():
        theirs = reference(input_ids=ids, token_type_ids=types,
                           attention_mask=mask).last_hidden_state
        ours = network.states(ids.to(place), types.to(place),
                              mask.to(place)).float().cpu()
    difference = ((theirs - ours) * mask[..., None]).abs().max().item()
    bound = 1e-4 if network.dtype == torch.float32 else 0.1
    print(f"{network.dtype} on {place}: largest difference {difference:.2g}, "
          f"bound {bound:.2g}")
    sys.exit(difference > bound)


if __name__ == "__main__":
    main()
