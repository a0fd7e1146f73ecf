"""Which code wins: codes to drag over the real colours of a photograph."""

from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.widget import LessonWidget, binary
from vqlab.codebook import nearest_code
from vqlab.lessons.argmin.lloyd import distortion

MARGIN = 0.12  # of the plane, around the colours
GREY = "#b4b4b4"  # behind the colours: black and white ones are both seen on it


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


class VoronoiPlane(LessonWidget):
    """Code vectors to drag over the colours of a photograph: cells, assignments and distortion follow.

    Everything is computed in the page; `codes` is what the learner left there.

    Args:
        plane: what `photo_plane` returns.
        starts: (S, K, 2), or (K, 2): where the codes start; with several, a button goes from one to the next.
        lloyd: whether there are buttons for Lloyd's algorithm, and its record.
        goal: a distortion to beat, shown beside the present one.
    """

    script = "plane.js"
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

    def figure(self) -> Figure:
        """Draw the plane with its cells."""
        fig = Figure(figsize=(8, 3.4))
        ax = draw_voronoi(self.plane, self.codebook, fig.subplots())
        ax.set_title(f"失真 distortion: {distortion(self.plane.points, self.codebook):.4f}")
        return fig


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
    ties = torch.stack([plane.points, codebook[nearest_code(plane.points, codebook)]], dim=1)
    ax.add_collection(LineCollection(ties.numpy(), colors="white", linewidths=0.4, alpha=0.35))
    ax.scatter(*plane.points.T.numpy(), c=plane.colours.numpy() / 255, s=5)
    ax.scatter(*codebook.T.numpy(), c=colours.numpy(), s=170, edgecolors="white", linewidths=2.5)
    for number, (point, colour) in enumerate(zip(codebook.tolist(), colours, strict=True)):
        ax.annotate(str(number), point, ha="center", va="center", fontsize=9,
                    color="black" if colour.mean() > 0.5 else "white")
    ax.set(xlabel="第一主轴 first axis", ylabel="第二主轴 second axis", xlim=extent[:2], ylim=extent[2:])
    ax.grid(False)
    return ax
