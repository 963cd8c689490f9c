"""STAMP, GRU4Rec, SASRec, FMLP-Rec: models that sum up the feed as one vector (sheets 2, 4, 5, 7 of models.md, and their papers)."""

import torch
import torch.nn.functional as F
from torch import nn

from .question import Answer, last, mean_of, scores_of


def stamp(q):
    """Liu et al. 2018, Eq. 3 to 10; the logit is the product itself."""
    items = q.items()
    slots, mask = q.feed()
    x = items[slots]
    mean = mean_of(x, mask)
    newest = last(x, mask)
    inside = (
        q.linear("attention.item", x)
        + q.linear("attention.last", newest).unsqueeze(1)
        + q.linear("attention.mean", mean).unsqueeze(1)
        + q["attention.bias"]
    )
    weights = q.linear("attention.score", torch.sigmoid(inside)) * mask.unsqueeze(-1)  # no softmax
    memory = (weights * x).sum(1)
    if q.config["addMean"]:
        memory = memory + mean
    user = torch.tanh(q.linear("general", memory)) * torch.tanh(q.linear("current", newest))
    return Answer(scores_of(user, items[q.candidates()]))


def gru_states(q, name, x, mask):
    """torch.nn.GRU without biases on the real positions; zeros elsewhere. Its rows are those of reset, update and new gate."""
    input_weight, recurrent_weight = q[f"{name}.input.weight"], q[f"{name}.recurrent.weight"]
    unit = nn.GRU(x.shape[-1], recurrent_weight.shape[1], bias=False, batch_first=True)
    weights = {"weight_ih_l0": input_weight, "weight_hh_l0": recurrent_weight}
    states = torch.zeros(*x.shape[:2], recurrent_weight.shape[1])
    for row, length in enumerate(mask.sum(1).tolist()):
        if length > 0:
            found, _ = torch.func.functional_call(unit, weights, (x[row : row + 1, :length],))
            states = states.index_put((torch.tensor(row), torch.arange(length)), found[0])
    return states


def gru4rec(q):
    """Hidasi et al. 2016."""
    items = q.items()
    slots, mask = q.feed()
    states = items[slots]
    for layer in range(q.config["layers"]):
        states = gru_states(q, f"gru.{layer}", states, mask)
    return Answer(scores_of(q.linear("output", last(states, mask)), items[q.candidates()]))


def causal(mask):
    """What a position sees: itself and the real ones before it. A row of the mask without any sees the first, to stay finite."""
    length = mask.shape[1]
    seen = mask.clone()
    seen[:, 0] = True
    return torch.ones(length, length, dtype=torch.bool).tril() & seen[:, None, None, :]


def sasrec(q):
    """Kang and McAuley 2018, with the blocks of RecBole (post-norm, GELU, an inner width of 4 d, a norm on the input) or as published."""
    items = q.items()
    if q.config["norm"] != "post":
        return sasrec_as_published(q, items, q.config["norm"] == "code")

    def states(lane, x, mask):
        hidden = q.norm(f"{lane}.norm", x + q[f"{lane}.position"][: x.shape[1]], 1e-12)
        for block in range(q.config["blocks"]):
            name = f"{lane}.encoder.{block}"
            attended = q.multi_head(f"{name}.attention", hidden, hidden, causal(mask))
            hidden = q.norm(f"{name}.attention.norm", hidden + attended, 1e-12)
            inner = F.gelu(q.linear(f"{name}.feedForward.inner", hidden))
            outer = q.linear(f"{name}.feedForward.outer", inner)
            hidden = q.norm(f"{name}.feedForward.norm", hidden + outer, 1e-12)
        return hidden

    slots, mask = q.feed()
    hidden = states("feed", items[slots], mask)
    user = last(hidden, mask)
    if q.config["useSearches"]:
        searched, search_mask = q.searches()
        clicks, click_mask = q.clicks()
        queries = q.linear("query.projection", q.queries())[searched]
        asked = queries + mean_of(items[clicks], click_mask)
        user = user + q.linear("search.told", last(states("search", asked, search_mask), search_mask))
    logits = scores_of(user, items[q.candidates()])
    if q.config["trainOn"] == "last":
        return Answer(logits)
    return Answer(logits, prediction=every_place(q, items, hidden, slots, mask))


