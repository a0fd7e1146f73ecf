"""Which codes each scale uses, and how many."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.metrics import perplexity


class ScaleUse(NamedTuple):
    """How much of the codebook one scale uses: N tokens, of them ``codes`` different ones, and their perplexity."""

    tokens: int
    codes: int
    perplexity: float


def use_by_scale(tokens: Sequence[Tensor], num_embeddings: int) -> list[ScaleUse]:
    """Count each scale's (B, h·w) tokens on their own."""
    return [ScaleUse(each.numel(), len(each.unique()), perplexity(each, num_embeddings).item()) for each in tokens]


def shares_by_length(tokens: Sequence[Tensor], codebook: Tensor, *, bins: int = 32) -> Tensor:
    """Which codes a scale takes: codes sorted by length, (S, bins) shares that sum to 1 a scale; bins divide K."""
    rank = codebook.norm(dim=1).argsort().argsort()
    size = len(codebook) // bins
    counts = torch.stack([torch.bincount(rank[scale.flatten()] // size, minlength=bins) for scale in tokens])
    return counts / counts.sum(dim=1, keepdim=True)


def draw_use(use: Sequence[ScaleUse], num_embeddings: int, patch_nums: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw for each scale the most codes it could name, those it named, and their perplexity."""
    ax = ax or plt.subplots(figsize=(4, 3))[1]
    places = np.arange(len(use))
    most = [min(each.tokens, num_embeddings) for each in use]
    ax.bar(places, most, width=0.9, fill=False, edgecolor=COLOURS["dead"], linestyle="--", linewidth=1.5,
           label="上限 at most")
    ax.bar(places - 0.2, [each.codes for each in use], width=0.36, color=COLOURS["data"],
           label="用到的码字 codes used")
    ax.bar(places + 0.2, [each.perplexity for each in use], width=0.36, color=COLOURS["z_e"], hatch="//",
           edgecolor="white", label="困惑度 perplexity")
    ax.set(xticks=places, xticklabels=[f"{n}²" for n in patch_nums], xlabel="尺度 scale", ylim=(0, 1.6 * max(most)))
    ax.legend(fontsize=9, loc="upper left")
    return ax


def draw_lengths(shares: Tensor, patch_nums: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw `shares_by_length`: a row a scale, short codes left, long ones right, the darker the more often."""
    ax = ax or plt.subplots(figsize=(4, 3))[1]
    ax.imshow(shares.cpu().numpy(), aspect="auto", cmap="Blues", vmin=0)
    ax.set(xticks=[], yticks=range(len(patch_nums)), yticklabels=[f"{n}²" for n in patch_nums],
           xlabel="短码字 short codes  →  长码字 long codes", ylabel="尺度 scale")
    ax.grid(False)
    return ax
