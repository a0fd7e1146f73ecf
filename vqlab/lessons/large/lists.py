"""Inverted lists: codes sorted into cells, of which a vector searches only the nearest few; what that misses."""

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.widget import LessonWidget
from vqlab.codebook import kmeans, nearest_code

SAMPLE = 16384  # codes that the cells' centres are fitted to


def inverted_lists(codes: Tensor, num_cells: int, *, seed: int = 0) -> tuple[Tensor, list[Tensor]]:
    """Sort codes (K, D) into cells, each code to its nearest centre.

    Returns:
        The centres (C, D), k-means of a sample of the codes, and for each cell the indices of its codes; a cell
        that no code fell into is left out.

    Source: Jégou, Douze and Schmid (2011), doi 10.1109/TPAMI.2010.57; as in FAISS, `IndexIVFFlat`.
    """
    centres = kmeans(codes[:SAMPLE], num_cells, 5, generator=torch.Generator().manual_seed(seed))
    cell = nearest_code(codes, centres)
    counts = torch.bincount(cell, minlength=num_cells)
    lists = cell.argsort(stable=True).split(counts.tolist())
    return centres[counts > 0], [each for each in lists if len(each)]


def recall(found: Tensor, z: Tensor, codes: Tensor, nearest: Tensor) -> float:
    """The share of vectors z (N, D) whose found code is as near as the nearest one, up to rounding."""
    distance, best = ((z.double() - codes[indices].double()).square().sum(dim=1) for indices in (found, nearest))
    return (distance <= best * (1 + 1e-6) + 1e-9).double().mean().item()


def draw_recall(compared: list[float], recalls: dict[str, list[float]], probes: list[int],
                ax: Axes | None = None) -> Axes:
    """Draw recall in percent over the cells searched, a line for each kind of data.

    Args:
        compared: share of codes compared, for the labels of the first line's points.
        recalls: label -> recall at each number of cells.
        probes: the numbers of cells.
    """
    ax = ax or plt.subplots(figsize=(6, 2.6))[1]
    for (label, values), colour, marker in zip(recalls.items(), ("codes", "wrong"), "os", strict=False):
        ax.plot(probes, [100 * value for value in values], marker=marker, color=COLOURS[colour], label=label)
    for x, share, value in zip(probes, compared, next(iter(recalls.values())), strict=True):
        ax.annotate(f"{100 * share:.1f} %", (x, 100 * value), xytext=(0, 7), textcoords="offset points",
                    ha="center", fontsize=9)
    ax.set(xscale="log", xticks=probes, xticklabels=probes, xlabel="搜几个格 cells searched", ylabel="找对 found (%)",
           ylim=(0, 115))
    ax.minorticks_off()
    ax.legend(loc="lower right", fontsize=9)
    return ax


class CellSearch(LessonWidget):
    """A plane of codes in cells; drag the query, choose how many cells are searched, see what is missed.

    Args:
        codes: (K, 2), within −1 … 1.
        num_cells: C.
        seed: of the cells.
    """

    script = "lists.js"
    setup = traitlets.Dict().tag(sync=True)
    alt_zh = "平面上的码字分成 16 格。只搜查询所在的一格，比较很少；查询靠近边界时，最近的码字在邻格里，被漏掉了。"
    alt_en = ("Codes on a plane, in 16 cells. Only the query's own cell is searched, few comparisons; near a border "
              "the nearest code lies in the next cell and is missed.")

    def __init__(self, codes: Tensor, num_cells: int = 16, *, seed: int = 0):
        self.codes = codes
        self.centres, self.lists = inverted_lists(codes, num_cells, seed=seed)
        self.query = self.missed_query()
        super().__init__(setup={
            "codes": codes.tolist(), "centres": self.centres.tolist(),
            "lists": [each.tolist() for each in self.lists], "query": self.query,
            "alt": f"{self.alt_zh} {self.alt_en}"})

    def missed_query(self) -> list[float]:
        """The point of a grid, near some code as data are, that loses most in its own cell: where one starts."""
        at = torch.linspace(-0.8, 0.8, 65)
        grid = torch.cartesian_prod(at, at)
        grid = grid[torch.cdist(grid, self.codes).amin(dim=1) < 0.1]
        cell = nearest_code(grid, self.centres)
        truth = nearest_code(grid, self.codes)
        loss = torch.stack([torch.cdist(point[None], self.codes[self.lists[own]]).min()
                            - (point - self.codes[best]).norm()
                            for point, own, best in zip(grid, cell.tolist(), truth.tolist(), strict=True)])
        return grid[loss.argmax()].tolist()

    def figure(self) -> Figure:
        """Draw the codes, the one cell searched, the query, what is found and what is nearest."""
        fig = Figure(figsize=(4, 3.6))
        ax = fig.subplots()
        query = torch.tensor(self.query)
        own = self.lists[int(nearest_code(query[None], self.centres))]
        searched = np.isin(np.arange(len(self.codes)), own)
        ax.scatter(*self.codes[~searched].T, s=8, color=COLOURS["dead"])
        ax.scatter(*self.codes[searched].T, s=10, color=COLOURS["codes"])
        ax.scatter(*self.centres.T, s=30, marker="+", color=COLOURS["black"], linewidths=1)
        found = own[int(nearest_code(query[None], self.codes[own]))]
        truth = int(nearest_code(query[None], self.codes))
        for index, colour in ((found, "codes"), (truth, "wrong")):
            ax.plot(*torch.stack([query, self.codes[index]]).T, color=COLOURS[colour], linewidth=1.5)
        ax.plot(*query, "D", color=COLOURS["z_e"])
        ax.plot(*self.codes[truth], "x", color=COLOURS["wrong"], markersize=9)
        ax.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", xlabel="红 red", ylabel="蓝 blue")
        return fig
