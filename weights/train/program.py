"""What the training programs have in common: options, order of work.

Each program defines a `Task` and calls main(). It trains, or goes on from the
checkpoint in the output directory, then evaluates on all held-out text and
writes model.safetensors (the trained tensors, float32) and result.json.
"""
import argparse
import json
import os
import pickle
import random
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

from encoder import Network
from trainer import Log, Stopped, Trainer


class Task:
    """A task to train for; the programs define it.

    kind       the Hugging Face class without "MobileBert"
    labels     names of its classes, or None
    sets       data sets that training() reads, as attributions.py names them
    defaults   options that differ from those of options()
    """
    kind = None
    labels = None
    sets = []
    defaults = {}

    def __init__(self, data, tokenizer, options):
        self.data = Path(data)
        self.tokenizer = tokenizer
        self.options = options

    def training(self, rng):
        """Returns the examples to train on."""
        raise NotImplementedError

    def model_class(self):
        """Returns the class that holds the parameters."""
        return getattr(transformers, "MobileBert" + self.kind)

    def prepare(self, network, examples):
        """Sets what a fresh head should start from; nothing by default."""

    def finish(self, network):
        """Sets what is not learnt by steps, after them; nothing by default."""

    def loss(self, network, rows):
        """Returns the mean loss of a batch of examples."""
        raise NotImplementedError

    def evaluate(self, network, sample):
        """Returns figures on held-out text, on little of it for 'sample'."""
        raise NotImplementedError

    def part(self, rows, sample, one_in):
        """Returns the rows of a large held-out set to look at: one in
        'one_in' for a sample, else the share that the options name."""
        return rows[::one_in if sample
                    else max(1, round(1 / self.options.evaluate_share))]

    def held_out_texts(self):
        """Returns lists of held-out texts by name, for overlap.py."""
        raise NotImplementedError


def options(task, arguments=None):
    """Reads the command line, or a list of arguments."""
    here = Path(__file__).parent
    p = argparse.ArgumentParser(
        description=sys.modules[task.__module__].__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="directory of the data sets")
    p.add_argument("--out", required=True,
                   help="directory for checkpoint, log and result")
    p.add_argument("--base", default=here.parent / "minilm",
                   help="model to start from")
    p.add_argument("--start", help="directory or file of tensors that "
                   "replace those of the base at the start")
    p.add_argument("--layers", type=int, default=6,
                   help="upper layers that are trained")
    p.add_argument("--epochs", type=float, default=3)
    p.add_argument("--lr", type=float, default=1.5e-4,
                   help="highest learning rate of the layers")
    p.add_argument("--head-lr", type=float, default=5e-4,
                   help="highest learning rate of pooler and heads")
    p.add_argument("--batch-tokens", type=int, default=4096,
                   help="tokens of a batch, padding included")
    p.add_argument("--evaluate-every", type=int, default=1000,
                   help="steps between evaluations on a sample")
    p.add_argument("--evaluate-share", type=float, default=1,
                   help="share of the large held-out sets that is looked at "
                   "in the end; make quality looks at all of them")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--evaluate-only", action="store_true",
                   help="evaluate the base with --start, train nothing")
    p.add_argument("--prepare-only", action="store_true",
                   help="write the examples to the output directory, where "
                   "the training finds them")
    p.set_defaults(**task.defaults)
    return p.parse_args(arguments)


def examples_of(task, folder):
    """Returns what a task trains on, made once for a training.

    Splitting some ten million tokens takes minutes, which one that is often
    interrupted should not spend each time.
    """
    path = folder / "examples.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    examples = task.training(random.Random(f"examples {task.options.seed}"))
    new = path.with_suffix(".new")
    new.write_bytes(pickle.dumps(examples, pickle.HIGHEST_PROTOCOL))
    os.replace(new, path)
    return examples


def main(task_class):
    """Runs a training program."""
    opts = options(task_class)
    torch.manual_seed(opts.seed)
    out = Path(opts.out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(opts.base)
    task = task_class(opts.data, tokenizer, opts)
    if opts.prepare_only:
        examples_of(task, out)
        return
    network = Network(opts.base, task.model_class(), opts.layers,
                      task.labels, opts.start, opts.seed)
    if not opts.evaluate_only:
        examples = examples_of(task, out)
        task.prepare(network, examples)
        trainer = Trainer(network, examples,
                          lambda rows: task.loss(network, rows), opts)
        try:
            trainer.run(lambda: task.evaluate(network, True))
        except Stopped:
            sys.exit(f"stopped after step {trainer.done}; "
                     "the same command goes on")
        task.finish(network)
        save_file({name: parameter.detach().contiguous()
                   for name, parameter in network.trained().items()},
                  out / "model.safetensors")
    figures = task.evaluate(network, False)
    Log(out / "log.jsonl").write(result=figures)
    settings = {name: str(value) if isinstance(value, Path) else value
                for name, value in vars(opts).items()}
    (out / "result.json").write_text(
        json.dumps({"program": f"{task.__module__}.py" if task.__module__
                    != "__main__" else Path(sys.argv[0]).name,
                    "kind": task.kind, "labels": task.labels,
                    "sets": task.sets,
                    "options": settings, "figures": figures}, indent=2)
        + "\n")
    (out / "examples.pickle").unlink(missing_ok=True)
