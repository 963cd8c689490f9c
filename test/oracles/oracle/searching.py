"""NRHUB, Query-SeqRec, SRJGraph, UniSAR: models that look at searches (sheets 8, 11, 12, 13 of models.md, and their papers)."""

import torch
import torch.nn.functional as F
from torch import nn

from .question import Answer, cross_entropy, last, masked_softmax, mean_of, scores_of
from .sequential import causal, every_place, pre_norm_block


def additive_attention(q, name, x, mask):
    """v^T tanh(U x + b), softmax over the mask; the mean of x itself. Zeros where nothing is. x (B,N,d), mask (B,N)."""
    scores = q.linear(f"{name}.score", torch.tanh(q.linear(f"{name}.projection", x))).squeeze(-1)
    return torch.einsum("bn,bnd->bd", masked_softmax(scores, mask), x)


def nrhub(q):
    """Wu et al. 2019, as adapted in the repository of IV4REC."""
    items = q.items()
    feed, feed_mask = q.feed()
    searches, search_mask = q.searches()
    clicks, click_mask = q.clicks()
    views = {
        "feed": (items[feed], feed_mask),
        "search": (q.linear("query.projection", q.queries())[searches], search_mask),
        "clicks": (items[clicks.flatten(1)], click_mask.flatten(1)),
    }
    pooled = [additive_attention(q, f"{name}.attention", *view) for name, view in views.items()]
    there = torch.stack([mask.any(1) for _, mask in views.values()], 1)
    stacked = torch.tanh(q.linear("view", torch.stack(pooled, 1)))
    user = additive_attention(q, "view.attention", stacked, there)
    return Answer(scores_of(user, torch.tanh(q.linear("candidate", items[q.candidates()]))))


def timeline(q, parts):
    """Tokens in order of time. parts: vectors (B,n,d) of feed, searches and, perhaps, clicks. Result (B,L,d), mask (B,L), kinds (B,L)."""
    places = q.input("timeline", q.rows, -1)
    mask = q.input("timelineMask", *places.shape) == 1
    tokens = torch.cat(parts, 1)
    ends = torch.tensor([part.shape[1] for part in parts]).cumsum(0)
    kinds = torch.searchsorted(ends, places % tokens.shape[1], right=True)
    return tokens.flatten(0, 1)[places] * mask.unsqueeze(-1), mask, kinds


def query_seqrec(q):
    """He et al. 2022: LN on the queries, a normal residual, a final LN; the replaced histories are what the batch holds."""
    items = q.items()
    queries = q.linear("query.projection", q.queries())
    types = q["token.type"]
    feed, _ = q.feed()
    searches, _ = q.searches()
    clicks, _ = q.clicks()
    parts = [items[feed] + types[0], queries[searches] + types[1]]
    if q.config["clickTokens"]:
        parts.append(items[clicks.flatten(1)] + types[0])
    tokens, mask, _ = timeline(q, parts)
    hidden = tokens + q["token.position"][: tokens.shape[1]]
    for block in range(q.config["blocks"]):
        name = f"encoder.{block}"
        asking = q.norm(f"{name}.attention.norm", hidden, 1e-8)
        hidden = hidden + q.multi_head(f"{name}.attention", asking, hidden, causal(mask))
        normed = q.norm(f"{name}.feedForward.norm", hidden, 1e-8)
        inner = F.relu(q.linear(f"{name}.feedForward.inner", normed))
        hidden = hidden + q.linear(f"{name}.feedForward.outer", inner)
    user = q.norm("encoder.norm", last(hidden, mask), 1e-8)
    return Answer(scores_of(user, items[q.candidates()]))


