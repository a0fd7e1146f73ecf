"""Where the codes are among the encoder's outputs: the plane of the two widest directions."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS, styled
from vqlab.classroom.training import PREVIEW_SECONDS, TrainingPanel
from vqlab.data import crops
from vqlab.lessons.collapse.runs import photographs
from vqlab.train import Record
from vqlab.vqvae import SimpleVQVAE

SHOWN = 250  # encoder outputs on the plane
LEGEND = 0.745  # where it begins on the picture of `codes_picture`, as a share of the height
SPAN = 3.2  # the plane reaches so many standard deviations of the encoder's outputs


class CodesPlane(NamedTuple):
    """Encoder outputs and codes on the plane of the outputs' two widest directions, in standard deviations.

    Attributes:
        z_e: (250, 2), some of the outputs.
        codes: (K, 2).
        used: (K,) bool, whether any of all the outputs chose the code.
        tokens: how many outputs these are.
        axes: (D, 2) the directions, to be handed to the next call: then the plane does not flip.
    """

    z_e: Tensor
    codes: Tensor
    used: Tensor
    tokens: int
    axes: Tensor


@torch.no_grad()
def codes_plane(model: SimpleVQVAE, axes: Tensor | None = None) -> CodesPlane:
    """Where the encoder puts pieces of the photographs, and where the codes are."""
    images = _shown().to(next(model.parameters()).device)
    z = model.encoder(images)
    indices = model.quantize.encode(z).flatten()
    codes = model.quantize.codebook if hasattr(model.quantize, "codebook") else model.quantize.embedding.weight
    if hasattr(model.quantize, "bound"):  # FSQ: its codes lie where bounded numbers are
        z = (model.quantize.bound(z) / (model.quantize.levels // 2)).permute(0, 3, 1, 2)
    z, codes = z.permute(0, 2, 3, 1).flatten(0, 2).double().cpu(), codes.detach().double().cpu()
    centred = z - z.mean(dim=0)
    found = torch.linalg.eigh(centred.T @ centred / len(z))[1][:, -2:].flip(1)  # (D, 2)
    if axes is not None:  # an eigenvector's sign is arbitrary
        found = found * torch.where((found * axes).sum(dim=0) < 0, -1.0, 1.0)
    spread = (centred @ found).std(dim=0).clamp(min=1e-9)
    used = torch.zeros(len(codes), dtype=torch.bool).index_fill_(0, indices.cpu(), True)
    chosen = torch.linspace(0, len(z) - 1, SHOWN).long()
    return CodesPlane(((centred @ found) / spread)[chosen].float(),
                      ((codes - z.mean(dim=0)) @ found / spread).float(), used, len(z), found)


def draw_codes(plane: CodesPlane, ax: Axes | None = None, **legend: Any) -> Axes:
    """Draw encoder outputs (orange dots), used codes (green squares) and unused ones (grey crosses).

    Codes beyond the edge are drawn on it. The legend says how many tokens were counted; ``legend`` are settings of
    `Axes.legend` for another place or size.
    """
    ax = plt.subplots(figsize=(3.1, 3.1))[1] if ax is None else ax
    codes = plane.codes.clamp(-SPAN, SPAN)
    ax.plot(*plane.z_e.clamp(-SPAN, SPAN).T, ".", color=COLOURS["z_e"], markersize=3, alpha=0.6, label="z_e")
    ax.plot(*codes[~plane.used].T, "x", color=COLOURS["dead"], markersize=5,
            label=f"没人选 unused: {int((~plane.used).sum())}")
    ax.plot(*codes[plane.used].T, "s", color=COLOURS["codes"], markersize=4.5, markeredgecolor="white",
            markeredgewidth=0.5, label=f"有人选 used: {int(plane.used.sum())}")
    ax.set(xlim=(-SPAN * 1.05, SPAN * 1.05), ylim=(-SPAN * 1.05, SPAN * 1.05), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(True)
    ax.legend(**{"loc": "upper center", "bbox_to_anchor": (0.5, 0), "ncols": 2, "title": f"{plane.tokens} tokens",
                 "title_fontsize": 8, "fontsize": 8, "handletextpad": 0.2, "columnspacing": 1} | legend)
    return ax


def codes_picture(model: SimpleVQVAE) -> np.ndarray:
    """The plane of `draw_codes` as an image, uint8 (H, W, 3), for a `TrainingPanel`'s preview."""
    was_training = model.training
    with styled(**{"figure.dpi": 160}):
        fig = Figure(figsize=(2, 2.3))
        canvas = FigureCanvasAgg(fig)
        draw_codes(codes_plane(model.eval()), fig.subplots(), bbox_to_anchor=(0.5, 0.02), ncols=1,
                   title_fontsize=7, fontsize=7, labelspacing=0.3)
        canvas.draw()
        model.train(was_training)
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class CollapsePanel(TrainingPanel):
    """A `TrainingPanel` of usage and perplexity, with the plane of `draw_codes` as its preview.

    Args:
        title_zh: the title, in Chinese.
        title_en: the same in English.
        end: of the x axis, in steps or seconds.
    """

    def __init__(self, title_zh: str, title_en: str, end: float):
        series = {"usage": ("使用率", "usage"), "perplexity": ("困惑度", "perplexity")}
        super().__init__(title_zh, title_en, end, series, ("码字在哪儿", "where the codes are"))
        self.alt_zh += "右边的平面：橙点是编码器的输出，绿方块是有人选的码字，灰叉没人选。"
        self.alt_en += (" On the plane at the right, orange dots are encoder outputs, green squares codes in use, "
                        "grey crosses unused ones.")

    def figure(self) -> Figure:
        """As a `TrainingPanel`'s, a little smaller: a plane of many dots takes room in the saved lesson.

        Here the plane is too small for its legend, which is left out.
        """
        fig = super().figure()
        fig.set_size_inches(6.2, 2.2)
        if self._image is not None:
            fig.axes[-1].set_ylim(LEGEND * len(self._image), 0)
        return fig

    def watch_codes(self, model: SimpleVQVAE, records: Iterable[Record], x: str = "seconds") -> Iterator[Record]:
        """`watch`, and look where the model's codes are: often in a short training, every few seconds in a minute."""
        return self.watch(records, x, preview=lambda: codes_picture(model),
                          preview_seconds=PREVIEW_SECONDS if x == "seconds" else 0.7)


@cache
def _shown() -> Tensor:
    return next(crops(photographs(), 16, 32, generator=torch.Generator().manual_seed(2)))
