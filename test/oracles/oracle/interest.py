"""DIN, DIEN, JSR, IV4REC: models in which the candidate looks at the feed (sheets 3, 6, 9, 10 of models.md, and their papers)."""

import torch
import torch.nn.functional as F

from .question import Answer, cross_entropy, masked_softmax
from .sequential import gru_states


def din_logits(q, items):
    """Zhou et al. 2018, section 4. items: the vectors (I,d) of history and candidates."""
    slots, mask = q.feed()
    history, candidates = items[slots], items[q.candidates()]
    shape = (q.rows, candidates.shape[1], history.shape[1], items.shape[1])
    query, key = candidates.unsqueeze(2).expand(shape), history.unsqueeze(1).expand(shape)
    features = torch.cat([query, key, query - key, query * key], -1)
    weights = q.mlp("attention", features, "dice").squeeze(-1) * mask.unsqueeze(1)  # no softmax
    if q.config["scaleAttention"]:
        weights = weights / shape[-1] ** 0.5
    interest = torch.einsum("bct,btd->bcd", weights, history)
    parts = [candidates, interest, candidates * interest]
    if q.config["useUser"]:
        parts.insert(0, q.users()[: q.rows].unsqueeze(1).expand(-1, shape[1], -1))
    return q.mlp("prediction", torch.cat(parts, -1), "dice").squeeze(-1)


def din(q):
    return Answer(din_logits(q, q.items()))


def dien(q):
    """Zhou et al. 2019."""
    items = q.items()
    slots, mask = q.feed()
    history, candidates = items[slots], items[q.candidates()]
    interests = gru_states(q, "interest", history, mask)

    # a = softmax over the real positions of h^T W q
    scores = torch.einsum("bth,hd,bcd->bct", interests, q["attention.weight"], candidates)
    attention = masked_softmax(scores, mask.unsqueeze(1))

    # the attentional update gate: a = 0 leaves the state as it is
    width = items.shape[1]
    inputs = F.linear(interests, q["evolution.input.weight"]).split(width, -1)
    state = torch.zeros_like(candidates)
    for at in range(slots.shape[1]):
        recurrent = F.linear(state, q["evolution.recurrent.weight"]).split(width, -1)
        reset, update = (torch.sigmoid(inputs[gate][:, at].unsqueeze(1) + recurrent[gate]) for gate in (0, 1))
        new = torch.tanh(inputs[2][:, at].unsqueeze(1) + reset * recurrent[2])
        pace = attention[:, :, at].unsqueeze(-1) * update
        following = (1 - pace) * state + pace * new
        state = torch.where(mask[:, at].reshape(-1, 1, 1), following, state)

    parts = [state, candidates]
    if q.config["useUser"]:
        parts.append(q.users()[: q.rows].unsqueeze(1).expand(-1, candidates.shape[1], -1))
    logits = q.mlp("prediction", torch.cat(parts, -1), "dice").squeeze(-1)

    # each interest tells the next item from one that was not; t = 1 … len - 1, so never the target
    negatives = items[q.input("feedNegatives", *slots.shape)]
    terms = []
    for row, length in enumerate(mask.sum(1).tolist()):
        for at in range(length - 1):
            for following, sign in ((history[row, at + 1], 1), (negatives[row, at + 1], -1)):
                logit = q.mlp("auxiliary", torch.cat([interests[row, at], following]), "dice")
                terms.append(-F.logsigmoid(sign * logit.squeeze()))
    auxiliary = torch.stack(terms).mean() if terms else torch.zeros(())
    return Answer(logits, others={"nextBehaviour": (auxiliary, q.config["alpha"])})


def jsr(q):
    """Zamani and Croft 2018 (`retrieval`) and 2020 (`reconstruct`), over DIN."""
    items = q.items()
    logits = din_logits(q, items)
    weight = q.config["searchWeight"]
    if q.config["variant"] == "retrieval":
        queries = F.relu(q.linear("retrieval.query", q.queries()[q.input("searchPairQuery", q.rows)]))
        others = F.relu(q.linear("retrieval.item", items[q.input("searchPairItems", q.rows, -1)]))
        found = q.mlp("retrieval.prediction", queries.unsqueeze(1) * others, F.relu).squeeze(-1)
        return Answer(logits, others={"retrieval": (cross_entropy(found), weight)})
    return Answer(logits, others={"reconstruction": (reconstruction(q, items), weight)})


def reconstruction(q, items):
    """- sum_w t(w) log p(w|i) for the target of each row, p a softmax of E_word (M e_i); targets without a text count nothing."""
    told = q.linear("text.projection", items[q.candidates()[:, 0]])  # (B, word width)
    words = q.words()
    texts = [{} for _ in range(q.rows)]
    pairs = (q.input(name, -1).tolist() for name in ("textRow", "textWord", "textShare"))
    for row, word, share in zip(*pairs):
        if share > 0:
            texts[row][word] = texts[row].get(word, 0) + share
    total = torch.zeros(())
    for row, text in enumerate(texts):
        if not text:
            continue
        assert abs(sum(text.values()) - 1) < 1e-6
        if "vocabularyMask" in q._inputs:
            real = q.input("vocabularyMask", -1) == 1
            logs = torch.log_softmax((words @ told[row]).masked_fill(~real, -1e30), 0)
            total = total - sum(share * logs[word] for word, share in text.items())
        else:
            # binary: one word of the text, in the mean over it, and words that are not of it; mean over all of these
            negatives = words[q.input("textNegatives", q.rows, -1)[row]] @ told[row]
            positive = sum(share * F.softplus(-(words[word] @ told[row])) for word, share in text.items())
            total = total + (positive + F.softplus(negatives).sum()) / (1 + len(negatives))
    return total / q.rows


def iv4rec(q):
    """Si et al. 2022: items are rebuilt from what their queries explain of them and what they do not; then DIN."""
    treatment = q.items()
    for layer in range(q.config["treatmentLayers"]):
        treatment = torch.tanh(q.linear(f"treatment.{layer}", treatment))
    count = q.config["queriesPerItem"]
    slots = q.input("itemQueries", -1, count)
    mask = q.input("itemQueryMask", -1, count)
    queries = q.linear("query.projection", q.queries())
    instruments = queries[slots] * mask.unsqueeze(-1)  # (I,N,d), the columns of Z; absent ones zero

    fitted = []
    for z, t, real in zip(instruments, treatment, mask.sum(1)):
        if real == 0:
            fitted.append(torch.zeros_like(t))
            continue
        gram = z @ z.T
        ridge = q.config["ridge"] * torch.trace(gram) / count
        inverse = torch.linalg.inv(gram + ridge * torch.eye(count))
        if q.config["detachProjector"]:
            inverse = inverse.detach()
        fitted.append(z.T @ (inverse @ (z @ t)))
    fitted = torch.stack(fitted)

    seen = torch.cat([treatment, instruments.flatten(1)], -1)
    gates = [torch.sigmoid(q.mlp(f"gate.{name}", seen, torch.tanh)) for name in ("fitted", "residual")]
    other = treatment - fitted if q.config["residual"] else treatment
    return Answer(din_logits(q, gates[0] * fitted + gates[1] * other))


ORACLES = {"din": din, "dien": dien, "jsr": jsr, "iv4rec": iv4rec}