def srjgraph(q):
    """The design of sheet 12 without the upstream node (p = 0): two hops, root and inner nodes, a task intention."""
    raw_users, raw_items = q.users(), q.items()
    users, items = q.linear("projection.user", raw_users), q.linear("projection.item", raw_items)
    none = q["intention.none"]
    queries = torch.cat([none, q.linear("projection.query", q.queries())[1:]])

    def edges(name, kind, shape):
        ends = q.input(name, *shape)
        return (
            q.input(f"{kind}Ends", -1)[ends],
            queries[q.input(f"{kind}EndsQuery", -1)[ends]],
            q.input(f"{name}Mask", *shape) == 1,
        )

    def aggregate(name, node, neighbours, edge, mask, intention):
        """node (…,d); neighbours, edge (…,K,d); mask (…,K); intention broadcasts to edge."""
        message = F.relu(q.linear(f"{name}.message", torch.cat([neighbours, edge, neighbours * edge], -1)))
        here = node.unsqueeze(-2).expand_as(message)
        fit = edge * intention
        look = F.leaky_relu(q.linear(f"{name}.attention", torch.cat([here, message, fit], -1)))
        weights = masked_softmax(q.linear(f"{name}.score", look).squeeze(-1), mask)
        taken = (weights.unsqueeze(-1) * message).sum(-2)
        update = F.relu(q.linear(f"{name}.update", torch.cat([node, taken], -1)))
        return q.norm(f"{name}.norm", node + update, 1e-5)

    def informed_users(slots, prefix, intention):
        """h_u of users (B). intention (B,d)."""
        k1, k2 = q.config["contextItems"], q.config["neighbours"]
        met, met_edge, met_mask = edges(prefix, "item", (q.rows, k1))
        others, others_edge, others_mask = edges(f"{prefix}Users", "user", (q.rows, k1, k2))
        inner = aggregate(
            "aggregation.inner.item", items[met], users[others], others_edge, others_mask, intention[:, None, None]
        )
        return aggregate("aggregation.root.user", users[slots], inner, met_edge, met_mask, intention[:, None])

    def informed_items(slots, prefix, intention):
        """h_v of candidates (B,C)."""
        k2 = q.config["neighbours"]
        met, met_edge, met_mask = edges(f"{prefix}Users", "user", (*slots.shape, k2))
        others, others_edge, others_mask = edges(f"{prefix}Items", "item", (*slots.shape, k2, k2))
        inner = aggregate(
            "aggregation.inner.user", users[met], items[others], others_edge, others_mask, intention[:, None, None, None]
        )
        return aggregate("aggregation.root.item", items[slots], inner, met_edge, met_mask, intention[:, None, None])

    def logits(user_slots, context, candidates, prefix, intention):
        h_u = informed_users(user_slots, context, intention).unsqueeze(1)
        h_v = informed_items(candidates, prefix, intention)
        shape = (*candidates.shape, -1)
        parts = [
            h_u.expand(shape),
            h_v,
            h_u * h_v,
            intention.unsqueeze(1).expand(shape),
            raw_users[user_slots].unsqueeze(1).expand(shape),
            raw_items[candidates],
        ]
        return q.mlp("prediction", torch.cat(parts, -1), F.relu).squeeze(-1)

    nothing = none.expand(q.rows, -1)
    recommended = logits(torch.arange(q.rows), "context", q.candidates(), "candidate", nothing)
    weight = q.config["searchWeight"]
    if weight == 0:
        return Answer(recommended)
    found = logits(
        q.input("searchUser", q.rows),
        "searchContext",
        q.input("searchPairItems", q.rows, -1),
        "searchCandidate",
        queries[q.input("searchPairQuery", q.rows)],
    )
    return Answer(recommended, others={"search": (cross_entropy(found), weight)})


def attention_weights(q, name):
    """The weights of torch.nn.MultiheadAttention."""
    three = ("query", "key", "value")
    return {
        "in_proj_weight": torch.cat([q[f"{name}.{part}.weight"] for part in three]),
        "in_proj_bias": torch.cat([q[f"{name}.{part}.bias"] for part in three]),
        "out_proj.weight": q[f"{name}.output.weight"],
        "out_proj.bias": q[f"{name}.output.bias"],
    }


