"""What one search's steps cost beside each other: the matrix product, and ways to find the least of each row."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.cost import seconds_in_turn
from vqlab.classroom.figures import COLOURS
from vqlab.classroom.widget import LessonWidget

SIZES = (256, 1024, 4096, 16384)  # K
DIMS = (4, 16, 64)  # D
SCORES = 2**20  # one chunk: K times the rows that fit, about a CPU's cache
PRODUCT = "乘积 product"


def step_times(steps: Mapping[str, Callable[[Tensor], Any]], num_codes: int, dim: int, *, repeats: int = 9,
               device: torch.device | str = "cpu") -> dict[str, float]:
    """The time of each step on one chunk of scores, as a multiple of the time of the matrix product that made it.

    Args:
        steps: label -> a function of scores (n, K), n · K = 2^20.
        num_codes: K.
        dim: D, of vectors and codes, which are normal random numbers: times do not depend on them.
        repeats: runs, of which the median counts; the steps take turns.
        device: where.

    Returns:
        As `steps`, the product first (1.0).
    """
    generator = torch.Generator().manual_seed(0)
    z, codebook = (torch.randn(rows, dim, generator=generator).to(device)
                   for rows in (SCORES // num_codes, num_codes))
    norms = codebook.square().sum(dim=1)
    scores = torch.addmm(norms, z, codebook.t(), alpha=-2)
    product = partial(torch.addmm, norms, z, codebook.t(), alpha=-2, out=torch.empty_like(scores))
    seconds = seconds_in_turn({PRODUCT: product, **{name: partial(step, scores) for name, step in steps.items()}},
                              repeats)
    return {name: each / seconds[PRODUCT] for name, each in seconds.items()}


class StepTimes(LessonWidget):
    """Bars that are measured now, on this machine: steps beside the matrix product, for the K and D one chooses.

    Args:
        steps: as for `step_times`; a label is "中文 English".
        num_codes: K at first, one of `SIZES`.
        dim: D at first, one of `DIMS`.
    """

    script = "steps.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)

    def __init__(self, steps: Mapping[str, Callable[[Tensor], Any]], num_codes: int = 1024, dim: int = 16):
        self.steps = dict(steps)
        super().__init__(setup={"sizes": SIZES, "dims": DIMS})
        self.update({"codes": num_codes, "dim": dim}, 0)
        self.on_msg(self._asked)

    def update(self, values: Mapping[str, int], request: int) -> None:
        """Measure with these K and D, and show the bars."""
        times = step_times(self.steps, values["codes"], values["dim"])
        listed = ", ".join(f"{name} {time:.2f}" for name, time in times.items())
        self.alt_zh = f"横条图，以矩阵乘积的时间为 1：{listed}。"
        self.alt_en = f"Bars, in units of the matrix product's time: {listed}."
        self.answer = {"values": dict(values), "request": request, "times": list(times.items()),
                       "alt": f"{self.alt_zh} {self.alt_en}"}

    def _asked(self, _, content, buffers) -> None:
        self.update(content["values"], content["request"])

    @property
    def times(self) -> dict[str, float]:
        """What was measured last, label -> multiple of the product."""
        return dict(self.answer["times"])

    def figure(self) -> Figure:
        """Draw what was measured last."""
        fig = Figure(figsize=(6, 0.8 + 0.32 * len(self.times)))
        ax = fig.subplots()
        bars = ax.barh(list(self.times), list(self.times.values()), color="white", edgecolor=COLOURS["data"],
                       hatch="//")
        bars[0].set(edgecolor=COLOURS["z_e"], hatch="..")
        ax.bar_label(bars, [f"{value:.2f}" for value in self.times.values()], padding=3)
        values = self.answer["values"]
        ax.set(xlabel=f"时间 time (× 乘积 product), K = {values['codes']}, D = {values['dim']}")
        ax.margins(x=0.15)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        return fig
