"""A photograph in K colours: palettes, their rate, what they lose."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS, draw_images
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.codebook import kmeans, nearest_code
from vqlab.data import to_uint8
from vqlab.metrics import bits_per_pixel, psnr

PALETTE_SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
LEARNT_FROM = 4096  # pixels of a photograph that its palettes are learnt from
RATE = ("码率（比特/像素）", "rate (bits per pixel)")
QUALITY = ("峰值信噪比（dB）", "PSNR (dB)")


def grid_palette(levels: int) -> Tensor:
    """A palette that knows no photograph: the middles of levels³ equal cubes, (levels³, 3) in [-1, 1]."""
    middles = torch.linspace(-1, 1, 2 * levels + 1)[1::2]
    return torch.cartesian_prod(middles, middles, middles)


def repaint(photo: Tensor, palette: Tensor) -> Tensor:
    """Give each pixel of a photograph (3, H, W) the nearest colour of a palette (K, 3)."""
    indices = nearest_code(photo.flatten(1).T.contiguous(), palette)
    return palette[indices].T.reshape(photo.shape)


def palette_rate(num_colours: int, height: int, width: int) -> float:
    """Bits per pixel of a picture in K colours: log2(K) for each index, and the palette itself, 24 bits a colour.

    >>> palette_rate(16, 128, 128)
    4.0234375
    """
    return bits_per_pixel(height * width, num_colours, height, width) + 24 * num_colours / (height * width)


class PalettePlayer(LessonWidget):
    """A photograph in K colours: the slider chooses K, torch repaints, and the rate–distortion curve grows.

    The palettes are k-means centres of this very photograph's colours (4096 random pixels), computed when the
    widget is made.

    Args:
        photo: (3, H, W) in [-1, 1].
        sizes: the K's of the slider.
        generator: CPU random numbers for k-means.

    Attributes:
        palettes: K -> (K, 3).
        played: K -> (bits per pixel, PSNR in dB), of the K's shown so far.
    """

    script = "palette.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    pixels = binary()  # RGB: the repainted photograph, then the error
    palette = binary()  # RGB: K colours, dark to bright
    alt_zh = "一张真实的照片、用 K 种颜色重画的照片、逐像素的误差、调色板，以及码率—失真曲线。"
    alt_en = "A real photograph, the same in K colours, its error, the palette, and the rate–distortion curve."

    def __init__(self, photo: Tensor, sizes: Sequence[int] = PALETTE_SIZES, *, generator: torch.Generator):
        self.photo, self.sizes = photo, list(sizes)
        pixels = photo.flatten(1).T
        colours = pixels[torch.randperm(len(pixels), generator=generator)[:LEARNT_FROM]]  # a quarter of the time
        self.palettes = {size: kmeans(colours, size, generator=generator) for size in self.sizes}
        self.played: dict[int, tuple[float, float]] = {}
        super().__init__()
        self.setup = {"sizes": self.sizes, "width": photo.shape[2], "height": photo.shape[1],
                      "photo": to_uint8(photo).flatten().tolist(), "axes": [list(RATE), list(QUALITY)],
                      "alt": f"{self.alt_zh} {self.alt_en}"}
        self.update(0, request=0)
        self.on_msg(self._asked)

    def update(self, at: int, request: int) -> None:
        """Repaint with the palette of ``sizes[at]`` and add its point to the curve."""
        size = self.sizes[at]
        codes = self.palettes[size]
        painted = repaint(self.photo, codes)
        self.painted, self.size = painted, size
        rate, quality = palette_rate(size, *self.photo.shape[1:]), float(psnr(painted, self.photo))
        self.played[size] = (rate, quality)
        error = (painted - self.photo).abs() * 4 - 1  # black where nothing is lost
        brightness = codes.sum(dim=1).argsort()
        with self.hold_sync():  # one message
            self.pixels = to_uint8(painted).tobytes() + to_uint8(error).tobytes()
            self.palette = to_uint8(codes[brightness].T[:, None]).tobytes()
            self.answer = {"at": at, "request": request, "size": size, "rate": rate, "quality": quality,
                           "index_bits": math.log2(size),
                           "played": [[k, *self.played[k]] for k in sorted(self.played)]}

    def _asked(self, _, content, buffers) -> None:
        self.update(min(max(int(content["at"]), 0), len(self.sizes) - 1), int(content["request"]))

    def figure(self) -> Figure:
        """Draw photograph, repainted photograph and curve so far."""
        fig = Figure(figsize=(8, 2.8))
        axes = fig.subplots(1, 3)
        draw_images([self.photo, self.painted], ["原图 original", f"K = {self.size}"], axes[:2])
        draw_rate_distortion({("调色板", "palette"): list(self.played.values())}, axes[2])
        axes[2].set(xlim=(0, 9), ylim=(10, 45), xlabel="\n".join(RATE))  # as in the page; the label fits
        return fig


def draw_rate_distortion(curves: dict[tuple[str, str], Sequence[tuple[float, float]]],
                         ax: Axes | None = None) -> Axes:
    """Draw curves of (bits per pixel, dB), each by its name (Chinese, English), told apart by marker too."""
    ax = plt.subplots(figsize=(7, 3.4))[1] if ax is None else ax
    looks = zip(curves.items(), ("codes", "wrong", "dead", "data"), "os^D", strict=False)
    for (name, points), colour, marker in looks:
        ax.plot(*np.array(points).T, marker=marker, color=COLOURS[colour], label=" ".join(name))
    ax.set(xlabel=" ".join(RATE), ylabel=" ".join(QUALITY))
    if len(curves) > 1:
        ax.legend()
    return ax