def layer_weights(q, name, attentions):
    """The weights of a layer of torch.nn's Transformers. attentions: what torch calls them, and what we do."""
    weights = {}
    for number, (theirs, ours) in enumerate(attentions.items(), 1):
        weights |= {f"{theirs}.{part}": weight for part, weight in attention_weights(q, f"{name}.{ours}").items()}
        weights |= {f"norm{number}.{part}": q[f"{name}.{ours}.norm.{part}"] for part in ("weight", "bias")}
    for part in ("weight", "bias"):
        weights[f"linear1.{part}"] = q[f"{name}.feedForward.inner.{part}"]
        weights[f"linear2.{part}"] = q[f"{name}.feedForward.outer.{part}"]
        weights[f"norm{len(attentions) + 1}.{part}"] = q[f"{name}.feedForward.norm.{part}"]
    return weights


def unisar(q):
    """Shi et al. 2024, recommendation only, on the layers of torch.nn, one row at a time without its padding."""
    width, heads, blocks = (q.config[name] for name in ("width", "heads", "blocks"))
    encoder = nn.TransformerEncoderLayer(width, heads, width, dropout=0, batch_first=True)
    decoder = nn.TransformerDecoderLayer(width, heads, width, dropout=0, batch_first=True)

    def encoded(name, x, blocked=None):
        for block in range(blocks):
            weights = layer_weights(q, f"{name}.{block}", {"self_attn": "attention"})
            x = torch.func.functional_call(encoder, weights, (x.unsqueeze(0),), {"src_mask": blocked})[0]
        return x

    def decoded(name, x, memory):
        for block in range(blocks):
            attentions = {"self_attn": "self.attention", "multihead_attn": "cross.attention"}
            weights = layer_weights(q, f"{name}.{block}", attentions)
            x = torch.func.functional_call(decoder, weights, (x.unsqueeze(0), memory.unsqueeze(0)))[0]
        return x

    items = torch.tanh(q.linear("item.projection", q.items()))
    queries = torch.tanh(q.linear("query.projection", q.mean_words()))
    users = torch.tanh(q.linear("userVector", q.users()[: q.rows]))
    feed, feed_mask = q.feed()
    searches, search_mask = q.searches()
    clicks, click_mask = q.clicks()
    tokens = {"feed": items[feed], "search": queries[searches] + mean_of(items[clicks], click_mask)}
    masks = {"feed": feed_mask, "search": search_mask}
    merged, merged_mask, kinds = timeline(q, list(tokens.values()))

    candidates = items[q.candidates()]
    interests = {lane: [] for lane in tokens}
    views = {lane: [] for lane in tokens}  # (row, cross view, own view) of the rows that have both lanes
    for row in range(q.rows):
        real = merged_mask[row]
        kind = kinds[row, real]
        own = {lane: tokens[lane][row, masks[lane][row]] for lane in tokens}
        has_both = all(len(x) > 0 for x in own.values())
        if has_both:
            placed = merged[row, real] + q["timeline.position"][: len(kind)]
            crossed = encoded("timeline.encoder", placed, blocked=kind[:, None] == kind[None, :])
        for number, (lane, x) in enumerate(own.items()):
            if len(x) == 0:
                interests[lane].append(torch.zeros_like(candidates[row]))
                continue
            alone = encoded(f"{lane}.encoder", x + q[f"{lane}.position"][: len(x)])
            # without the other lane there is nothing to look at but zeros
            memory = crossed[kind == number] if has_both else torch.zeros(1, width)
            fused = decoded(f"{lane}.fusion", alone, memory)
            scores = candidates[row] @ q[f"{lane}.interest.weight"].T @ fused.T  # h^T W e_v
            interests[lane].append(torch.softmax(scores, -1) @ fused)
            if has_both:
                views[lane].append((row, memory.mean(0), alone.mean(0)))

    features = [
        torch.stack(interests["feed"]),
        torch.stack(interests["search"]),
        candidates,
        users.unsqueeze(1).expand(candidates.shape),
    ]
    logits = q.mlp("prediction", torch.cat(features, -1), F.relu).squeeze(-1)
    contrast = sum(contrast_of(q, lane, found) for lane, found in views.items())
    return Answer(
        logits,
        others={
            "alignment": (alignment(q, items, queries), q.config["alignmentWeight"]),
            "contrast": (contrast, q.config["contrastWeight"]),
        },
    )


