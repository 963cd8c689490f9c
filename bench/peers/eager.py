"""One training step in the order of work of the authors' code: everything is looked up and computed position by position.

Each position embeds and projects its own item or query; each candidate meets its own copy of the encoded history; each
query-click pair meets all alignment negatives; gradients of embeddings are dense, and Adam walks over every row of every table.
Knows how this is done in PyTorch; does not know files or clocks.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from batches import Batch, Catalogue
from model import EncoderBlock, Losses, Sesrec, Settings, masked_mean


class EagerStep:
    def __init__(self, settings: Settings, catalogue: Catalogue, model: Sesrec | None = None):
        self.settings = settings
        self.catalogue = catalogue
        self.model = model or Sesrec(settings)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def prepare(self, batch: Batch) -> dict[str, Tensor | list[Tensor]]:
        """The data loader's work, in other processes there, and not timed here: words and attributes for every position."""
        known = self.catalogue
        tensor = torch.from_numpy
        items = lambda ids: [tensor(column) for column in (ids, *(of[ids] for of in known.item_attributes))]
        return {
            "user": [tensor(column) for column in (batch.users, *(of[batch.users] for of in known.user_attributes))],
            "feed": items(batch.feed),
            "clicks": items(batch.clicks),
            "positive": items(batch.candidates[:, 0]),
            "negatives": items(batch.candidates[:, 1:]),
            "search": tensor(known.query_row[batch.search]),
            "words": tensor(known.query_words[batch.search]),
            "source": tensor(batch.source),
            "negative_items": items(batch.negative_items),
            "negative_queries": tensor(known.query_row[batch.negative_queries]),
            "negative_words": tensor(known.query_words[batch.negative_queries]),
        }

    def step(self, prepared: dict) -> Losses:
        losses = self.gradients(prepared)
        if not torch.isfinite(losses.total):
            raise SystemExit("the loss is not finite")
        self.optimizer.step()
        return losses

    def gradients(self, prepared: dict) -> Losses:
        self.optimizer.zero_grad()
        losses = self.losses(prepared)
        losses.total.backward()
        return losses

    def losses(self, batch: dict) -> Losses:
        model = self.model
        feed_real, search_real = batch["feed"][0] != 0, batch["search"] != 0
        clicked, click_real = self.items(batch["clicks"]), batch["clicks"][0] != 0  # (B,T_s,K,d)
        queries = self.queries(batch["search"], batch["words"])
        alignment = self.alignment(
            queries,
            clicked,
            click_real,
            self.items(batch["negative_items"]),
            self.queries(batch["negative_queries"], batch["negative_words"]),
        )
        feed = self.items(batch["feed"]) + model.feed_position.weight  # Eq. 2
        search = queries + model.source(batch["source"]) + model.search_position.weight + masked_mean(clicked, click_real)
        feed = self.encode(model.feed_encoder, feed, feed_real)
        search = self.encode(model.search_encoder, search, search_real)
        contrast, feed_masks, search_masks = model.contrast(feed, search, feed_real, search_real)
        user = torch.cat([table(ids) for table, ids in zip([model.user_id, *model.user_attributes], batch["user"])], -1)

        histories = [feed, *feed_masks, search, *search_masks, user]
        positive = self.score(histories, self.items(batch["positive"]))
        negatives = self.items(batch["negatives"])
        rows, count, width = negatives.shape
        repeated = [torch.repeat_interleave(history, count, dim=0) for history in histories]
        negative = self.score(repeated, negatives.reshape(-1, width)).reshape(rows, count)
        return model.add_up(torch.cat([positive.unsqueeze(1), negative], 1), alignment, contrast)

    def items(self, columns: list[Tensor]) -> Tensor:
        """Ê_i of Eq. 1. columns: ids, then attributes, (...) each. Result (...,d)."""
        tables = [self.model.item_id, *self.model.item_attributes]
        return self.model.item_projection(torch.cat([table(ids) for table, ids in zip(tables, columns)], -1))

    def queries(self, ids: Tensor, words: Tensor) -> Tensor:
        """Ê_q of Eq. 1. ids: (...), words: (...,W). Result (...,d)."""
        mean = masked_mean(self.model.word(words), words != 0)
        return self.model.query_projection(torch.cat([self.model.query_id(ids), mean], -1))

    def encode(self, block: EncoderBlock, x: Tensor, real: Tensor) -> Tensor:
        attended, _ = block.attention(x, x, x, key_padding_mask=~real, need_weights=False)
        return block(x, attended)

    def alignment(self, queries: Tensor, clicked: Tensor, real: Tensor, items: Tensor, others: Tensor) -> Tensor:
        """Eq. 6 to 8: every real pair of a query and its click, (P,d) each, against all negatives, (N,d) each."""
        pair_queries = queries.unsqueeze(2).expand_as(clicked)[real]
        pair_items = clicked[real]

        def direction(anchors: Tensor, partners: Tensor, negatives: Tensor) -> Tensor:
            mapped = anchors @ self.model.alignment_bilinear
            positive = (mapped * partners).sum(1, keepdim=True)
            logits = torch.tanh(torch.cat([positive, mapped @ negatives.T], 1)) / self.model.temperature
            return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))

        return (direction(pair_queries, pair_items, items) + direction(pair_items, pair_queries, others)) / 2

    def score(self, histories: list[Tensor], candidate: Tensor) -> Tensor:
        """Eq. 17 to 21, one history per candidate. candidate: (M,d). Result (M)."""
        feed, *feed_masks, search, search_all, search_similar, search_dissimilar, user = histories
        parts = self.interests(feed, feed_masks, self.model.feed_interest, candidate)
        parts += self.interests(search, [search_all, search_similar, search_dissimilar], self.model.search_interest, candidate)
        return self.model.predict(torch.cat([*parts, user, candidate], -1))

    def interests(self, history: Tensor, masks: list[Tensor], bilinear: Tensor, candidate: Tensor) -> list[Tensor]:
        scores = (history @ bilinear @ candidate.unsqueeze(2)).squeeze(2)  # (M,T)
        weights = [torch.softmax(scores.masked_fill(~mask, -1e16), 1) for mask in masks]
        return [(weight.unsqueeze(1) @ history).squeeze(1) for weight in weights]
