"""The same step as somebody who knows PyTorch well would write it.

What is distinct in a batch is embedded and projected once; a batch is as long as its longest history (in the masked form, where
padding changes nothing); all candidates meet one encoded history; the alignment runs over distinct anchors and distinct
negatives; the four tables never enter the graph, only the rows of a batch do, and only these are updated. Knows how this is
done in PyTorch; does not know files or clocks.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.fx.experimental._config
import torch.nn.functional as F
from torch import Tensor

from batches import Batch, Catalogue
from model import EncoderBlock, Losses, Sesrec, Settings, masked_mean

TABLES = ("item_id", "query_id", "word", "user_id")
BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass
class Plan:
    """A batch by the numbers of its distinct things."""

    ids: dict[str, Tensor]  # rows of each table
    users: Tensor  # (B) slots of users
    item_attributes: list[Tensor]
    user_attributes: list[Tensor]
    words: Tensor  # (queries,W) slots of words
    word_real: Tensor
    feed: Tensor  # (B,T_r) slots of items
    feed_real: Tensor
    search: Tensor  # (B,T_s) slots of queries
    search_real: Tensor
    source: Tensor
    clicks: Tensor  # (B,T_s,K) slots of items
    click_real: Tensor
    candidates: Tensor  # (B,C) slots of items
    anchor_queries: Tensor
    anchor_items: Tensor
    pair_query: Tensor  # (P) places among the anchors
    pair_item: Tensor
    pair_weight: Tensor  # (P,1), adds up to 1
    negative_items: Tensor
    negative_item_count: Tensor  # (N,1)
    negative_queries: Tensor
    negative_query_count: Tensor


class BestStep:
    def __init__(self, settings: Settings, catalogue: Catalogue, model: Sesrec | None = None, compiled: bool = False):
        self.settings = settings
        self.catalogue = catalogue
        self.model = model or Sesrec(settings)
        self.tables = {name: getattr(self.model, name).weight.requires_grad_(False) for name in TABLES}
        self.moments = {name: (torch.zeros_like(table), torch.zeros_like(table)) for name, table in self.tables.items()}
        self.row_gradients: dict[str, tuple[Tensor, Tensor]] = {}
        dense = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(dense, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
        self.steps = 0
        # one program for all sizes: without this setting, sizes that happen to agree in the first batch are taken to agree always
        torch.fx.experimental._config.use_duck_shape = False
        self.forward = torch.compile(self.losses, dynamic=True) if compiled else self.losses

    def prepare(self, batch: Batch) -> Batch:
        return batch

    def step(self, batch: Batch) -> Losses:
        losses = self.gradients(batch)
        if not torch.isfinite(losses.total):
            raise SystemExit("the loss is not finite")
        self.optimizer.step()
        self.update_rows()
        return losses

    def gradients(self, batch: Batch) -> Losses:
        plan = self.plan(batch)
        rows = {name: table[plan.ids[name]].requires_grad_() for name, table in self.tables.items()}
        self.optimizer.zero_grad()
        losses = Losses(*self.forward(rows, plan))
        losses.total.backward()
        for name, values in rows.items():
            ids, gradient = plan.ids[name], values.grad
            if name != "user_id":
                ids, gradient = ids[1:], gradient[1:]  # padding
            self.row_gradients[name] = (ids, gradient)
        return losses

    def update_rows(self) -> None:
        """Adam on the rows of the batch, weight decay decoupled."""
        self.steps += 1
        rate, decay = self.settings.learning_rate, self.settings.weight_decay
        size = rate / (1 - BETAS[0] ** self.steps)
        root = (1 - BETAS[1] ** self.steps) ** 0.5
        for name, (ids, gradient) in self.row_gradients.items():
            first, second = self.moments[name]
            mean = torch.lerp(gradient, first[ids], BETAS[0])
            variance = second[ids].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            values = self.tables[name][ids].mul_(1 - rate * decay)
            values.addcdiv_(mean, variance.sqrt().div_(root).add_(EPSILON), value=-size)
            first[ids], second[ids], self.tables[name][ids] = mean, variance, values

    def plan(self, batch: Batch) -> Plan:
        known, tensor = self.catalogue, torch.from_numpy
        feed, search, source, clicks = batch.feed, batch.search, batch.source, batch.clicks
        if self.settings.mask_co_attention:
            # at least 2: a length of 1 would be compiled for itself
            feed = feed[:, : max(2, int((feed != 0).sum(1).max()))]
            longest = max(2, int((search != 0).sum(1).max()))
            search, source, clicks = search[:, :longest], source[:, :longest], clicks[:, :longest]
        items, (feed_slots, click_slots, candidates, negative_items) = distinct(
            feed, clicks, batch.candidates, batch.negative_items
        )
        queries, (search_slots, negative_queries) = distinct(search, batch.negative_queries)
        words, (word_slots,) = distinct(known.query_words[queries])
        users, user_slots = np.unique(batch.users, return_inverse=True)
        real = clicks != 0
        pair_queries = np.broadcast_to(search_slots[:, :, None], clicks.shape)[real]
        pairs, counts = np.unique(pair_queries * len(items) + click_slots[real], return_counts=True)
        anchor_queries, pair_query = np.unique(pairs // len(items), return_inverse=True)
        anchor_items, pair_item = np.unique(pairs % len(items), return_inverse=True)
        negative_items, item_counts = np.unique(negative_items, return_counts=True)
        negative_queries, query_counts = np.unique(negative_queries, return_counts=True)
        column = lambda values: tensor(values.astype(np.float32)).unsqueeze(1)
        return Plan(
            ids={
                "item_id": tensor(items),
                "query_id": tensor(known.query_row[queries]),
                "word": tensor(words),
                "user_id": tensor(users),
            },
            users=tensor(user_slots),
            item_attributes=[tensor(of[items]) for of in known.item_attributes],
            user_attributes=[tensor(of[batch.users]) for of in known.user_attributes],
            words=tensor(word_slots),
            word_real=tensor(word_slots != 0),
            feed=tensor(feed_slots),
            feed_real=tensor(feed_slots != 0),
            search=tensor(search_slots),
            search_real=tensor(search_slots != 0),
            source=tensor(np.ascontiguousarray(source)),
            clicks=tensor(click_slots),
            click_real=tensor(real),
            candidates=tensor(candidates),
            anchor_queries=tensor(anchor_queries),
            anchor_items=tensor(anchor_items),
            pair_query=tensor(pair_query),
            pair_item=tensor(pair_item),
            pair_weight=column(counts / max(1, counts.sum())),
            negative_items=tensor(negative_items),
            negative_item_count=column(item_counts),
            negative_queries=tensor(negative_queries),
            negative_query_count=column(query_counts),
        )

    def losses(self, rows: dict[str, Tensor], plan: Plan) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        model = self.model
        attributes = [table(ids) for table, ids in zip(model.item_attributes, plan.item_attributes)]
        items = model.item_projection(torch.cat([rows["item_id"], *attributes], 1))  # (I,d)
        words = masked_mean(F.embedding(plan.words, rows["word"]), plan.word_real)
        queries = model.query_projection(torch.cat([rows["query_id"], words], 1))  # (Q,d)
        at = lambda slots, table: F.embedding(slots, table)

        feed = at(plan.feed, items) + model.feed_position.weight[: plan.feed.shape[1]]  # Eq. 2
        search = (
            at(plan.search, queries)
            + model.source(plan.source)
            + model.search_position.weight[: plan.search.shape[1]]
            + masked_mean(at(plan.clicks, items), plan.click_real)
        )  # Eq. 3
        feed = self.encode(model.feed_encoder, feed, plan.feed_real)
        search = self.encode(model.search_encoder, search, plan.search_real)
        contrast, feed_masks, search_masks = model.contrast(feed, search, plan.feed_real, plan.search_real)

        candidates = at(plan.candidates, items)  # (B,C,d)
        user = torch.cat(
            [at(plan.users, rows["user_id"]), *(table(ids) for table, ids in zip(model.user_attributes, plan.user_attributes))], 1
        )
        interests = self.interests(feed, feed_masks, model.feed_interest[0], candidates)
        interests += self.interests(search, search_masks, model.search_interest[0], candidates)
        user = user.unsqueeze(1).expand(-1, candidates.shape[1], -1)
        logits = model.predict(torch.cat([*interests, user, candidates], -1))
        losses = model.add_up(logits, self.alignment(items, queries, plan), contrast)
        return losses.total, losses.prediction, losses.alignment, losses.contrast

    def encode(self, block: EncoderBlock, x: Tensor, real: Tensor) -> Tensor:
        attention = block.attention
        heads = attention.num_heads
        packed = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).unflatten(2, (3, heads, -1))
        query, key, value = packed.permute(2, 0, 3, 1, 4)  # (B,heads,T,d/heads) each
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=real[:, None, None, :])
        return block(x, attention.out_proj(mixed.transpose(1, 2).flatten(2)))

    def alignment(self, items: Tensor, queries: Tensor, plan: Plan) -> Tensor:
        """Eq. 6 to 8. tanh bounds the logits, so exp needs no running maximum."""
        anchor_items, anchor_queries = items[plan.anchor_items], queries[plan.anchor_queries]
        bilinear, inverse = self.model.alignment_bilinear, 1 / self.model.temperature

        def direction(anchors, place, partners, negatives, counts):
            mapped = anchors @ bilinear
            sums = (torch.tanh(mapped @ negatives.T) * inverse).exp() @ counts  # (anchors,1)
            positive = torch.tanh((mapped[place] * partners).sum(1, keepdim=True)) * inverse  # (P,1)
            return (((sums[place] + positive.exp()).log() - positive) * plan.pair_weight).sum()

        to_items = direction(
            anchor_queries, plan.pair_query, anchor_items[plan.pair_item], items[plan.negative_items], plan.negative_item_count
        )
        to_queries = direction(
            anchor_items, plan.pair_item, anchor_queries[plan.pair_query], queries[plan.negative_queries], plan.negative_query_count
        )
        return (to_items + to_queries) / 2

    def interests(self, history: Tensor, masks: tuple[Tensor, ...], bilinear: Tensor, candidates: Tensor) -> list[Tensor]:
        """Eq. 17 to 19 for all candidates at once. history: (B,T,d), candidates: (B,C,d)."""
        scores = candidates @ bilinear.T @ history.transpose(1, 2)  # (B,C,T)
        return [torch.softmax(scores.masked_fill(~mask.unsqueeze(1), -1e16), 2) @ history for mask in masks]


def distinct(*indices: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The distinct indices, 0 first, and every array by their places."""
    values, places = np.unique(np.concatenate([[0], *(array.ravel() for array in indices)]), return_inverse=True)
    result, start = [], 1
    for array in indices:
        result.append(places[start : start + array.size].reshape(array.shape))
        start += array.size
    return values, result
