"""The training loop: resumable, the same on every run, logged.

All that is random in a step (which texts, which masks) follows from the seed
and the step's number, so a checkpoint is the trained tensors, the optimiser's
state and the number of steps done.  It is written every ten minutes and when
the process is told to stop (SIGTERM, SIGINT), to a new file that then takes
the old one's name; the same command goes on from there.

The log, log.jsonl in the output directory, has one JSON object a line: losses
and speed every 100 steps, figures at each evaluation.
"""
import json
import os
import random
import signal
import time
from pathlib import Path

import torch

import batches

CHECKPOINT_SECONDS = 600
LOG_STEPS = 100
WARM_UP = 0.06                  # share of all steps


class Stopped(Exception):
    """The process was told to stop; the checkpoint has been written."""


class Log:
    """Lines of JSON, to a file and to the standard output."""

    def __init__(self, path):
        self.path = path

    def write(self, **record):
        record["time"] = time.strftime("%Y-%m-%d %H:%M:%S")
        line = json.dumps(record)
        print(line, flush=True)
        with open(self.path, "a") as file:
            file.write(line + "\n")


def plan(lengths, options):
    """Returns the batches of all steps; fractions of an epoch count."""
    steps = []
    epoch = 0
    while epoch < options.epochs:
        rng = random.Random(f"batches {options.seed} {epoch}")
        part = batches.shuffled(lengths, options.batch_tokens, rng)
        share = min(1, options.epochs - epoch)
        steps += part[:max(1, round(len(part) * share))]
        epoch += 1
    return steps


def rate(step, steps):
    """Learning rate of a step, as a factor: warm-up, then down to nothing."""
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return (steps - step) / (steps - warm + 1)


class Trainer:
    """Trains one network on one list of examples."""

    def __init__(self, network, examples, loss, options):
        """loss(list of examples) returns the mean loss with its graph."""
        self.network = network
        self.examples = examples
        self.loss = loss
        self.options = options
        self.folder = Path(options.out)
        self.log = Log(self.folder / "log.jsonl")
        self.steps = plan([len(e.ids) for e in examples], options)
        self.done = 0
        self.seconds = 0.0
        self.stop = False
        body, heads = [], []
        for name, parameter in network.trained().items():
            inside = name.startswith("mobilebert.encoder.")
            (body if inside else heads).append(parameter)
        self.groups = [{"params": body, "base": options.lr},
                       {"params": heads, "base": options.head_lr}]
        self.groups = [group for group in self.groups if group["params"]]
        self.optimizer = torch.optim.AdamW(
            self.groups, lr=options.lr, weight_decay=0.01, betas=(0.9, 0.98),
            fused=True)

    @property
    def checkpoint(self):
        return self.folder / "checkpoint.pt"

    def settings(self):
        """What must be equal for a checkpoint to be gone on from."""
        names = ("epochs", "lr", "head_lr", "batch_tokens", "layers", "seed")
        found = {name: getattr(self.options, name) for name in names}
        found["steps"] = len(self.steps)
        return found

    def save(self):
        """Writes the checkpoint, the old one standing until it is whole."""
        state = {"settings": self.settings(), "done": self.done,
                 "seconds": self.seconds,
                 "tensors": {name: parameter.detach()
                             for name, parameter
                             in self.network.trained().items()},
                 "optimizer": self.optimizer.state_dict()}
        new = self.checkpoint.with_suffix(".new")
        with open(new, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.checkpoint)

    def resume(self):
        """Goes on from the checkpoint where there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location=self.network.device,
                           weights_only=True)
        if state["settings"] != self.settings():
            raise ValueError(f"{self.checkpoint} is of another training: "
                             f"{state['settings']}")
        with torch.no_grad():
            for name, parameter in self.network.trained().items():
                parameter.copy_(state["tensors"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = state["done"]
        self.seconds = state["seconds"]

    def step(self):
        """One step; returns its loss and its number of tokens."""
        factor = rate(self.done, len(self.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        rows = [self.examples[i] for i in self.steps[self.done]]
        self.network.drop.on(self.done)
        loss = self.loss(rows)
        loss.backward()
        for group in self.optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return loss.item(), sum(len(row.ids) for row in rows)

    def run(self, evaluate):
        """Trains to the end, or raises Stopped.

        evaluate() returns figures for the log; it is called every
        options.evaluate_every steps.
        """
        self.resume()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        self.log.write(event="start", done=self.done, **self.settings(),
                       examples=len(self.examples),
                       tokens=sum(len(e.ids) for e in self.examples))
        saved = time.time()
        losses, tokens, spent = [], 0, 0.0
        while self.done < len(self.steps):
            begin = time.time()
            loss, count = self.step()
            spent += time.time() - begin
            losses.append(loss)
            tokens += count
            if self.done % LOG_STEPS == 0 or self.done == len(self.steps):
                self.seconds += spent
                self.log.write(step=self.done, steps=len(self.steps),
                               loss=round(sum(losses) / len(losses), 4),
                               tokens_a_second=round(tokens / spent),
                               minutes=round(self.seconds / 60, 1))
                losses, tokens, spent = [], 0, 0.0
            if self.done % self.options.evaluate_every == 0:
                self.log.write(step=self.done, sample=evaluate())
            if self.stop or time.time() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.time()
            if self.stop:
                raise Stopped
        self.save()

    def _told_to_stop(self, *_):
        self.stop = True
