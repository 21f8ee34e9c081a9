#!/usr/bin/env python3
"""Sentences a second of other libraries with all-MiniLM-L6-v2, for sentences.sh.

  sentences.py ENGINE DIRECTORY SENTENCES

ENGINE is sentence-transformers, fastembed or llama.cpp.  DIRECTORY is the model as
sentence-transformers reads it; fastembed also reads model.onnx in it and llama.cpp
model.gguf: prepare (as ENGINE) makes the first, llama.cpp's convert_hf_to_gguf.py the
second.  SENTENCES has one a line.  One thread; for all else each library's own defaults.  The first pass warms up; the last
number printed is the seconds of the second.
"""
import os, sys, time
for v in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[v] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"


def prepare(directory):
    """The encoder's graph, from ids to states, as people export it."""
    import torch
    from transformers import AutoModel
    m = AutoModel.from_pretrained(directory, attn_implementation="eager").eval()
    m.config.return_dict = False

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.m = m

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.m(input_ids, attention_mask, token_type_ids)[0]

    ids = torch.ones(2, 8, dtype=torch.long)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(States(), (ids, ids, ids * 0), os.path.join(directory, "model.onnx"), dynamo=False,
                      input_names=names, output_names=["last_hidden_state"], opset_version=17,
                      dynamic_axes={n: {0: "batch", 1: "tokens"} for n in names + ["last_hidden_state"]})


def sentence_transformers(directory):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(1)
    model = SentenceTransformer(directory, device="cpu")
    return lambda texts: model.encode(texts)


def fastembed(directory):
    from fastembed import TextEmbedding
    from fastembed.common.model_description import PoolingType, ModelSource
    TextEmbedding.add_custom_model(model="local", pooling=PoolingType.MEAN, normalization=True, dim=384,
                                   sources=ModelSource(hf="local/local"), model_file="model.onnx")
    model = TextEmbedding("local", specific_model_path=directory, threads=1)
    return lambda texts: list(model.embed(texts))


def llama_cpp(directory):
    from llama_cpp import Llama
    model = Llama(os.path.join(directory, "model.gguf"), embedding=True, n_threads=1, n_threads_batch=1,
                  n_ctx=0, flash_attn=True, verbose=False)      # three times faster with it
    return lambda texts: model.embed(texts, normalize=True)


engine, directory = sys.argv[1:3]
if engine == "prepare":
    prepare(directory)
    sys.exit()
embed = {"sentence-transformers": sentence_transformers, "fastembed": fastembed, "llama.cpp": llama_cpp}[engine](directory)
with open(sys.argv[3], encoding="utf-8") as f:
    texts = f.read().splitlines()
embed(texts)
start = time.perf_counter()
n = len(embed(texts))
seconds = time.perf_counter() - start
assert n == len(texts)
print(f"{engine}: {n / seconds:.0f} sentences a second; seconds {seconds:.3f}")
