"""A picture spelled coarse to fine: what each scale adds and leaves, what a prior reads, who uses which codes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from vqlab.classroom.figures import COLOURS, STYLE, draw_images, png
from vqlab.classroom.font import register_font
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.codebook import EMACodebook
from vqlab.data import to_uint8
from vqlab.metrics import perplexity, psnr
from vqlab.multiscale import MultiScaleQuantizer
from vqlab.vqvae import SimpleVQVAE

Text = tuple[str, str]  # Chinese, English

SO_FAR, ADDED, REMAINS = ("到此为止", "so far"), ("这一尺度添的", "this scale adds"), ("还剩的", "what remains")
MARKERS = ("o", "s", "^", "D")  # beside the colour, for those who don't see it


class Spelling(NamedTuple):
    """One picture written by scale, on the CPU; S scales give S + 1 states, the first before any token.

    Attributes:
        original: (C, H, W) in [-1, 1].
        pictures: S + 1 times (C, H, W), what the decoder draws of the sum so far.
        f: (D, h, w) the encoder's map.
        maps: S + 1 times (D, h, w), the sum so far, f_hat.
        words: S times (h_k, w_k) int64.
        codes: S times (D, h_k, w_k), the words looked up.
        inputs: S times (D, h_k, w_k), what a prior reads to predict that scale; zeros for the first, where it
            reads the class instead.
    """

    original: Tensor
    pictures: list[Tensor]
    f: Tensor
    maps: list[Tensor]
    words: list[Tensor]
    codes: list[Tensor]
    inputs: list[Tensor]

    def decibels(self) -> list[float]:
        """PSNR after 0, 1, … S scales."""
        return [psnr(picture, self.original).item() for picture in self.pictures]

    def left(self) -> list[float]:
        """The share of ‖f‖² that remains after 0, 1, … S scales, from 1 down."""
        return [((self.f - f_hat).square().sum() / self.f.square().sum()).item() for f_hat in self.maps]


@torch.no_grad()
def spell(model: SimpleVQVAE, picture: Tensor) -> Spelling:
    """Write a picture (C, H, W) in the words of a multi-scale model."""
    quantizer = model.quantize
    f = model.encoder(picture[None].to(next(model.parameters()).device))
    words = quantizer.encode(f)
    maps = [torch.zeros_like(f), *quantizer.decode(words, cumulative=True)]
    inputs = quantizer.var_input(words).split([h * w for h, w in quantizer.sizes[1:]], dim=1)
    squares = [indices.view(size).cpu() for indices, size in zip(words, quantizer.sizes, strict=True)]
    shaped = [part[0].T.unflatten(1, size).cpu() for part, size in zip(inputs, quantizer.sizes[1:], strict=True)]
    return Spelling(
        picture.cpu(), [model.decoder(f_hat)[0].cpu() for f_hat in maps],
        f[0].cpu(), [f_hat[0].cpu() for f_hat in maps],
        squares, [quantizer.embedding(square.to(f.device)).permute(2, 0, 1).cpu() for square in squares],
        [torch.zeros(len(f[0]), *quantizer.sizes[0]), *shaped])


class FeatureColours:
    """Feature vectors as colours: their three main directions are red, green and blue, zero is mid-grey.

    Args:
        f: (D, h, w) whose directions are taken, uncentred, so that zero stays grey; D at least 3.
    """

    def __init__(self, f: Tensor):
        rows = f.flatten(1).T.double()
        axes = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, [-1, -2, -3]]
        self.axes = axes * torch.sign(axes.sum(dim=0))  # an eigenvector's sign is arbitrary
        self.reach = (rows @ self.axes).abs().quantile(0.98).item() or 1.0

    def __call__(self, f: Tensor) -> np.ndarray:
        """(D, h, w) -> (h, w, 3) uint8."""
        rgb = (f.flatten(1).T.double() @ self.axes / self.reach).T.unflatten(1, f.shape[1:])
        return to_uint8(rgb.clamp(-1, 1))


class ScaleSpeller(LessonWidget):
    """A slider over scales: the picture so far, what this scale adds, what remains, in pixels and in features.

    All states are computed by the model beforehand, so the slider only chooses.

    Args:
        spellings: name of a picture (Chinese, English) -> what `spell` returns; all of one size.
    """

    script = "scales.js"
    setup = traitlets.Dict().tag(sync=True)
    pixels = binary()  # for each picture and state: so far, added, remains in pixels; the same three in features
    alt_zh = ("一张照片由粗到细拼写：1 个词给出平均颜色，4、16 个词给出大致的明暗，64 个词看得出轮廓，"
              "256 个词补上边缘。每一尺度只添上前面没有的。")
    alt_en = ("A photograph spelled coarse to fine: 1 token gives the mean colour, 4 and 16 the rough light and "
              "dark, 64 the outlines, 256 the edges. Each scale adds only what was missing.")

    def __init__(self, spellings: Mapping[Text, Spelling]):
        self.spellings = dict(spellings)
        super().__init__()
        first = next(iter(self.spellings.values()))
        height, width = first.original.shape[1:]
        self.pixels = b"".join(state_pixels(each) for each in self.spellings.values())
        self.setup = {
            "names": [list(name) for name in self.spellings], "alt": f"{self.alt_zh} {self.alt_en}",
            "sizes": [list(square.shape) for square in first.words],
            "picture": [width, height], "map": [first.f.shape[2], first.f.shape[1]],
            "decibels": [each.decibels() for each in self.spellings.values()],
            "left": [each.left() for each in self.spellings.values()]}

    def picture(self) -> bytes:
        """Return the first picture after each scale, and what each added, as PNG."""
        register_font()
        with mpl.rc_context(STYLE):
            fig = Figure(figsize=(6, 2.5))
            spelling = next(iter(self.spellings.values()))
            axes = fig.subplots(2, len(spelling.pictures))
            titles = ["无 none", *(" × ".join(map(str, square.shape)) for square in spelling.words)]
            draw_images(spelling.pictures, titles, axes[0])
            draw_images([spelling.original, *_added(spelling.pictures)[1:]],
                        ["原图 original", *["添的 added"] * len(spelling.words)], axes[1])
            return png(fig)


def state_pixels(spelling: Spelling) -> bytes:
    """The six RGB images of each state, one after the other; differences are drawn around mid-grey."""
    colours, out = FeatureColours(spelling.f), []
    states = zip(spelling.pictures, _added(spelling.pictures), spelling.maps, _added(spelling.maps), strict=True)
    for picture, more, f_hat, h in states:
        out += [to_uint8(each) for each in (picture, more, spelling.original - picture)]
        out += [colours(each) for each in (f_hat, h, spelling.f - f_hat)]
    return b"".join(np.ascontiguousarray(image).tobytes() for image in out)


def _added(states: Sequence[Tensor]) -> list[Tensor]:
    """What each state has that the one before had not; zeros for the first."""
    return [torch.zeros_like(states[0]), *(after - before for before, after in zip(states, states[1:], strict=False))]


class VarInputMap(LessonWidget):
    """What a next-scale prior reads (above) and what it predicts from it (below), scale beside scale.

    Choose a target: the input in its place, and all the inputs it may look at, are marked.

    Args:
        spelling: of one picture.
    """

    script = "scales_map.js"
    setup = traitlets.Dict().tag(sync=True)
    pixels = binary()  # RGB of the inputs of each scale, then of the targets of each
    alt_zh = ("两排方格图，从左到右由粗到细。上排是输入：第一格是类别，往后每一格图都比前一格细，"
              "看得出同一张图的轮廓；下排是目标：每一尺度的词，细的几张只剩零碎的边缘。")
    alt_en = ("Two rows of grids, coarse to fine from left to right. Above, the inputs: first the class, then ever "
              "finer maps in which one picture takes shape. Below, the targets: each scale's words, the fine ones "
              "mere scraps of edges.")

    def __init__(self, spelling: Spelling):
        self.spelling, self.colours = spelling, FeatureColours(spelling.f)
        super().__init__()
        self.images = [[self.colours(each) for each in row] for row in (spelling.inputs, spelling.codes)]
        self.pixels = b"".join(np.ascontiguousarray(image).tobytes() for row in self.images for image in row)
        self.setup = {"sizes": [list(square.shape) for square in spelling.words],
                      "words": [square.flatten().tolist() for square in spelling.words],
                      "alt": f"{self.alt_zh} {self.alt_en}"}

    def picture(self) -> bytes:
        """Return both rows, with the input and the target of one place marked, as PNG."""
        register_font()
        with mpl.rc_context(STYLE):
            fig = Figure(figsize=(6.6, 3.2))
            axes = fig.subplots(2, len(self.images[0]))
            sizes = [" × ".join(map(str, square.shape)) for square in self.spelling.words]
            draw_images(self.images[0], ["类别 class", *(f"输入 input\n{size}" for size in sizes[1:])], axes[0])
            draw_images(self.images[1], [f"目标 target\n{size}" for size in sizes], axes[1])
            for row in axes:
                ax = row[min(2, len(row) - 1)]
                ax.add_patch(Rectangle((0.5, 0.5), 1, 1, fill=False, linewidth=3, edgecolor=COLOURS["wrong"],
                                       clip_on=False))
            return png(fig)


def random_quantizer(num_embeddings: int, embedding_dim: int, patch_nums: Sequence[int], *,
                     generator: torch.Generator, zero_code: bool = False) -> MultiScaleQuantizer:
    """A quantizer that has learnt nothing: normal random codes, φ off; ``zero_code`` makes code 0 the zero vector."""
    quantizer = MultiScaleQuantizer(num_embeddings, embedding_dim, patch_nums, phi_ratio=0.0).eval()
    weight = torch.randn(num_embeddings, embedding_dim, generator=generator)
    if zero_code:
        weight[0] = 0
    with torch.no_grad():
        quantizer.embedding.weight.copy_(weight)
    return quantizer


@torch.no_grad()
def errors_by_scale(quantizer: MultiScaleQuantizer, f: Tensor) -> list[float]:
    """The share of mean f² (B, D, H, W) that is wrong after 0, 1, … S scales; above 1: worse than nothing at all."""
    maps = quantizer.decode(quantizer.encode(f), cumulative=True)
    return [1.0, *((f - f_hat).square().mean().div(f.square().mean()).item() for f_hat in maps)]


def fit_quantizer(features: Tensor, patch_nums: Sequence[int], *, num_embeddings: int = 512, phi_ratio: float = 0.5,
                  steps: int = 100, seed: int = 0) -> MultiScaleQuantizer:
    """Fit a codebook (EMA) and φ (Adam) to features that stay as they are: the encoder is not trained along.

    Args:
        features: (B, D, H, W), of which 8 are drawn a step.
        patch_nums: the scales.
        num_embeddings: K.
        phi_ratio: r of φ, 0 for none; all else is drawn alike.
        steps: of training.
        seed: of the k-means start and the draws; torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        dim = features.shape[1]
        codebook = EMACodebook(num_embeddings, dim, kmeans_start=True, restart_below=0.03)
        quantizer = MultiScaleQuantizer(num_embeddings, dim, patch_nums, codebook=codebook, phi_ratio=phi_ratio)
        quantizer.to(features.device).train()
        optimizer = torch.optim.Adam(quantizer.phis.parameters(), lr=3e-3)
        draw = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            loss = quantizer(features[torch.randint(len(features), (8,), generator=draw)]).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return quantizer.eval()


