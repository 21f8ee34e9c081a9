"""The network in training: Hugging Face's parameters, a faster forward pass.

`Network` holds a Hugging Face MobileBERT model, whose parameters are trained
and saved under its names, and computes the encoder itself, because on a
processor Hugging Face's pass loses half of the time: a third of a step goes
into the random numbers of dropout, and attention in bfloat16 is slow there.
Here

 - dropout takes its masks from a pool of random numbers drawn once, at an
   offset that depends on seed and step alone, so that a training that was
   interrupted goes on with the same masks;
 - query, key and value are one product;
 - attention's probabilities are not dropped;
 - embeddings are never trained, and neither are layers below the tuned ones:
   nothing is kept of them for the backward pass.

Without dropout the result is Hugging Face's; `check_encoder.py` compares.
Shapes other than a MobileBERT without bottlenecks, as weights/minilm is one,
are refused.
"""
import json
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file

DROPOUT = 0.1
POOL_SIZE = 1 << 23             # numbers in the pool of dropout masks


def pick_device():
    """Returns the device to compute on: a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(device):
    """Returns the type in which products are fastest on 'device'.

    Processors with AVX-512 differ: some multiply bfloat16 at 0.6 times the
    speed of float32, others at 2.4 times (RESULTS.md), so that it is tried.
    """
    if device.type == "cuda":
        return torch.bfloat16
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(2048, 384).to(dtype), torch.ones(1536, 384).to(dtype)
        F.linear(a, b)
        begin = time.process_time()
        for _ in range(5):
            F.linear(a, b)
        seconds[dtype] = time.process_time() - begin
    return min(seconds, key=seconds.get)


def with_prefix(tensors):
    """Names a bare encoder's tensors as models with heads name them."""
    return {name if name.startswith(("mobilebert.", "cls.", "classifier.",
                                     "qa_outputs."))
            else "mobilebert." + name: value
            for name, value in tensors.items()}


def complete_tensors(directory):
    """Returns all tensors of a model directory, those of its base included.

    A directory whose config.json has a member "base" holds only tensors that
    differ from that model, which lies beside it under that name; what it
    takes from there are the encoder and the pooler, as in import_model.
    """
    directory = Path(directory)
    config = json.loads((directory / "config.json").read_text())
    tensors = {}
    if "base" in config:
        below = complete_tensors(directory.parent / config["base"])
        tensors = {name: value for name, value in below.items()
                   if name.startswith("mobilebert.")}
    tensors.update(with_prefix(load_file(directory / "model.safetensors")))
    return tensors


class Dropout:
    """Dropout from a pool of masks; leaves its input alone when off."""

    def __init__(self, device, dtype, seed):
        generator = torch.Generator().manual_seed(seed)
        keep = torch.rand(POOL_SIZE, generator=generator) >= DROPOUT
        self.pool = (keep.to(dtype) / (1 - DROPOUT)).to(device)
        self.seed = seed
        self.rng = None

    def on(self, step):
        """Switches dropout on for a step of training."""
        self.rng = random.Random(f"dropout {self.seed} {step}")

    def off(self):
        """Switches dropout off."""
        self.rng = None

    def __call__(self, x):
        if self.rng is None:
            return x
        n = x.numel()
        if n >= POOL_SIZE:
            raise ValueError("batch is larger than the pool of dropout masks")
        at = self.rng.randrange(POOL_SIZE - n)
        return x * self.pool[at:at + n].view(x.shape)