def contrast_of(q, lane, found):
    """Cross-entropy of a view's partner against all other views of its group of rows; mean over views, so over rows."""
    bilinear, temperature = q[f"{lane}.contrast.bilinear"], q[f"{lane}.contrast.temperature"]
    groups = {}
    for row, one, other in found:
        groups.setdefault(row // q.config["contrastRows"], []).append((one, other))
    losses = []
    for pairs in groups.values():
        z = torch.stack([one for one, _ in pairs] + [other for _, other in pairs])
        similarity = torch.tanh(z @ bilinear @ z.T) / temperature
        similarity = similarity.masked_fill(torch.eye(len(z), dtype=torch.bool), float("-inf"))
        partners = torch.arange(len(z)).roll(len(pairs))
        losses.append(F.cross_entropy(similarity, partners, reduction="none"))
    return torch.cat(losses).mean() if losses else torch.zeros(())


def alignment(q, items, queries, transposed=True):
    """
    SESRec's L_ali as its code has it (sheet 1.4, rows 10 to 13): pair in the denominator, mean over pairs, i^T W q the other way; or,
    as the text has it, q^T W i both ways.
    """
    bilinear, temperature = q["alignment.bilinear"], q["alignment.temperature"]
    counted = {}
    for kind, vectors in (("Item", items), ("Query", queries)):
        plural = {"Item": "Items", "Query": "Queries"}[kind]
        counts = q.input(f"negative{kind}Count", -1).long()
        counted[kind] = vectors[q.input(f"negative{plural}", -1)].repeat_interleave(counts, 0)

    def nce(anchor, positive, negatives, matrix=bilinear):
        logits = torch.tanh(torch.cat([positive.unsqueeze(0), negatives]) @ (anchor @ matrix)) / temperature
        return torch.logsumexp(logits, 0) - logits[0]

    # every query of a history with every item clicked in it
    slots, _ = q.searches()
    clicks, click_mask = q.clicks()
    losses = []
    for row, at, click in click_mask.nonzero().tolist():
        query, item = queries[slots[row, at]], items[clicks[row, at, click]]
        back = nce(item, query, counted["Query"], bilinear if transposed else bilinear.T)
        losses.append((nce(query, item, counted["Item"]) + back) / 2)
    return torch.stack(losses).mean() if losses else torch.zeros(())


def sesrec_every_place(q):
    """
    Preset `sesrec` (docs/preset.md): Eq. 1 without biases, a pre-norm causal Transformer (or SASRec's as programmed), one more attention from
    each place to the searches and clicks before its next item, cross-entropy over a weighed sample, and the alignment of Eq. 6 to 8. Votes are
    part of the score, or tell the next item by themselves and join in the ranking.
    """
    assert q.config["trainOn"] == "everyPlace"
    width = q.config["width"]
    seen = q["item.id"][q.ids["items"]] if q.config["itemVectorsOf"] == "ids" else q.items()
    items = q.linear("item.projection", seen)
    queries = q.linear("query.projection", q.queries())
    slots, mask = q.feed()
    places = slots.shape[1]
    hidden = items[slots] * width**0.5 + q["feed.position"][:places]
    for block in range(q.config["blocks"]):
        hidden = pre_norm_block(q, f"feed.encoder.{block}", hidden, causal(mask), 1e-8, q.config["norm"] == "code")

    searched, _ = q.searches()
    clicked, _ = q.clicks()
    sources = q["search.source"][q.input("searchSource", *searched.shape)]
    tokens = torch.cat(
        [
            queries[searched] * width**0.5 + sources,
            (items[clicked] * width**0.5).flatten(1, 2) + q["search.click"],
        ],
        1,
    )
    kinds = q.input("searchAge", q.rows, places, tokens.shape[1])
    told = torch.zeros_like(hidden)
    for row in range(q.rows):
        for place in range(places):
            known = [at for at in range(tokens.shape[1]) if kinds[row, place, at] > 0]
            if not known:
                continue
            asked = q.linear("search.attention.query", q.norm("search.attention.norm", hidden[row, place], 1e-8))
            scores = []
            for at in known:
                kind = int(kinds[row, place, at])
                age, is_since = (kind + 1) // 2, kind % 2 == 0
                recency = float(is_since) - (age - 1) / 2 + 10 * q["search.attention.age"][kind]
                scores.append(asked @ q.linear("search.attention.key", tokens[row, at]) / width**0.5 + recency)
            weights = torch.softmax(torch.stack(scores), 0)
            mixed = weights @ q.linear("search.attention.value", tokens[row, known])
            told[row, place] = q.linear("search.attention.output", mixed)
    states = q.norm("last.norm", hidden + told, 1e-8)
    votes = votes_of(q, items, queries, kinds)

    def score(row, place, slot):
        return states[row, place] @ items[slot] + q.config["memoryShare"] * votes(row, place, slot)

    logits = []
    for row in range(q.rows):
        length = int(mask[row].sum())
        for slot in q.candidates()[row].tolist():
            # without a feed there is no place, and training has no such rows but in this question
            logits.append(score(row, length - 1, slot) if length > 0 else torch.zeros(()))
    if q.config["memoryTrained"] == "apart":
        nothing = torch.zeros_like(states)
        prediction = every_place(q, items, states, slots, mask) + every_place(q, items, nothing, slots, mask, votes, "moreShared")
    else:
        prediction = every_place(q, items, states, slots, mask, votes)
    return Answer(
        torch.stack(logits).reshape(q.rows, -1),
        prediction=prediction,
        others={"alignment": (alignment(q, items, queries, q.config["transposedItemToQuery"]), q.config["alpha"])},
    )


def votes_of(q, items, queries, kinds):
    """s log(0.1 + votes): exp((cos - 1) / 0.1) of an item's key and that of each action before a place, by how loud the action is."""
    if q.config["memoryWidth"] == 0:
        return lambda row, place, slot: torch.zeros(())
    slots, _ = q.feed()
    searched, _ = q.searches()
    clicked, _ = q.clicks()
    if q.config["memoryKeys"] == "own":
        # keys of ids and attributes that are for votes alone; what queries are learns nothing from votes
        keys = q["memory.item.id"][q.ids["items"]]
        for name in (attribute["name"] for attribute in q.config["itemAttributes"]):
            keys = keys + q[f"memory.item.{name}"][q.input(f"itemAttribute.{name}", len(keys))]
        queries = queries.detach()
    else:
        keys = q.linear("memory.item", items)
    item_key = F.normalize(keys, dim=-1, eps=1e-6)
    query_key = F.normalize(q.linear("memory.query", queries), dim=-1, eps=1e-6)

    def votes(row, place, slot):
        total = torch.zeros(())
        for at in range(place + 1):
            loud = 2 * 0.7 ** (place - at) + 10 * q["memory.feed"][place - at]
            total = total + loud * torch.exp((item_key[slots[row, at]] @ item_key[slot] - 1) / 0.1)
        actions = torch.cat([query_key[searched[row]], item_key[clicked[row].flatten()]])
        for at in range(len(actions)):
            kind = int(kinds[row, place, at])
            if kind == 0:
                continue
            age, is_since = (kind + 1) // 2, kind % 2 == 0
            loud = torch.exp(torch.tensor(float(is_since) - (age - 1) / 2)) + 10 * q["memory.search"][kind]
            total = total + loud * torch.exp((actions[at] @ item_key[slot] - 1) / 0.1)
        return (1 + 10 * q["memory.strength"][0]) * torch.log(torch.clamp(total, min=0) + 0.1)

    return votes


ORACLES = {"sesrec": sesrec_every_place, "nrhub": nrhub, "query-seqrec": query_seqrec, "srjgraph": srjgraph, "unisar": unisar}
