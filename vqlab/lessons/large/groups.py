"""A row of K scores seen as G groups: one fast pass for their minima, and only the groups that matter are opened."""

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.widget import LessonWidget, binary


def opened_groups(scores: Tensor, groups: int, slack: float = 0.0) -> Tensor:
    """Which of the G groups of a row of scores (K,) must be opened: those whose minimum is at most best + slack.

    Args:
        scores: (K,), K divisible by groups; group g holds scores g · K/G … (g + 1) · K/G − 1.
        groups: G.
        slack: how much two scores may differ and still be tied, given how they were rounded.

    Returns:
        (G,) bool.

    >>> opened_groups(torch.tensor([5.0, 2.0, 9.0, 3.0, 2.5, 8.0]), 3, 0.6).tolist()
    [True, False, True]
    """
    minima = scores.view(groups, -1).amin(dim=1)
    return minima <= minima.min() + slack


def slow_work(scores: Tensor, groups: int, slack: float = 0.0) -> int:
    """Scores that are searched for a position: the G minima, and all K/G scores of every opened group."""
    return groups + int(opened_groups(scores, groups, slack).sum()) * (len(scores) // groups)


def shown_height(row: Tensor) -> float:
    """How far up the row is drawn: to its lower third, where it is decided who wins."""
    return row.quantile(0.3).item()


class GroupedRow(LessonWidget):
    """One vector's scores as a row of groups; sliders choose how many, and how wide the rounding bound is.

    Args:
        z: (N, D) vectors to choose from.
        codebook: (K, D), K a power of two.
    """

    script = "groups.js"
    setup = traitlets.Dict().tag(sync=True)
    scores = binary()  # (N, K) float32 squared distances
    alt_zh = ("一个向量到各个码字的距离画成一排点（只画近的），分成若干组，短横是各组的最小值。"
              "只有一组的最小值碰到最低线，只打开这一组。")
    alt_en = ("One vector's distances to the codes as a row of dots (the near ones only), parted into groups; short "
              "bars are the groups' minima. Only one minimum touches the lowest line, and only that group is opened.")

    def __init__(self, z: Tensor, codebook: Tensor):
        self.rows = torch.cdist(z.double(), codebook.double()).square().float()  # (N, K)
        super().__init__(setup={"alt": f"{self.alt_zh} {self.alt_en}", "vectors": len(z), "codes": len(codebook)})
        self.scores = self.rows.numpy().astype("<f4").tobytes()

    def figure(self) -> Figure:
        """Draw the first vector's row in √K groups."""
        row, fig = self.rows[0], Figure(figsize=(7, 2.5))
        ax = fig.subplots()
        groups = 2 ** round(np.log2(len(row)) / 2)
        size = len(row) // groups
        opened = opened_groups(row, groups)
        ax.scatter(np.arange(len(row)), row, s=3, color=COLOURS["dead"])
        for group in opened.nonzero()[:, 0].tolist():
            ax.axvspan(group * size, (group + 1) * size, facecolor="none", edgecolor=COLOURS["z_e"], hatch="//")
        ax.hlines(row.view(groups, -1).amin(dim=1), np.arange(groups) * size, (np.arange(groups) + 1) * size,
                  color=COLOURS["codes"])
        ax.axhline(row.min().item(), color=COLOURS["wrong"], linestyle="--", linewidth=1.2)
        ax.set(xlabel=f"码字 code, {groups} × {size}", ylabel="距离² distance²", xlim=(0, len(row)),
               ylim=(0, shown_height(row)), xticks=range(0, len(row) + 1, 4 * size))
        return fig
