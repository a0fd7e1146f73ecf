"""What rounding does to the famous formula: the plane painted by winning code, in several precisions."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.codebook import nearest_code
from vqlab.lessons.distances.measures import SPAN, colours_of

OFFSETS = (0, 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
METHODS = {
    "formula": ("公式直接算", "formula as it is"),
    "centred": ("先居中，再用公式", "centre first, then formula"),
    "nearest_code": ("vqlab.nearest_code", "vqlab.nearest_code"),
}
GRID = 96  # queries a side in the rounding plane


def search_in(dtype: torch.dtype, z: Tensor, codebook: Tensor, *, centre: bool = False) -> Tensor:
    """The famous formula, argmin of ‖z‖² + ‖e‖² − 2 z·e, computed in one precision throughout.

    Args:
        dtype: such as `torch.bfloat16`.
        z: (N, D).
        codebook: (K, D).
        centre: subtract the mean of z from both, before the numbers are rounded to dtype.

    Returns:
        (N,) int64; where a distance is not a number, the first such code.
    """
    if centre:
        origin = z.mean(dim=0)
        z, codebook = z - origin, codebook - origin
    z, codebook = z.to(dtype), codebook.to(dtype)
    squares = z.square().sum(dim=1, keepdim=True) + codebook.square().sum(dim=1)
    return (squares - 2 * z @ codebook.t()).argmin(dim=1)


class RoundingPlane(LessonWidget):
    """Which code wins everywhere on the plane, computed by torch in the chosen precision, far from the origin.

    The data are float32 numbers x + offset; the truth is brute force in float64 on exactly those numbers.

    Args:
        codes: (K, 2).
    """

    script = "rounding.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    cells = binary()  # GRID × GRID winners, then as many flags: wrong
    alt_zh = "颜色平面按获胜的码字涂色：左边是正确答案，右边是 bf16 直接用公式的答案，区域破碎，错误处打了叉。"
    alt_en = ("The plane of colours, painted by winning code: left the truth, right what the formula gives in bf16, "
              "where regions are broken; errors are crossed out.")

    def __init__(self, codes: Tensor):
        self.codes, self.truths = codes.float(), {}
        super().__init__(setup={
            "grid": GRID, "offsets": OFFSETS, "precisions": list(PRECISIONS),
            "methods": [[name, *label] for name, label in METHODS.items()], "alt": f"{self.alt_zh} {self.alt_en}",
            "colours": (colours_of(self.codes) * 255).round().int().tolist(),
        })
        self.update({"offset": 0, "precision": "fp32", "method": "formula"}, 0)
        self.on_msg(self._asked)

    def update(self, values: Mapping[str, Any], request: int) -> None:
        """Search for every query of the grid with these settings, and show who wins."""
        z, codes = _grid(self.codes, values["offset"])
        if values["offset"] not in self.truths:
            self.truths[values["offset"]] = _brute_force(z, codes)
        truth = self.truths[values["offset"]]
        dtype = PRECISIONS[values["precision"]]
        if values["method"] == "nearest_code":
            found = nearest_code(z, codes)
        else:
            found = search_in(dtype, z, codes, centre=values["method"] == "centred")
        wrong = found != truth
        middle = 2 * float(values["offset"]) ** 2 + SPAN**2
        with self.hold_sync():
            self.cells = found.byte().numpy().tobytes() + wrong.byte().numpy().tobytes()
            self.answer = {"values": dict(values), "request": request, "wrong": float(wrong.double().mean()),
                           "norm": middle, "gap": _gap(middle, dtype)}

    def _asked(self, _, content, buffers) -> None:
        self.update(content["values"], content["request"])

    def figure(self) -> Figure:
        """Draw truth and bf16 at offset 4 side by side."""
        return draw_broken_regions(self.codes, Figure(figsize=(4.2, 2.3)))


def draw_broken_regions(codes: Tensor, figure: Figure | None = None) -> Figure:
    """Draw who wins everywhere on the plane: the truth, and what bf16 gives once all has moved by 4; × are errors.

    Args:
        codes: (K, 2).
        figure: where to draw; a new one otherwise.
    """
    figure = plt.figure(figsize=(3.4, 1.9)) if figure is None else figure
    z, moved = _grid(codes, 4)
    truth, found = _brute_force(z, moved), search_in(torch.bfloat16, z, moved)
    pairs = ((truth, "正确 the truth"), (found, "bf16 + 4"))
    for ax, (indices, title) in zip(figure.subplots(1, 2), pairs, strict=True):
        ax.imshow(colours_of(codes)[indices].view(GRID, GRID, 3).numpy())
        rows, columns = (indices != truth).view(GRID, GRID).numpy().nonzero()
        ax.plot(columns[::12], rows[::12], "x", color=COLOURS["black"], markersize=3, markeredgewidth=0.8)
        ax.set(title=title, xticks=[], yticks=[])
    return figure


def draw_rounding(offsets: Sequence[float], wrong: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw the share of wrong codes (percent) over the offset, one line for each way to compute."""
    ax = plt.subplots(figsize=(7, 3.2))[1] if ax is None else ax
    looks = zip(wrong, ("o", "s", "^", "D", "v", "P"), ("-", "-", "-", "--", "--", "--"),
                [COLOURS[name] for name in ("data", "z_e", "other", "light", "wrong", "codes")], strict=False)
    for name, marker, line, colour in looks:
        percent = [100 * share for share in wrong[name]]
        ax.plot(range(len(offsets)), percent, line, marker=marker, color=colour, label=name)
    ax.set(xticks=range(len(offsets)), xticklabels=[f"{offset:g}" for offset in offsets],
           xlabel="离原点的偏移 offset from the origin", ylabel="选错 wrong (%)", ylim=(-4, 104))
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _grid(codes: Tensor, offset: float) -> tuple[Tensor, Tensor]:
    """The plane's queries (GRID², 2), from the top left, and the codes, both moved by offset along each axis."""
    at = (torch.arange(GRID) + 0.5) / GRID * 2 * SPAN - SPAN
    x, y = torch.meshgrid(at, at.flip(0), indexing="xy")
    return torch.stack([x, y], dim=2).view(-1, 2) + offset, codes + offset


def _brute_force(z: Tensor, codes: Tensor) -> Tensor:
    return (z.double()[:, None] - codes.double()).square().sum(dim=2).argmin(dim=1)


def _gap(value: float, dtype: torch.dtype) -> float | None:
    """From a number to the next larger one of its type; None where it overflows."""
    if value > torch.finfo(dtype).max:
        return None
    return torch.finfo(dtype).eps * 2.0 ** np.floor(np.log2(value))