def draw_gain(gain: Sequence[float], patch_nums: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw which share of the error, 0 to 1, is removed after each scale, with the per cent on each bar."""
    ax = ax or plt.subplots(figsize=(4.6, 2.2))[1]
    bars = ax.bar(range(len(gain)), [100 * share for share in gain], width=0.6, color=COLOURS["data"])
    ax.bar_label(bars, [f"{100 * share:.0f} %".replace("-", "−") for share in gain])
    ax.axhline(0, color=COLOURS["black"], linewidth=1)
    ax.set(xticks=range(len(patch_nums)), xticklabels=[f"{n} × {n}" for n in patch_nums], xlabel="尺度 scale",
           ylabel="少的误差 less error (%)")
    ax.margins(y=0.2)
    return ax


class ScaleUse(NamedTuple):
    """How much of the codebook one scale uses: N tokens, of them ``codes`` different ones, and their perplexity."""

    tokens: int
    codes: int
    perplexity: float


def use_by_scale(words: Sequence[Tensor], num_embeddings: int) -> list[ScaleUse]:
    """Count each scale's (B, h·w) tokens on their own."""
    return [ScaleUse(scale.numel(), len(scale.unique()), perplexity(scale, num_embeddings).item()) for scale in words]


def shares_by_length(words: Sequence[Tensor], codebook: Tensor, *, bins: int = 32) -> Tensor:
    """Which codes a scale takes: codes sorted by length, (S, bins) shares that sum to 1 a scale; bins divide K."""
    rank = codebook.norm(dim=1).argsort().argsort()
    size = len(codebook) // bins
    counts = torch.stack([torch.bincount(rank[scale.flatten()] // size, minlength=bins) for scale in words])
    return counts / counts.sum(dim=1, keepdim=True)


def draw_errors(curves: Mapping[str, Sequence[float]], patch_nums: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw what remains after each scale, a curve each; the line at 1 is a map of zeros."""
    ax = ax or plt.subplots(figsize=(7.2, 2.3))[1]
    for (label, values), marker in zip(curves.items(), MARKERS, strict=False):
        ax.plot(range(len(values)), values, marker=marker, label=label)
    ax.axhline(1, color=COLOURS["dead"], linestyle=":", linewidth=1.5)
    ax.set(xticks=range(len(patch_nums) + 1), xticklabels=["0", *(f"{n} × {n}" for n in patch_nums)],
           xlabel="写到哪个尺度 written up to this scale", ylabel="还剩的份额 share left", ylim=0)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=10)
    return ax


def draw_use(use: Sequence[ScaleUse], num_embeddings: int, patch_nums: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw for each scale the most codes it could name, those it named, and their perplexity."""
    ax = ax or plt.subplots(figsize=(4, 3))[1]
    places = np.arange(len(use))
    most = [min(each.tokens, num_embeddings) for each in use]
    ax.bar(places, most, width=0.9, fill=False, edgecolor=COLOURS["dead"], linestyle="--", linewidth=1.5,
           label="上限 at most")
    ax.bar(places - 0.2, [each.codes for each in use], width=0.36, color=COLOURS["data"],
           label="用到的码字 codes used")
    ax.bar(places + 0.2, [each.perplexity for each in use], width=0.36, color=COLOURS["z_e"], hatch="//",
           edgecolor="white", label="困惑度 perplexity")
    ax.set(xticks=places, xticklabels=[f"{n}²" for n in patch_nums], xlabel="尺度 scale", ylim=(0, 1.6 * max(most)))
    ax.legend(fontsize=9, loc="upper left")
    return ax


def draw_lengths(shares: Tensor, patch_nums: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw `shares_by_length`: a row a scale, short codes left, long ones right, the darker the more often."""
    ax = ax or plt.subplots(figsize=(4, 3))[1]
    ax.imshow(shares.cpu().numpy(), aspect="auto", cmap="Blues", vmin=0)
    ax.set(xticks=[], yticks=range(len(patch_nums)), yticklabels=[f"{n}²" for n in patch_nums],
           xlabel="短码字 short codes  →  长码字 long codes", ylabel="尺度 scale")
    ax.grid(False)
    return ax


def draw_spread(size: int = 4, full: int = 16, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw one token of 1 among zeros, enlarged (bicubic) and shrunk again (area), with the extreme values."""
    axes = plt.subplots(1, 3, figsize=(5, 2))[1] if axes is None else axes
    states = impulse(size, full)
    for ax, (state, title) in zip(axes, zip(states, ("一个词 one token", "放大 enlarged", "再缩小 shrunk again"),
                                            strict=True), strict=True):
        ax.imshow(state.numpy(), cmap="PuOr_r", vmin=-1, vmax=1)
        ax.set_title(f"{title}\n{state.min():.3f} … {state.max():.3f}".replace("-", "−"))
        ax.set_axis_off()
    return list(axes)


def impulse(size: int, full: int) -> list[Tensor]:
    """One token of 1 among zeros: (size, size), enlarged to (full, full), shrunk back to (size, size)."""
    small = torch.zeros(1, 1, size, size)
    small[..., size // 2, size // 2] = 1
    large = F.interpolate(small, (full, full), mode="bicubic")
    return [each[0, 0] for each in (small, large, F.interpolate(large, (size, size), mode="area"))]