def sasrec_as_published(q, items, in_code):
    """
    Section III of the paper: items times sqrt d, norms on what goes into a layer (on the queries alone), one more at the end. In
    released code (Kang's, and pmixer's in PyTorch) the feed-forward layer has its residual inside, so that it is of the normed input.
    """
    slots, mask = q.feed()
    x = items[slots]
    hidden = x * x.shape[-1] ** 0.5 + q["feed.position"][: x.shape[1]]
    for block in range(q.config["blocks"]):
        hidden = pre_norm_block(q, f"feed.encoder.{block}", hidden, causal(mask), 1e-12, in_code)
    hidden = q.norm("feed.last.norm", hidden, 1e-12)
    logits = scores_of(last(hidden, mask), items[q.candidates()])
    return Answer(logits, prediction=every_place(q, items, hidden, slots, mask))


def pre_norm_block(q, name, hidden, allowed, epsilon, in_code=False):
    """Each layer reads its input normed, keys and values as they are, and adds what it finds; `in_code` the second to its normed input."""
    asking = q.norm(f"{name}.attention.norm", hidden, epsilon)
    hidden = hidden + q.multi_head(f"{name}.attention", asking, hidden, allowed)
    normed = q.norm(f"{name}.feedForward.norm", hidden, epsilon)
    inner = torch.relu(q.linear(f"{name}.feedForward.inner", normed))
    return (normed if in_code else hidden) + q.linear(f"{name}.feedForward.outer", inner)


def every_place(q, items, hidden, slots, mask, more=lambda row, place, slot: 0.0, sample="sharedItem"):
    """
    At each real place the item that comes next; after the newest that is the positive. Mean over all places of the batch. `more`: what a
    sampled softmax adds to the product of a place and an item; `sample`: the input that has its items.
    """
    extras = q.sizes["extras"]["places"]
    places = q.input("places", extras).tolist()
    length = slots.shape[1]
    positives = q.candidates()[:, 0]
    real = [(row, at) for row in range(q.rows) for at in range(length) if mask[row, at]]
    assert [row * length + at for row, at in real] == places[: len(real)]
    losses = []
    for place, (row, at) in enumerate(real):
        is_newest = at + 1 == length or not mask[row, at + 1]
        following = positives[row] if is_newest else slots[row, at + 1]
        state = hidden[row, at]
        if q.config["trainOn"] == "fullSoftmax":
            every = items[q.input("everyItem", -1)] @ state  # the whole catalogue
            losses.append(torch.logsumexp(every, 0) - items[following] @ state)
        elif q.has_input(sample):
            # each of the sample stands for as many others; the next item for itself, and for nobody where it was drawn
            drawn = q.input(sample, -1)
            weight = (q.config["sizes"]["items"] - 2) / len(drawn)  # without padding and unknown
            others = [items[slot] @ state + more(row, at, slot) for slot in drawn.tolist() if slot != following]
            right = items[following] @ state + more(row, at, following)
            total = torch.exp(right) + weight * sum(torch.exp(score) for score in others)
            losses.append(torch.log(total) - right)
        else:
            # binary cross-entropy of the next item and the mean of that of the negatives
            negatives = items[q.input("placeNegatives", extras, -1)[place]] @ state
            losses.append(F.softplus(-(items[following] @ state)) + F.softplus(negatives).mean())
    return torch.stack(losses).mean()


def fmlp_rec(q):
    """Zhou et al. 2022. The feed is padded on the left to the whole window, and nothing is masked unless `maskPadding`."""
    items = q.items()
    slots, mask = q.feed()
    window = q.config["window"]["feed"]
    aligned = torch.zeros(q.rows, window, dtype=torch.long)
    real = torch.zeros(q.rows, window, dtype=torch.bool)
    for row, length in enumerate(mask.sum(1).tolist()):
        aligned[row, window - length :] = slots[row, :length]
        real[row, window - length :] = True
    hidden = q.norm("input.norm", items[aligned] + q["feed.position"], 1e-12)
    for block in range(q.config["blocks"]):
        name = f"block.{block}"
        seen = hidden * real.unsqueeze(-1) if q.config["maskPadding"] else hidden
        spectrum = torch.fft.rfft(seen, dim=1, norm="ortho")
        filtered = torch.fft.irfft(
            spectrum * torch.view_as_complex(q[f"{name}.filter"]), n=window, dim=1, norm="ortho"
        )
        hidden = q.norm(f"{name}.norm", hidden + filtered, 1e-12)
        inner = F.gelu(q.linear(f"{name}.feedForward.inner", hidden))
        hidden = q.norm(f"{name}.feedForward.norm", hidden + q.linear(f"{name}.feedForward.outer", inner), 1e-12)
    return Answer(scores_of(hidden[:, -1], items[q.candidates()]))


ORACLES = {"stamp": stamp, "gru4rec": gru4rec, "sasrec": sasrec, "fmlp-rec": fmlp_rec}
