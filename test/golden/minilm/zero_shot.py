#!/usr/bin/env python3
"""Make zero_shot.json here: python3 zero_shot.py  (see README.md).

What sentence-transformers gives for labels of one's own and for a ranked list,
on ../../../weights/minilm in float32: cosines of encode() of texts and of the
template with each label, softmax of 20 times them, and semantic_search().
"""
import json
import os

import sentence_transformers
import torch

here = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
model = sentence_transformers.SentenceTransformer(f"{here}/../../../weights/minilm")
model.float()

SCALE = 20.0  # of losses.MultipleNegativesRankingLoss
texts = ["Prices rose again last month.",
         "Two late goals decided the derby in front of a sold-out stadium.",
         "Let the dough rest for an hour before it goes into the oven.",
         "Émile Zola wrote Germinal in 1885.",
         "URGENT! You have won a 1 week FREE membership in our £100,000 prize jackpot!"]
labels = ["economy", "sport", "cooking", "a novel and its author", "spam"]
cases = []
for template in ["{}", "This text is about {}."]:
    sentences = model.encode([template.format(label) for label in labels])
    for text in texts:
        cosines = sentence_transformers.util.cos_sim(model.encode(text), sentences)[0].double()
        cases.append({"text": text, "template": template, "labels": labels,
                      "cosines": cosines.tolist(),
                      "scores": torch.softmax(SCALE * cosines, 0).tolist()})
query = "Somebody owes us money"
documents = ["Our cat likes to sleep on the warm radiator.",
             "The invoice of March has not been paid yet.",
             "Parliament passed the new budget last night.",
             "A reminder: your bill is overdue."] + texts
hits = sentence_transformers.util.semantic_search(
    torch.from_numpy(model.encode_query([query])),
    torch.from_numpy(model.encode_document(documents)), top_k=len(documents))[0]
with open(f"{here}/zero_shot.json", "w", encoding="utf-8") as out:
    json.dump({"zero_shot": cases,
               "rank": {"query": query, "documents": documents,
                        "hits": [{"document_no": hit["corpus_id"] + 1,
                                  "score": hit["score"]} for hit in hits]}},
              out, indent=1, ensure_ascii=False)
    out.write("\n")
