"""Which code wins, and what is lost: codes to drag over real colours, palettes of a photograph, argmin's steps."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS, STYLE, draw_images, png
from vqlab.classroom.font import register_font
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.codebook import kmeans, nearest_code
from vqlab.data import to_uint8
from vqlab.metrics import bits_per_pixel, psnr

PALETTE_SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
LEARNT_FROM = 4096  # pixels of a photograph that its palettes are learnt from
MARGIN = 0.12  # of the plane, around the colours
GREY = "#b4b4b4"  # behind the colours: black and white ones are both seen on it
RATE = ("码率（比特/像素）", "rate (bits per pixel)")
QUALITY = ("峰值信噪比 (dB)", "PSNR (dB)")


def small_photo(photo: Tensor, size: int = 128) -> Tensor:
    """Shrink a photograph by averaging, to whole 8-bit levels as a file would hold them.

    Args:
        photo: (3, H, W) in [-1, 1].
        size: the new height and width.

    Returns:
        (3, size, size) float32 in [-1, 1].
    """
    small = F.interpolate(photo[None], size=(size, size), mode="area")[0]
    return ((small + 1) * 127.5).round() / 127.5 - 1


class ColourPlane(NamedTuple):
    """Colours of a photograph on the plane that keeps most of their variance (the first two principal axes).

    Attributes:
        points: (N, 2) float32, right is brighter; rounded to 1/1024, so that they are the same on every machine.
        colours: (N, 3) uint8, the true colours.
        kept: the share of the variance that the plane holds, in 0..1.
        mean: (3,) the colour at the origin, in [-1, 1].
        axes: (3, 2) the two directions.
    """

    points: Tensor
    colours: Tensor
    kept: float
    mean: Tensor
    axes: Tensor

    def colour(self, points: Tensor) -> Tensor:
        """(K, 2) on the plane -> (K, 3) uint8, the colour there, clipped to what a screen can show."""
        rgb = self.mean + points.double() @ self.axes.T
        return ((rgb.clamp(-1, 1) + 1) * 127.5).round().byte()


def photo_plane(photo: Tensor, count: int = 1000, *, generator: torch.Generator) -> ColourPlane:
    """Draw colours of a photograph at random and lay them on a plane.

    Args:
        photo: (3, H, W) in [-1, 1].
        count: N.
        generator: CPU random numbers that choose the pixels.
    """
    pixels = photo.flatten(1).T.double()  # (H * W, 3)
    mean = pixels.mean(dim=0)
    variances, directions = torch.linalg.eigh((pixels - mean).T @ (pixels - mean) / len(pixels))  # ascending
    axes = directions[:, [2, 1]]
    axes = axes * torch.sign(axes.sum(dim=0))  # an eigenvector's sign is arbitrary: right is brighter
    chosen = pixels[torch.randperm(len(pixels), generator=generator)[:count]]
    points = (((chosen - mean) @ axes) * 1024).round().div(1024).float()
    colours = ((chosen + 1) * 127.5).round().byte()
    return ColourPlane(points, colours, float(variances[1:].sum() / variances.sum()), mean, axes)


def distortion(z: Tensor, codebook: Tensor) -> float:
    """The mean over the vectors of ‖z − nearest code‖², in float64; the squares are summed over D.

    >>> distortion(torch.tensor([[0.0, 0.0], [2.0, 2.0]]), torch.tensor([[0.0, 1.0], [2.0, 2.0]]))
    0.5
    """
    return float((z.double() - codebook[nearest_code(z, codebook)].double()).square().sum(dim=1).mean())


def lloyd_step(z: Tensor, codebook: Tensor) -> Tensor:
    """Move every code to the mean of the vectors that chose it; a code that nobody chose stays.

    Args:
        z: (N, D).
        codebook: (K, D).

    Returns:
        (K, D) float32.
    """
    indices = nearest_code(z, codebook)
    counts = torch.bincount(indices, minlength=len(codebook))[:, None]
    sums = torch.zeros(codebook.shape, dtype=torch.float64).index_add_(0, indices, z.double())
    return torch.where(counts > 0, sums / counts.clamp(min=1), codebook.double()).float()


class VoronoiPlane(LessonWidget):
    """Code vectors to drag over the colours of a photograph: cells, assignments and distortion follow.

    Everything is computed in the page; `codes` is what the learner left there.

    Args:
        plane: what `photo_plane` returns.
        starts: (S, K, 2), or (K, 2): where the codes start; with several, a button goes from one to the next.
        lloyd: whether there are buttons for Lloyd's algorithm, and its record.
        goal: a distortion to beat, shown beside the present one.
    """

    script = "argmin.js"
    setup = traitlets.Dict().tag(sync=True)
    points = binary()  # float32 (N, 2)
    colours = binary()  # uint8 (N, 3)
    codes = traitlets.List().tag(sync=True)

    def __init__(self, plane: ColourPlane, starts: Tensor, *, lloyd: bool = False, goal: float | None = None):
        starts = starts[None] if starts.ndim == 2 else starts
        if starts.ndim != 3 or starts.shape[2] != 2:
            raise ValueError(f"expected starts (K, 2) or (S, K, 2), got {tuple(starts.shape)}")
        self.plane, self.lloyd = plane, lloyd
        number = starts.shape[1]
        self.alt_zh = (f"真实照片的 {len(plane.points)} 个颜色画成平面上的点，{number} 个码字把平面分成维诺图，"
                       "每个点连到离它最近的码字。")
        self.alt_en = (f"{len(plane.points)} colours of a real photograph as points on a plane; {number} codes "
                       "divide it into Voronoi cells, and each point is tied to its nearest code.")
        super().__init__()
        low, high = plane.points.amin(dim=0) - MARGIN, plane.points.amax(dim=0) + MARGIN
        self.points = plane.points.contiguous().numpy().tobytes()
        self.colours = plane.colours.contiguous().numpy().tobytes()
        self.codes = starts[0].float().tolist()
        self.setup = {"low": low.tolist(), "high": high.tolist(), "mean": plane.mean.tolist(), "lloyd": lloyd,
                      "axes": plane.axes.tolist(), "starts": starts.float().tolist(), "goal": goal,
                      "alt": f"{self.alt_zh} {self.alt_en}"}

    @property
    def codebook(self) -> Tensor:
        """(K, 2) float32: the codes as they lie now."""
        return torch.tensor(self.codes, dtype=torch.float32)

    def picture(self) -> bytes:
        """Return the plane with its cells as PNG."""
        register_font()
        with mpl.rc_context(STYLE):
            fig = Figure(figsize=(8, 3.4))
            ax = draw_voronoi(self.plane, self.codebook, fig.subplots())
            ax.set_title(f"失真 distortion: {distortion(self.plane.points, self.codebook):.4f}")
            return png(fig)


def draw_voronoi(plane: ColourPlane, codebook: Tensor, ax: Axes | None = None) -> Axes:
    """Draw the colours, the cells of the codes (K, 2), and each code with its number."""
    ax = plt.subplots(figsize=(8, 3.4))[1] if ax is None else ax
    low, high = plane.points.amin(dim=0) - MARGIN, plane.points.amax(dim=0) + MARGIN
    xs, ys = (torch.linspace(float(a), float(b), n) for a, b, n in zip(low, high, (350, 140), strict=True))
    cells = nearest_code(torch.cartesian_prod(ys, xs).flip(1), codebook).reshape(140, 350)
    colours = plane.colour(codebook).float() / 255
    extent = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    grey = torch.tensor(mpl.colors.to_rgb(GREY))
    ax.imshow((0.55 * colours + 0.45 * grey)[cells].numpy(), origin="lower", extent=extent, aspect="equal")
    edges = (cells[:, 1:] != cells[:, :-1])[1:] | (cells[1:] != cells[:-1])[:, 1:]
    if edges.any():
        ax.contour(xs[1:].numpy(), ys[1:].numpy(), edges.float().numpy(), levels=[0.5], colors="black", linewidths=1)
    ax.scatter(*plane.points.T.numpy(), c=plane.colours.numpy() / 255, s=5)
    ax.scatter(*codebook.T.numpy(), c=colours.numpy(), s=170, edgecolors="white", linewidths=2.5)
    for number, (point, colour) in enumerate(zip(codebook.tolist(), colours, strict=True)):
        ax.annotate(str(number), point, ha="center", va="center", fontsize=9,
                    color="black" if colour.mean() > 0.5 else "white")
    ax.set(xlabel="第一主轴 first axis", ylabel="第二主轴 second axis", xlim=extent[:2], ylim=extent[2:])
    ax.grid(False)
    return ax


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

    script = "argmin_palette.js"
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

    def picture(self) -> bytes:
        """Return photograph, repainted photograph and curve so far as PNG."""
        register_font()
        with mpl.rc_context(STYLE):
            fig = Figure(figsize=(8, 2.8))
            axes = fig.subplots(1, 3)
            draw_images([self.photo, self.painted], ["原图 original", f"K = {self.size}"], axes[:2])
            draw_rate_distortion({("调色板", "palette"): list(self.played.values())}, axes[2])
            return png(fig)


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


def sweep(function: Callable[[Tensor], Tensor], xs: Tensor) -> Tensor:
    """Call a function of one number at each of xs (N,), and return the values (N,), float64."""
    return torch.stack([function(x).double() for x in xs])


def draw_steps(xs: Tensor, loss: Tensor, error: Tensor, colours: Tensor,
               axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw what follows when a vector z moves along one coordinate: the winner's colour, a loss of z_q, the error.

    Args:
        xs: (N,) the coordinate.
        loss: (N,) ‖z_q − target‖²: steps.
        error: (N,) ‖z − z_q‖²: continuous.
        colours: (N, 3) uint8, the colour of the winning code.
    """
    if axes is None:
        axes = plt.subplots(2, 1, figsize=(8, 4), sharex=True)[1]
    for ax, values, name in zip(axes, (loss, error), (r"$\|z_q - t\|^2$", r"$\|z - z_q\|^2$"), strict=True):
        extent = (float(xs[0]), float(xs[-1]), 0, float(values.max()) * 1.1)
        ax.imshow(colours[None].numpy(), extent=extent, aspect="auto", alpha=0.55)
        jumps = values.diff().abs() > 20 * values.diff().abs().median() + 1e-9
        shown = values.clone()
        shown[1:][jumps & (ax is axes[0])] = torch.nan  # a jump is no line
        ax.plot(xs.numpy(), shown.numpy(), color=COLOURS["black"])
        ax.set_ylabel(name)
        ax.grid(False)
    axes[0].set_title("解码器的损失：台阶 the decoder's loss: steps")
    axes[1].set_title("量化误差：连续 the quantization error: continuous")
    axes[1].set_xlabel("z 的第一个坐标 first coordinate of z")
    return list(axes)
