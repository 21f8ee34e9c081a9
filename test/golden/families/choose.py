#!/usr/bin/env python3
"""Make this folder from the reference data: python3 choose.py REFERENCE

REFERENCE has checkpoints/ and expected/ of the families but MobileBERT, as its
generate.py writes them (see README.md here); ../model/subset.py does the work.
"""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{here}/../model")
import subset  # noqa: E402

# The smallest that have what is a family's own.
CHECKPOINTS = """
bert-relu-positions-64 bert-f16 bert-types-1 distilbert-common-names
electra-choice electra-discriminator electra-mlm electra-sequence-3
mpnet-choice
""".split()
TASKS = """
hidden_states attentions embeddings text-classification
zero-shot-classification token-classification token_logits question-answering
qa_logits fill-mask next_sentence multiple_choice pretraining discriminator
losses
""".split()

subset.make(sys.argv[1], here, CHECKPOINTS, CHECKPOINTS,
            {task: CHECKPOINTS for task in TASKS})
