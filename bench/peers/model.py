"""The parameters of SESRec, and the parts of its forward pass that eager.py and best.py honestly share.

Written from the equations (Si et al., SIGIR 2023; numbers are the paper's) and from docs/sesrec.md. Knows tensors; does not
know files, how embeddings are looked up, how candidates meet histories, the alignment loss, or updates: there the two differ.

Shapes: B rows, C candidates, T_r and T_s positions of feed and search, K clicks, W words, d model width.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Settings:
    items: int
    users: int
    queries: int
    words: int
    sources: int
    item_attributes: tuple[tuple[int, int], ...]  # (values, width) of each
    user_attributes: tuple[tuple[int, int], ...]
    width: int
    item_width: int
    query_width: int
    word_width: int
    user_width: int
    feed_window: int
    search_window: int
    heads: int
    hidden: tuple[int, ...]
    temperature: float
    margin: float
    alpha: float
    beta: float
    dropout: float
    mask_co_attention: bool
    learning_rate: float
    weight_decay: float


@dataclass
class Losses:
    total: Tensor
    prediction: Tensor
    alignment: Tensor
    contrast: Tensor


class EncoderBlock(nn.Module):
    """Post-norm Transformer block, inner width d, LeakyReLU (Eq. 4, 5). `attention` only holds the weights that best.py uses."""

    def __init__(self, settings: Settings):
        super().__init__()
        width = settings.width
        self.dropout = settings.dropout
        self.attention = nn.MultiheadAttention(width, settings.heads, batch_first=True)
        self.attention_norm = nn.LayerNorm(width, eps=1e-8)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)
        self.outer_norm = nn.LayerNorm(width, eps=1e-8)

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        z = self.attention_norm(x + F.dropout(attended, self.dropout, self.training))
        inner = F.leaky_relu(self.inner(z))
        return self.outer_norm(z + F.dropout(self.outer(inner), self.dropout, self.training))


class Sesrec(nn.Module):
    """All parameters. Linear weights and embeddings start as Xavier-normal."""

    def __init__(self, settings: Settings):
        super().__init__()
        self.settings = settings
        width = settings.width
        self.item_id = nn.Embedding(settings.items, settings.item_width, padding_idx=0)
        self.item_attributes = nn.ModuleList(nn.Embedding(*size) for size in settings.item_attributes)
        self.query_id = nn.Embedding(settings.queries, settings.query_width, padding_idx=0)
        self.word = nn.Embedding(settings.words, settings.word_width, padding_idx=0)
        self.source = nn.Embedding(settings.sources, width)
        self.user_id = nn.Embedding(settings.users, settings.user_width)
        self.user_attributes = nn.ModuleList(nn.Embedding(*size) for size in settings.user_attributes)
        raw_item = settings.item_width + sum(size[1] for size in settings.item_attributes)
        raw_user = settings.user_width + sum(size[1] for size in settings.user_attributes)
        self.item_projection = nn.Linear(raw_item, width)
        self.query_projection = nn.Linear(settings.query_width + settings.word_width, width)
        self.feed_position = nn.Embedding(settings.feed_window, width)
        self.search_position = nn.Embedding(settings.search_window, width)
        self.feed_encoder = EncoderBlock(settings)
        self.search_encoder = EncoderBlock(settings)
        self.co_bilinear = nn.Parameter(torch.empty(width, width))
        self.co_feed = nn.Parameter(torch.empty(1, width))
        self.co_search = nn.Parameter(torch.empty(1, width))
        self.feed_interest = nn.Parameter(torch.empty(1, width, width))
        self.search_interest = nn.Parameter(torch.empty(1, width, width))
        sizes = (7 * width + raw_user, *settings.hidden)
        self.prediction = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.alignment_bilinear = nn.Parameter(torch.empty(width, width))
        self.temperature = nn.Parameter(torch.tensor(settings.temperature))
        for name, parameter in self.named_parameters():
            if parameter.dim() >= 2 and not name.endswith("in_proj_weight"):
                nn.init.xavier_normal_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def predict(self, features: Tensor) -> Tensor:
        """The MLP (Eq. 21) without its sigmoid. features: (..., 7d + d_u). Result (...)."""
        *inner, last = self.prediction
        for layer in inner:
            features = F.dropout(F.relu(layer(features)), self.settings.dropout, self.training)
        return last(features).squeeze(-1)

    def contrast(self, feed: Tensor, search: Tensor, feed_real: Tensor, search_real: Tensor):
        """Co-attention, split and triplet loss (Eq. 9 to 16). feed: (B,T_r,d), feed_real: (B,T_r) booleans.

        Result: the loss, and (all, similar, dissimilar) masks of the feed and of the search.
        """
        affinity = torch.tanh(feed @ self.co_bilinear @ search.transpose(1, 2))  # Eq. 9, (B,T_r,T_s)
        of_feed, of_search = feed @ self.co_feed.T, search @ self.co_search.T  # (B,T,1)
        if self.settings.mask_co_attention:
            of_feed = of_feed * feed_real.unsqueeze(2)
            of_search = of_search * search_real.unsqueeze(2)
        search_scores = (affinity.transpose(1, 2) @ of_feed).squeeze(2)  # Eq. 10
        feed_scores = (affinity @ of_search).squeeze(2)
        feed_loss, feed_masks = self._side(feed, feed_scores, feed_real)
        search_loss, search_masks = self._side(search, search_scores, search_real)
        return feed_loss + search_loss, feed_masks, search_masks

    def _side(self, history: Tensor, scores: Tensor, real: Tensor):
        attention = torch.softmax(scores.masked_fill(~real, -1e12), 1)
        threshold = 1 / real.sum(1, keepdim=True)
        similar = (attention >= threshold) & real  # Eq. 11, 12
        dissimilar = ~similar & real
        similar = torch.where(similar.any(1, keepdim=True), similar, real)
        dissimilar = torch.where(dissimilar.any(1, keepdim=True), dissimilar, real)
        anchor = torch.bmm(attention.unsqueeze(1), history).squeeze(1)  # Eq. 13, 14
        near = F.pairwise_distance(anchor, masked_mean(history, similar), eps=1e-6)
        far = F.pairwise_distance(anchor, masked_mean(history, dissimilar), eps=1e-6)
        loss = F.relu(near - far + self.settings.margin).mean()  # Eq. 15
        return loss, (real, similar, dissimilar)

    def add_up(self, logits: Tensor, alignment: Tensor, contrast: Tensor) -> Losses:
        """Eq. 22, 23. logits: (B,C), the positive first."""
        labels = torch.zeros_like(logits)
        labels[:, 0] = 1
        prediction = F.binary_cross_entropy_with_logits(logits, labels)
        total = prediction + self.settings.alpha * alignment + self.settings.beta * contrast
        return Losses(total, prediction, alignment, contrast)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the second to last axis where the mask holds; zero where it nowhere does. values: (...,T,d), mask: (...,T)."""
    weights = mask.to(values.dtype).unsqueeze(-2)
    return (weights @ values).squeeze(-2) / weights.sum(-1).clamp(min=1)
