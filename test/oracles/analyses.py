"""What the analyses should say of made-up numbers: `python analyses.py OUT.json`. See README.md.

Written from the definitions, with numpy and the standard library, by pairs and by loops, so that it shares nothing with how the
analyses count.
"""

import json
import math
import sys

import numpy as np

random = np.random.default_rng(20260124)


def jensen_shannon(one, other):
    p, q = np.array(one) / np.sum(one), np.array(other) / np.sum(other)
    m = (p + q) / 2

    def divergence(a):
        own = a > 0
        return np.sum(a[own] * np.log2(a[own] / m[own]))

    return divergence(p) / 2 + divergence(q) / 2


def area(scores, positive):
    scores, positive = np.array(scores, dtype=float), np.array(positive, dtype=bool)
    above = scores[positive][:, None] - scores[~positive][None, :]
    return None if above.size == 0 else float(np.mean((above > 0) + 0.5 * (above == 0)))


def box(values):
    first, median, third = np.percentile(values, [25, 50, 75])
    reach = 1.5 * (third - first)
    within = [value for value in values if first - reach <= value <= third + reach]
    return {
        "mean": float(np.mean(values)),
        "quartiles": [first, median, third],
        "whiskers": [min(within), max(within)],
        "outliers": len(values) - len(within),
    }


def sign_test(positive, negative):
    trials = positive + negative
    tail = sum(math.comb(trials, k) for k in range(min(positive, negative) + 1))
    return min(1.0, 2 * tail / 2**trials)


def window():
    """The actions of one user: lane, cause, score (with many ties) and side."""
    kinds = {"feed": ["shared", "feed-only", "exploration"], "search": ["shared", "shared", "search-only"]}
    return [
        {
            "lane": lane,
            "category": f"c{random.integers(4)}",
            "interest": str(random.choice(kinds[lane])),
            "score": float(random.integers(6) / 4),
            "isSimilar": bool(random.integers(2)),
        }
        for lane, count in (("feed", random.integers(3, 8)), ("search", random.integers(1, 8)))
        for _ in range(count)
    ]


def is_similar(action, actions, reading):
    others = [other for other in actions if other["lane"] != action["lane"]]
    if reading == "kind":
        return action["interest"] == "shared"
    if reading == "category":
        return any(other["category"] == action["category"] for other in others)
    return action["interest"] != "exploration" and any(
        (other["category"], other["interest"]) == (action["category"], action["interest"]) for other in others
    )


def figures(windows, reading, lane):
    users = []
    for actions in windows:
        own = [(action, is_similar(action, actions, reading)) for action in actions if action["lane"] == lane]
        users.append([(action["score"], action["isSimilar"], truth) for action, truth in own])
    everything = [entry for user in users for entry in user]

    def share(entries, of, to):
        base = [entry for entry in entries if to(entry)]
        return None if not base else sum(1 for entry in base if of(entry)) / len(base)

    def two_ways(measure):
        values = [value for value in (measure(user) for user in users) if value is not None]
        return {"perUser": float(np.mean(values)), "users": len(values), "pooled": measure(everything)}

    def both(entry):
        return entry[1] and entry[2]

    return {
        "actions": len(everything),
        "similar": float(np.mean([truth for _, _, truth in everything])),
        "auc": two_ways(lambda user: area([entry[0] for entry in user], [entry[2] for entry in user])),
        "precision": two_ways(lambda user: share(user, both, lambda entry: entry[1])),
        "recall": two_ways(lambda user: share(user, both, lambda entry: entry[2])),
    }


def main(out):
    counts = [(random.integers(0, 5, 6), random.integers(0, 4, 6)) for _ in range(12)]
    scored = [(random.integers(0, 5, size) / 4, random.integers(0, 2, size)) for size in (4, 9, 40)]
    samples = [np.round(random.standard_t(2, size), 6) for size in (5, 8, 31)]
    signs = [(8, 2), (3, 3), (0, 7), (60, 41), (700, 800)]
    windows = [window() for _ in range(14)]
    document = {
        "jensenShannon": [
            {"one": one.tolist(), "other": other.tolist(), "answer": float(jensen_shannon(one, other))}
            for one, other in counts
        ],
        "auc": [
            {"scores": scores.tolist(), "positive": positive.tolist(), "answer": area(scores, positive)}
            for scores, positive in scored
        ],
        "box": [{"values": values.tolist(), "answer": box(values.tolist())} for values in samples],
        "signTest": [{"positive": p, "negative": n, "answer": sign_test(p, n)} for p, n in signs],
        "planted": {
            "windows": windows,
            "answers": {
                reading: {lane: figures(windows, reading, lane) for lane in ("feed", "search")}
                for reading in ("interest", "category", "kind")
            },
        },
    }
    with open(out, "w") as file:
        json.dump(document, file, separators=(",", ":"), allow_nan=False)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
