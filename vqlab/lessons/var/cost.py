"""What a picture costs: token after token, or scale after scale; passes, pairs of attention, and time."""

import time
from collections.abc import Mapping, Sequence
from itertools import accumulate

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor

from vqlab.classroom.figures import COLOURS


def plans(side: int) -> dict[str, list[int]]:
    """How many tokens each pass writes for a map of side × side, side a power of two.

    >>> plans(4)
    {'token': [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 'scale': [1, 4, 16]}
    """
    return {"token": [1] * side**2, "scale": [4**k for k in range(side.bit_length())]}


def pairs(chunks: Sequence[int], *, cache: bool = True) -> int:
    """How many pairs (who looks, at whom) attention computes in all passes, a layer.

    Args:
        chunks: the tokens that each pass writes.
        cache: keys and values of earlier tokens are kept; without, every pass computes all tokens so far again.

    >>> pairs([1, 1, 1]), pairs([1, 1, 1], cache=False), pairs([1, 4])  # 1 + 2 + 3, 1 + 4 + 9, 1 + 4 · 5
    (6, 14, 21)
    """
    so_far = list(accumulate(chunks))
    return sum((new if cache else total) * total for new, total in zip(chunks, so_far, strict=True))


@torch.no_grad()
def measure(chunks: Sequence[int], *, width: int = 128, depth: int = 4, heads: int = 4, repeats: int = 3) -> float:
    """Seconds a transformer with a cache takes for one picture, the least of `repeats` runs.

    Random weights and inputs: what it writes is nothing, what it costs is real. The same blocks serve either plan;
    norms, embeddings and the draw of tokens are left out.
    """
    generator = torch.Generator().manual_seed(0)
    weights = [[torch.randn(*shape, generator=generator) / shape[1] ** 0.5 for shape in
                ((3 * width, width), (width, width), (4 * width, width), (width, 4 * width))] for _ in range(depth)]
    inputs = [torch.randn(1, tokens, width, generator=generator) for tokens in chunks]
    least = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        kept: list[tuple[Tensor, Tensor] | None] = [None] * depth
        for x in inputs:
            for layer, (qkv, out, up, down) in enumerate(weights):
                q, k, v = F.linear(x, qkv).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
                if kept[layer] is not None:
                    k, v = (torch.cat(both, dim=2) for both in zip(kept[layer], (k, v), strict=True))
                kept[layer] = (k, v)
                x = x + F.linear(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2), out)
                x = x + F.linear(F.gelu(F.linear(x, up)), down)
        least = min(least, time.perf_counter() - start)
    return least


def draw_cost(seconds: Mapping[int, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Draw measured seconds, side of the map -> plan -> seconds, in milliseconds on a logarithmic axis."""
    ax = ax or plt.subplots(figsize=(5, 2.6))[1]
    looks = {"token": ("一次一个 token token by token", "wrong", "s"),
             "scale": ("一次一个尺度 scale by scale", "data", "o")}
    for plan, (label, colour, marker) in looks.items():
        ax.plot(list(seconds), [1000 * each[plan] for each in seconds.values()], marker=marker,
                color=COLOURS[colour], label=label)
    ax.set(xscale="log", yscale="log", xticks=list(seconds), xticklabels=[f"{n} × {n}" for n in seconds],
           xlabel="token 图的大小 map of tokens", ylabel="一张图（毫秒）\none picture (ms)")
    ax.minorticks_off()
    ax.legend()
    return ax
