"""Wrong winners: how often half precision chooses another code than the nearest, and what that costs."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from vqlab.classroom.figures import COLOURS

LINES = {"fp32": ("s", "-", "data"), "fp16": ("o", "-", "z_e"), "bf16": ("^", "-", "wrong")}
ROWS = 64  # scores of that many vectors at once


def search_in(dtype: torch.dtype, z: Tensor, codebook: Tensor) -> Tensor:
    """argmin of ‖e‖² − 2 z·e with every number rounded to one precision; products are summed in float32.

    So does a tensor core, and so the answer is the same on every machine but for float32's own rounding.

    Args:
        dtype: such as `torch.bfloat16`.
        z: (N, D).
        codebook: (K, D).

    Returns:
        (N,) int64; the first of equal scores.

    Source: Micikevicius et al. (2018), "Mixed Precision Training", arXiv 1710.03740, section 3.3: products of
    half precision numbers are summed in float32, and rounded to half precision before they go to memory.
    """
    z, codebook = z.to(dtype).float(), codebook.to(dtype).float()
    norms = codebook.square().sum(dim=1)
    return torch.cat([torch.addmm(norms, rows, codebook.t(), alpha=-2).to(dtype).float().argmin(dim=1)
                      for rows in z.split(ROWS)])


def draw_wrong(wrong: Mapping[str, Sequence[float]], sizes: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw the share of wrong winners (percent) over K; labels that begin with a precision wear its mark."""
    ax = ax or plt.subplots(figsize=(6.4, 2.6))[1]
    for label, values in wrong.items():
        marker, line, colour = LINES[label[:4]]
        ax.plot(sizes, [100 * value for value in values], "--" if "," in label else line, marker=marker,
                color=COLOURS[colour], label=label)
    ax.set(xscale="log", xticks=sizes, xticklabels=sizes, xlabel="码字 codes K",
           ylabel="选错 wrong (%)", ylim=0)
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    return ax
