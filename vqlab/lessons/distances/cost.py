"""What a search costs: its time beside the others', and the picture of time and memory."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

from vqlab.classroom.cost import seconds_in_turn
from vqlab.classroom.figures import COLOURS

Search = Callable[[Tensor, Tensor], Tensor]  # z (N, D), codebook (K, D) -> indices (N,)


def time_ratios(searches: Mapping[str, Search], z: Tensor, codebook: Tensor, repeats: int = 5) -> dict[str, float]:
    """Each search's time as a multiple of the fastest one's: medians, taken in turn to share the noise."""
    medians = seconds_in_turn({name: partial(search, z, codebook) for name, search in searches.items()}, repeats)
    return {name: median / min(medians.values()) for name, median in medians.items()}


def draw_price(memory: Mapping[str, float], times: Mapping[str, float],
               axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw what each search costs: memory in MiB, time as a multiple of the fastest, both on a log axis."""
    axes = plt.subplots(1, 2, figsize=(7.5, 2.6), sharey=True)[1] if axes is None else axes
    for ax, costs, label, colour, hatch in (
            (axes[0], memory, "内存 memory (MiB)", COLOURS["data"], "//"),
            (axes[1], times, "时间 time (× 最快 fastest)", COLOURS["z_e"], "..")):
        bars = ax.barh(list(costs), list(costs.values()), color="white", edgecolor=colour, hatch=hatch)
        ax.bar_label(bars, [f"{value:.3g}" for value in costs.values()], padding=3)
        ax.set(xscale="log", xlabel=label, xlim=(min(costs.values()) / 2, max(costs.values()) * 5))
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
    axes[0].set_ylim(len(memory) - 0.5, -0.5)
    return list(axes)
