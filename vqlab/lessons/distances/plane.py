"""How near is near: codes and a query to drag on a plane of real colours, three winners, three terms."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.widget import LessonWidget
from vqlab.lessons.distances.measures import AXES, SPAN, colours_of, expansion_terms, winners

MEASURES = {  # name -> (Chinese, English), the colour, matplotlib's marker and line
    "euclid": (("欧氏", "Euclid"), COLOURS["data"], "o", "-"),
    "cosine": (("余弦", "cosine"), COLOURS["black"], "^", "--"),
    "dot": (("点积", "dot product"), COLOURS["other"], "s", ":"),
}
TERMS = (  # in the order in which they are added: label, colour, hatch
    ("−2x·e", COLOURS["other"], "xx"),
    ("‖e‖²", COLOURS["codes"], "//"),
    ("‖x‖²", COLOURS["z_e"], ".."),
)


class DistancePlane(LessonWidget):
    """Codes and a query on the plane of colours, all to be dragged; Euclid, cosine and dot name their winners.

    Args:
        points: (N, 2) the photograph's colours; at most 600 are shown.
        codes: (K, 2).
        query: where it starts.
    """

    script = "plane.js"
    kind = "winners"
    setup = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)  # query, codes: what JavaScript has now
    alt_zh = ("颜色平面：灰色在原点，角度是色相，长度是饱和度。菱形是查询 x，带编号的圆是码字；"
              "圆圈、三角和方框分别标出欧氏、余弦和点积选中的码字，三者不同。")
    alt_en = ("The plane of colours: grey at the origin, the angle is the hue, the length the saturation. The "
              "diamond is the query x, numbered discs are codes; ring, triangle and square mark the "
              "winners by Euclid, cosine and dot product, which differ.")

    def __init__(self, points: Tensor, codes: Tensor, query: Sequence[float] = (0.13, 0.23)):
        self.points = points[:: max(1, -(-len(points) // 600))].double()
        super().__init__(setup={
            "kind": self.kind, "span": SPAN, "axes": AXES.double().tolist(), "points": self.points.tolist(),
            "alt": f"{self.alt_zh} {self.alt_en}", "start": codes.double().tolist(),
        }, state={"query": list(query), "codes": codes.double().tolist()})

    def figure(self) -> Figure:
        """Draw the plane with its winners."""
        fig = Figure(figsize=(5, 4.2))
        draw_winners(self.points, torch.tensor(self.state["codes"]), torch.tensor(self.state["query"]),
                     fig.subplots())
        return fig


class ExpansionPlane(DistancePlane):
    """The same plane beside the terms of ‖x‖² + ‖e‖² − 2x·e, added one by one."""

    kind = "terms"
    alt_zh = ("每个码字三根首尾相接的柱子：−2x·e（交叉线）、‖e‖²（斜线）、‖x‖²（圆点），"
              "菱形标出它们的和，也就是距离的平方；最低的菱形就是最近的码字。")
    alt_en = ("For each code three bars, each starting where the last ended: −2x·e (crossed), ‖e‖² (slanted), ‖x‖² "
              "(dotted); a diamond marks their sum, the squared distance. The lowest diamond is the nearest code.")

    def figure(self) -> Figure:
        """Draw the bars."""
        fig = Figure(figsize=(5.6, 3))
        draw_terms(torch.tensor(self.state["query"]), torch.tensor(self.state["codes"]), fig.subplots())
        return fig


def draw_winners(points: Tensor, codes: Tensor, query: Tensor, ax: Axes | None = None) -> Axes:
    """Draw the plane: the photograph's colours, the codes, the query and its three winners."""
    ax = plt.subplots(figsize=(5.6, 4.6))[1] if ax is None else ax
    ax.scatter(*points.t(), c=colours_of(points).numpy(), s=6, zorder=1)
    ax.axhline(0, color="#999999", lw=0.8)
    ax.axvline(0, color="#999999", lw=0.8)
    ax.scatter(*codes.t(), c=colours_of(codes).numpy(), s=150, edgecolors="black", zorder=3)
    for k, code in enumerate(codes.tolist()):
        ax.text(*code, str(k), ha="center", va="center", fontsize=9, zorder=6,
                bbox={"boxstyle": "circle,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75})
    for size, (name, index) in zip((620, 1000, 950), winners(query[None], codes).items(), strict=True):
        (zh, en), colour, marker, line = MEASURES[name]
        ax.plot(*zip(query.tolist(), codes[index[0]].tolist(), strict=True), line, color=colour, lw=1.5, zorder=2)
        ax.scatter(*codes[index[0]], s=size, marker=marker, facecolors="none", edgecolors=colour, linewidths=2.2,
                   zorder=4, label=f"{zh} {en}: {int(index[0])}")
    ax.scatter(*query, marker="D", s=80, c=COLOURS["z_e"], edgecolors="black", zorder=5, label="查询 query x")
    ax.set(xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN), aspect="equal", xlabel="青 cyan  ↔  红 red",
           ylabel="蓝 blue  ↔  绿 green")
    ax.legend(loc="lower right", fontsize=9, markerscale=0.35)
    return ax


def draw_terms(query: Tensor, codes: Tensor, ax: Axes | None = None) -> Axes:
    """Draw for each code its three terms end to end, and a diamond where they end."""
    ax = plt.subplots(figsize=(6.4, 3.4))[1] if ax is None else ax
    terms = expansion_terms(query, codes)
    at, bottom = np.arange(len(codes)), np.zeros(len(codes))
    for number, (values, (label, colour, hatch)) in enumerate(zip(terms.numpy(), TERMS, strict=True)):
        ax.bar(at + 0.25 * (number - 1), values, 0.25, bottom, color="white", edgecolor=colour, hatch=hatch,
               label=label)
        bottom = bottom + values
    ax.plot(at + 0.25, bottom, "D", color=COLOURS["black"], label="和 sum = ‖x − e‖²")
    ax.axhline(0, color=COLOURS["black"], lw=0.8)
    ax.set(xlabel="码字 code", ylabel="平方距离 squared distance", xticks=at)
    ax.legend(fontsize=9, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    return ax
