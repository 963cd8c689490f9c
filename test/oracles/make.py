"""Answers the questions to the oracles: `python make.py QUESTIONS ANSWERS`. See README.md.

Reads every question in the folder QUESTIONS (dump.ts), works out logits, losses and the gradient of the loss by every weight, and
writes question and answer into the folder ANSWERS.
"""

import json
import pathlib
import sys

import torch

from oracle import interest, searching, sequential
from oracle.question import Question

ORACLES = sequential.ORACLES | interest.ORACLES | searching.ORACLES

# Gradients of more entries than this are summed up: some of them, and two weighted sums of all.
MOST = 1000
SAMPLES = 200


def rounded(values):
    """Eight digits: more than a float32 has."""
    return [float(f"{value:.8g}") for value in values.flatten().tolist()]


def summary(gradient):
    """A gradient as its entries, or as every so many-th of them and its products with sin(i + 1) and cos(i + 1)."""
    flat = gradient.flatten()
    if len(flat) <= MOST:
        return {"entries": rounded(flat), "step": 1}
    step = len(flat) // SAMPLES
    angles = torch.arange(1, len(flat) + 1, dtype=torch.float64)
    sums = torch.stack([flat @ torch.sin(angles), flat @ torch.cos(angles)])
    return {
        "entries": rounded(flat[::step]),
        "step": step,
        "sums": rounded(sums),
        "norm": rounded(flat.norm())[0],
    }


def answer(document):
    question = Question(document)
    found = ORACLES[question.model](question)
    loss = found.loss()
    names = list(question.weights)
    gradients = torch.autograd.grad(loss, [question[name] for name in names], allow_unused=True)
    by_name = {}
    for name, gradient in zip(names, gradients):
        gradient = torch.zeros_like(question[name]) if gradient is None else gradient.clone()
        if name in question.padded:
            gradient[0] = 0  # padding is not learnt
        by_name[name] = summary(gradient)
    losses = {"loss": loss, "prediction": found.prediction} | {name: value for name, (value, _) in found.others.items()}
    return {
        "logits": rounded(found.logits.detach()),
        "losses": {name: rounded(value.detach())[0] for name, value in losses.items()},
        "gradients": by_name,
    }


def main(questions, answers):
    for path in sorted(pathlib.Path(questions).glob("*.json")):
        document = json.loads(path.read_text())
        document["answer"] = answer(document)
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
        (pathlib.Path(answers) / path.name).write_text(text + "\n")
        print(f"{path.stem}: loss {document['answer']['losses']}, {len(text) / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
