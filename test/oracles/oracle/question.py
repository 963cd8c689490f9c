"""A question as questions.ts writes it, as tensors, and what every model needs of it: embeddings, layers, the shared loss.

Everything is float64. Shapes: B rows, C candidates, T positions, I, Q, U distinct items, queries, users of the batch, d widths.
Slot 0 of items, queries and words is padding.
"""

import base64

import numpy
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


class Question:
    def __init__(self, document):
        self.model = document["model"]
        self.config = document["config"]
        self.sizes = document["sizes"]
        self.rows = self.sizes["rows"]
        self.weights = {}
        self.padded = set()
        for name, weight in document["weights"].items():
            values = numpy.frombuffer(base64.b64decode(weight["bytes"]), dtype=numpy.int8)
            tensor = torch.tensor(values.astype(numpy.float64) / 64).reshape(weight["shape"])
            self.weights[name] = tensor.requires_grad_()
            if weight["hasPadding"]:
                self.padded.add(name)
        self.ids = {kind: torch.tensor(values, dtype=torch.long) for kind, values in document["ids"].items()}
        self._inputs = {
            name: torch.tensor(given["data"], dtype=torch.long if given["type"] == "int32" else torch.float64)
            for name, given in document["inputs"].items()
        }

    def __getitem__(self, name):
        return self.weights[name]

    def has(self, name):
        return name in self.weights

    def has_input(self, name):
        return name in self._inputs

    def input(self, name, *shape):
        return self._inputs[name].reshape(shape) if shape else self._inputs[name].squeeze()

    # Embeddings (sheet 0.1): ids beside attributes, ids beside the mean of the words.

    def _with_attributes(self, owner, ids):
        parts = [self[f"{owner}.id"][ids]]
        for attribute in self.config[f"{owner}Attributes"]:
            name = attribute["name"]
            parts.append(self[f"{owner}.{name}"][self.input(f"{owner}Attribute.{name}", len(ids))])
        return torch.cat(parts, -1)

    def items(self):
        """(I,d_i)"""
        return self._with_attributes("item", self.ids["items"])

    def users(self):
        """(U,d_u), those of the rows first."""
        return self._with_attributes("user", self.ids["users"])

    def words(self):
        """(V, word width)"""
        return self["query.word"][self.ids["words"]]

    def mean_words(self):
        """(Q, word width)"""
        shape = (len(self.ids["queries"]), self.config["window"]["words"])
        mask = self.input("wordMask", *shape).unsqueeze(-1)
        vectors = self.words()[self.input("queryWords", *shape)]
        return (vectors * mask).sum(1) / mask.sum(1).clamp(min=1)

    def queries(self):
        """(Q,d_q)"""
        return torch.cat([self["query.id"][self.ids["queries"]], self.mean_words()], -1)

    # Histories.

    def feed(self):
        """Slots (B,T_r), and where they are real."""
        shape = (self.rows, self.sizes["feed"])
        return self.input("feed", *shape), self.input("feedMask", *shape) == 1

    def searches(self):
        """Slots (B,T_s), and where they are real."""
        shape = (self.rows, self.sizes["search"])
        return self.input("search", *shape), self.input("searchMask", *shape) == 1

    def clicks(self):
        """Slots (B,T_s,K), and where they are real."""
        shape = (self.rows, self.sizes["search"], self.config["window"]["clicks"])
        return self.input("clicks", *shape), self.input("clickMask", *shape) == 1

    def candidates(self):
        """Slots (B,C), the positive first."""
        return self.input("candidates", self.rows, self.sizes["candidates"])

    # Layers.

    def linear(self, name, x):
        return F.linear(x, self[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def norm(self, name, x, epsilon):
        return F.layer_norm(x, x.shape[-1:], self[f"{name}.weight"], self[f"{name}.bias"], epsilon)

    def dice(self, name, x):
        """p x + (1 - p) alpha x (sheet 3), p the sigmoid of a learned scale and shift in place of the batch's statistics."""
        p = torch.sigmoid(self[f"{name}.scale"] * x + self[f"{name}.shift"])
        return p * x + (1 - p) * self[f"{name}.alpha"] * x

    def mlp(self, name, x, activation):
        """Linear layers name.0, name.1, … with an activation between them: a function, or 'dice'."""
        layer = 0
        while True:
            x = self.linear(f"{name}.{layer}", x)
            if not self.has(f"{name}.{layer + 1}.weight"):
                return x
            x = self.dice(f"{name}.{layer}", x) if activation == "dice" else activation(x)
            layer += 1

    def multi_head(self, name, query, memory, allowed):
        """Attention with projections. query (B,S,d), memory (B,T,d); allowed: what may be seen, broadcast to (B,heads,S,T)."""
        heads = self.config["heads"]

        def split(x):
            return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(
            split(self.linear(f"{name}.query", query)),
            split(self.linear(f"{name}.key", memory)),
            split(self.linear(f"{name}.value", memory)),
            attn_mask=allowed,
        )
        return self.linear(f"{name}.output", mixed.transpose(1, 2).reshape(query.shape))


def last(x, mask):
    """The state at the last real position, zeros where there is none. x (B,T,d), mask (B,T)."""
    lengths = mask.sum(1)
    rows = [x[row, length - 1] if length > 0 else torch.zeros_like(x[row, 0]) for row, length in enumerate(lengths)]
    return torch.stack(rows)


def masked_softmax(scores, mask):
    """Over the last axis; zeros where nothing is in the mask."""
    mask = mask.expand_as(scores)
    weights = torch.softmax(scores.masked_fill(~mask, -1e30), -1)
    return weights * mask


def mean_of(x, mask):
    """The mean over the positions of the mask, zeros where there are none. x (…,T,d), mask (…,T)."""
    weights = mask.to(x.dtype).unsqueeze(-1)
    return (x * weights).sum(-2) / weights.sum(-2).clamp(min=1)


def cross_entropy(logits):
    """The shared loss (sheet 0.3): binary, the positive in column 0, mean over all entries."""
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    return F.binary_cross_entropy_with_logits(logits, labels)


def scores_of(users, candidates):
    """<u, e_v>. users (B,d), candidates (B,C,d)."""
    return (users.unsqueeze(1) * candidates).sum(-1)


class Answer:
    """Logits, the losses by name before their weights, and the weights of those beside the prediction."""

    def __init__(self, logits, prediction=None, others=None):
        self.logits = logits
        self.prediction = cross_entropy(logits) if prediction is None else prediction
        self.others = others or {}

    def loss(self):
        return self.prediction + sum(weight * loss for loss, weight in self.others.values())
