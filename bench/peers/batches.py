"""Batches and settings as bench/step.ts writes them. Knows the files; does not know the model.

`batches.safetensors` holds what a data loader would hand out, as whole numbers in float32 (below 2^24): per step the padded
rows, and once the catalogue, what is known of every query, item and user. 0 pads, on the right.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model import Settings

FIELDS = ("users", "feed", "search", "source", "clicks", "candidates", "negative_items", "negative_queries")


@dataclass
class Catalogue:
    query_row: np.ndarray  # (queries) row of the embedding table
    query_words: np.ndarray  # (queries, W)
    item_attributes: list[np.ndarray]  # each (items)
    user_attributes: list[np.ndarray]  # each (users)


@dataclass
class Batch:
    """Indices into the catalogue."""

    users: np.ndarray  # (B)
    feed: np.ndarray  # (B,T_r) items
    search: np.ndarray  # (B,T_s) queries
    source: np.ndarray  # (B,T_s)
    clicks: np.ndarray  # (B,T_s,K) items
    candidates: np.ndarray  # (B,C) items, the positive first
    negative_items: np.ndarray  # (N)
    negative_queries: np.ndarray  # (N)

    def __post_init__(self):
        if not (self.feed.any(1).all() and self.search.any(1).all()):
            raise SystemExit("every row needs a feed and a search history: without one the attention has nothing to look at")


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    result = {}
    for name, entry in header.items():
        if entry["dtype"] != "F32":
            raise SystemExit(f"{path}: {name} is {entry['dtype']}, only F32 is read")
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        result[name] = np.frombuffer(data[start:end], np.float32).reshape(entry["shape"])
    return result


def read_workload(directory: Path) -> tuple[Settings, Catalogue, list[Batch]]:
    written = json.loads((directory / "settings.json").read_text())
    for name in ("item_attributes", "user_attributes"):
        written[name] = tuple(tuple(size) for size in written[name])
    settings = Settings(**{**written, "hidden": tuple(written["hidden"])})
    tensors = {name: values.astype(np.int64) for name, values in read_safetensors(directory / "batches.safetensors").items()}
    catalogue = Catalogue(
        tensors["query_row"],
        tensors["query_words"],
        [tensors[f"item_attribute {i}"] for i in range(len(settings.item_attributes))],
        [tensors[f"user_attribute {i}"] for i in range(len(settings.user_attributes))],
    )
    steps = 0
    while f"step {steps} users" in tensors:
        steps += 1
    batches = [Batch(**{field: tensors[f"step {step} {field}"] for field in FIELDS}) for step in range(steps)]
    return settings, catalogue, batches
