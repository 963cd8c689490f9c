"""A second version of the metrics that are more than a formula: `python metrics.py FIXTURE`. See README.md.

Corrections of sampled metrics from exact binomial coefficients and dense matrices, list metrics by their textbook forms, and
Kendall's tau by counting pairs. Questions are drawn here, with a fixed seed, and written beside the answers. Needs numpy.
"""

import itertools
import json
import math
import sys

import numpy as np

METRICS = {
    "hit@1": lambda rank: float(rank <= 1),
    "hit@10": lambda rank: float(rank <= 10),
    "ndcg@5": lambda rank: 1 / math.log2(rank + 1) if rank <= 5 else 0.0,
    "ndcg@10": lambda rank: 1 / math.log2(rank + 1) if rank <= 10 else 0.0,
    "mrr": lambda rank: 1 / rank,
}


def rounded(values):
    return [float(f"{value:.10g}") for value in np.ravel(values)]


def chances(n, m):
    """P(sampled | exact), (n, m + 1), by exact integers."""
    draws = math.comb(n - 1, m)
    return np.array([[math.comb(r - 1, k) * math.comb(n - r, m - k) / draws for k in range(m + 1)] for r in range(1, n + 1)])


def unbiased_rank(metric, n, m):
    return [metric(1 + (n - 1) * k / m) for k in range(m + 1)]


def bias_variance(metric, n, m, gamma):
    """As a stacked least-squares problem: bias in the first rows, and under them a row for each rank's deviations."""
    p = chances(n, m)
    target = np.array([metric(r) for r in range(1, n + 1)])
    rows, right = [np.sqrt(1 / n) * p], [np.sqrt(1 / n) * target]
    for r in range(n):
        # Var = sum_k P(k) (x_k - E x)^2
        deviations = np.sqrt(gamma / n * p[r])[:, None] * (np.eye(m + 1) - p[r][None, :])
        rows.append(deviations)
        right.append(np.zeros(m + 1))
    return np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0]


def least_bias_by_trying(metric, n, m):
    """Non-negative, never growing: the best of all choices of where there is a step at all."""
    p = chances(n, m)
    target = np.array([metric(r) for r in range(1, n + 1)])
    steps = p @ np.triu(np.ones((m + 1, m + 1)))  # a step at k counts for all sampled ranks up to it
    best = (target @ target, np.zeros(m + 1))
    for size in range(1, m + 2):
        for chosen in itertools.combinations(range(m + 1), size):
            heights = np.linalg.lstsq(steps[:, chosen], target, rcond=None)[0]
            if np.all(heights >= 0):
                rest = steps[:, chosen] @ heights - target
                if rest @ rest < best[0] - 1e-15:
                    x = np.zeros(m + 1)
                    x[list(chosen)] = heights
                    best = (rest @ rest, x)
    return np.triu(np.ones((m + 1, m + 1))) @ best[1]


def corrections():
    for n, m in [(5, 2), (30, 4), (12, 11), (60, 8)]:
        yield {
            "items": n,
            "candidates": m,
            "unbiasedRank": {name: rounded(unbiased_rank(metric, n, m)) for name, metric in METRICS.items()},
            "leastBias": {name: rounded(least_bias_by_trying(metric, n, m)) for name, metric in METRICS.items()},
            "biasVariance": [
                {"gamma": gamma, "values": {name: rounded(bias_variance(metric, n, m, gamma)) for name, metric in METRICS.items()}}
                for gamma in (1, 0.1, 0.01)
            ],
        }
    n, m = 400, 99  # as many candidates as the paper's protocol
    yield {
        "items": n,
        "candidates": m,
        "unbiasedRank": {},
        "leastBias": {},
        "biasVariance": [{"gamma": 0.1, "values": {"ndcg@10": rounded(bias_variance(METRICS["ndcg@10"], n, m, 0.1))}}],
    }


def gini(shown):
    """Half the mean absolute difference over the mean."""
    return np.abs(shown[:, None] - shown[None, :]).mean() / 2 / shown.mean()


def lists(random):
    items, users, length = 40, 25, 6
    events = np.concatenate([[0, 0], random.geometric(0.05, items) - 1])
    categories = np.concatenate([[0, 0], random.integers(0, 5, items)])  # 0: none
    weights = (events[2:] + 1) / (events[2:] + 1).sum()
    shown_lists = np.array([2 + random.choice(items, length, replace=False, p=weights) for _ in range(users)])
    histories = [(2 + random.integers(0, items, random.integers(0, 9))).tolist() for _ in range(users)]
    shown = np.array([(shown_lists == item).sum() for item in range(2, items + 2)], dtype=float)
    share = np.maximum(events, 1) / events.sum()
    diversities = []
    for row in shown_lists:
        pairs = [(categories[a], categories[b]) for a, b in itertools.combinations(row, 2)]
        pairs = [(a, b) for a, b in pairs if a and b]
        if pairs:
            diversities.append(np.mean([a != b for a, b in pairs]))
    popularity = np.mean([events[row].mean() for row in shown_lists])
    before = np.mean([events[row].mean() for row in histories if row])
    return {
        "events": events.tolist(),
        "categories": categories.tolist(),
        "lists": shown_lists.tolist(),
        "histories": histories,
        "coverage": float((shown > 0).mean()),
        "gini": rounded(gini(shown))[0],
        "novelty": rounded(np.mean(-np.log2(share[shown_lists])))[0],
        "diversity": rounded(np.mean(diversities))[0],
        "popularityLift": rounded(popularity / before - 1)[0],
    }


def tau(random):
    for size, levels in [(7, 1000), (12, 4), (17, 8)]:
        one, other = random.integers(0, levels, size), random.integers(0, levels, size)
        other = np.where(random.random(size) < 0.5, one, other)
        agree = np.sign(one[:, None] - one) * np.sign(other[:, None] - other)
        value = agree.sum() / np.sqrt((one[:, None] != one).sum() * (other[:, None] != other).sum())
        yield {"one": one.tolist(), "other": other.tolist(), "tau": rounded(value)[0]}


def main(path):
    random = np.random.default_rng(6)
    document = {"corrections": list(corrections()), "lists": lists(random), "tau": list(tau(random))}
    with open(path, "w") as file:
        file.write(json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