class Network:
    """A Hugging Face model with its encoder's forward pass.

    base         directory of the model to start from
    model_class  the Hugging Face class
    tuned        number of upper layers that are trained
    labels       names of the classes of a classifier
    start        a directory, or a file of tensors, that replaces those of
                 'base'
    """

    def __init__(self, base, model_class, tuned, labels=None, start=None,
                 seed=0):
        self.device = pick_device()
        self.dtype = pick_dtype(self.device)
        config = transformers.MobileBertConfig.from_pretrained(base)
        if labels:
            config.id2label = dict(enumerate(labels))
            config.label2id = {name: i for i, name in enumerate(labels)}
        if (config.use_bottleneck or config.trigram_input
                or config.num_feedforward_networks != 1
                or config.normalization_type != "layer_norm"):
            raise ValueError(f"{base}: not a MobileBERT without bottlenecks")
        self.config = config
        self.heads = config.num_attention_heads
        self.tuned = min(tuned, config.num_hidden_layers)
        torch.manual_seed(seed)
        self.model = model_class(config)
        tensors = complete_tensors(base)
        if start is not None:
            start = Path(start)
            tensors.update(complete_tensors(start) if start.is_dir()
                           else with_prefix(load_file(start)))
        own = self.model.state_dict()
        self.model.load_state_dict(
            {name: value.float() for name, value in tensors.items()
             if name in own and own[name].shape == value.shape},
            strict=False)
        self.model.tie_weights()
        self.model.to(self.device)
        self._choose_trained()
        self.drop = Dropout(self.device, self.dtype, seed)

    def _choose_trained(self):
        """Marks the heads, the pooler and the upper layers as trained."""
        first = self.config.num_hidden_layers - self.tuned
        for name, parameter in self.model.named_parameters():
            parts = name.split(".")
            if name.startswith("mobilebert.encoder.layer."):
                parameter.requires_grad_(int(parts[3]) >= first)
            elif name.startswith("mobilebert.embeddings."):
                parameter.requires_grad_(False)
        self.first_tuned = first

    def trained(self):
        """Returns the trained parameters by name."""
        return {name: parameter
                for name, parameter in self.model.named_parameters()
                if parameter.requires_grad}

    def linear(self, x, layer):
        """A linear layer in the network's type."""
        return F.linear(x, layer.weight.to(self.dtype),
                        layer.bias.to(self.dtype))

    def norm(self, x, layer):
        """LayerNorm in the network's type."""
        return F.layer_norm(x, x.shape[-1:], layer.weight.to(self.dtype),
                            layer.bias.to(self.dtype), layer.eps)

    def embed(self, ids, types):
        """Word, position and token type embeddings, normalised."""
        e = self.model.mobilebert.embeddings
        x = (F.embedding(ids, e.word_embeddings.weight)
             + e.position_embeddings.weight[:ids.shape[1]]
             + F.embedding(types, e.token_type_embeddings.weight))
        return F.layer_norm(x, x.shape[-1:], e.LayerNorm.weight,
                            e.LayerNorm.bias, e.LayerNorm.eps).to(self.dtype)

    def attend(self, q, k, v, mask):
        """Attention; plain products where they beat the fused kernel."""
        if self.device.type == "cuda" or self.dtype == torch.float32:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2))
        if mask is not None:
            scores = scores + mask
        return torch.matmul(scores.softmax(-1), v)

    def layer(self, layer, x, mask):
        """One layer of the encoder."""
        batch, length, width = x.shape
        own, out = layer.attention.self, layer.attention.output
        three = (own.query, own.key, own.value)
        weight = torch.cat([part.weight for part in three]).to(self.dtype)
        bias = torch.cat([part.bias for part in three]).to(self.dtype)
        q, k, v = F.linear(x, weight, bias).view(
            batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = self.attend(q, k, v, mask).transpose(1, 2).reshape(x.shape)
        x = self.norm(x + self.drop(self.linear(y, out.dense)), out.LayerNorm)
        y = self.linear(F.gelu(self.linear(x, layer.intermediate.dense)),
                        layer.output.dense)
        return self.norm(x + self.drop(y), layer.output.LayerNorm)

    def states(self, ids, types, mask):
        """Returns the last hidden states of a batch.

        ids, types, mask: [texts, tokens] on the network's device; mask is 1
        for tokens and 0 for padding.
        """
        bias = None
        if not bool(mask.all()):
            bias = (1 - mask.to(self.dtype))[:, None, None, :] * -1e4
        layers = self.model.mobilebert.encoder.layer
        with torch.no_grad():
            x = self.embed(ids, types)
            if self.tuned == len(layers):
                x = self.drop(x)
            for layer in layers[:self.first_tuned]:
                x = self.layer_without_dropout(layer, x, bias)
        for layer in layers[self.first_tuned:]:
            x = self.layer(layer, x, bias)
        return x

    def layer_without_dropout(self, layer, x, mask):
        """One layer that is not trained."""
        rng, self.drop.rng = self.drop.rng, None
        x = self.layer(layer, x, mask)
        self.drop.rng = rng
        return x

    def pooled(self, states):
        """The pooler over the first token's state, dropped as heads do."""
        dense = self.model.mobilebert.pooler.dense
        return self.drop(torch.tanh(self.linear(states[:, 0], dense)))

    def classify(self, states):
        """Logits of a classifier over the whole text."""
        return self.linear(self.pooled(states), self.model.classifier).float()
