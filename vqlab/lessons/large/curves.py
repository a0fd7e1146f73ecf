"""Cost curves: how a search's time grows with the codebook, on a log–log plot whose slope is the exponent."""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from vqlab.classroom.figures import COLOURS

MARKERS = ("o", "s", "^", "D")


def slope(curve: Mapping[int, float], start: int, end: int) -> float:
    """The exponent p of time ∝ K^p between two sizes of the codebook: the slope on a log–log plot.

    >>> slope({512: 1.0, 8192: 16.0}, 512, 8192)
    1.0
    """
    return math.log(curve[end] / curve[start]) / math.log(end / start)


def draw_costs(curves: Mapping[str, Mapping[int, float]], ax: Axes | None = None) -> Axes:
    """Draw time over K, log–log, a line a search: label -> {K: time}, with a faint line of slope 1 beside them."""
    ax = ax or plt.subplots(figsize=(6.6, 3.2))[1]
    for (label, curve), marker, colour in zip(curves.items(), MARKERS, ("wrong", "data", "codes", "other"),
                                              strict=False):
        ax.plot(list(curve), list(curve.values()), marker=marker, color=COLOURS[colour], label=label)
    sizes = list(next(iter(curves.values())))
    first = min(curve[sizes[0]] for curve in curves.values())
    ax.plot(sizes, [first * size / sizes[0] for size in sizes], ":", color=COLOURS["dead"], linewidth=1.5,
            label="斜率 slope 1")
    ax.set(xscale="log", yscale="log", xticks=sizes, xticklabels=[f"{size}" for size in sizes],
           xlabel="码字 codes K", ylabel="时间 time (× 最短 shortest)")
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    return ax
