"""The one drawing of the whole model, from image to image, that every lesson zooms into; its shapes are measured."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from torch import Tensor

from vqlab.classroom.figures import COLOURS, show
from vqlab.vqvae import SimpleVQVAE

PARTS = {  # what a lesson zooms into -> its name
    "encoder": ("编码器", "encoder"),
    "quantizer": ("量化器", "quantizer"),
    "tokens": ("token", "tokens"),
    "decoder": ("解码器", "decoder"),
}
# left and right: the axes are 114 wide
SPANS = {"encoder": (14.5, 25.5), "quantizer": (40, 74), "tokens": (50.5, 63.5), "decoder": (88.5, 99.5)}
MIDDLE = 50  # the height at which an image passes
BOTTOM, TOP = 16, 97  # of the quantizer's frame


class Walk(NamedTuple):
    """What shapes one picture has on its way through a model.

    Attributes:
        image: (C, H, W).
        z_e: (D, h, w), what the encoder gives.
        codebook: (K, D).
        tokens: (h, w) of each scale, coarse to fine; one for a model without scales.
        corner: of a model without scales, the top left tokens, at most 3 × 3; of one with scales, nothing.
        z_q: (D, h, w), the codes looked up.
        output: (C, H, W).
    """

    image: tuple[int, ...]
    z_e: tuple[int, ...]
    codebook: tuple[int, ...]
    tokens: list[tuple[int, ...]]
    corner: list[list[int]]
    z_q: tuple[int, ...]
    output: tuple[int, ...]


def architecture(model: SimpleVQVAE, images: Tensor, zoom: str | None = None, *, gradient: bool = False) -> None:
    """Display a model as image → encoder → z_e → quantizer (codebook, tokens) → z_q → decoder → image.

    Args:
        model: any; it is run once on ``images``, and every shape and token drawn is one that was there.
        images: (B, C, H, W); the first is followed.
        zoom: the part that the lesson is about, framed while the rest is paled: a key of `PARTS`.
        gradient: draw the way of the gradient, backward, straight past the quantizer.

    Raises:
        TypeError, ValueError: images that the model does not take, or another part.
    """
    found = walk(model, images)
    show(draw_architecture(found, zoom, gradient=gradient).figure, *described(found, zoom, gradient=gradient))


@torch.no_grad()
def walk(model: SimpleVQVAE, images: Tensor) -> Walk:
    """Run the model part by part on the first image and note every shape."""
    model.check_images(images)
    image = images[:1]
    z_e = model.encoder(image)
    tokens = model.quantize.encode(z_e)
    z_q = model.quantize.decode(tokens)
    if isinstance(tokens, Tensor):
        sizes, corner = [tuple(tokens.shape[1:])], tokens[0, :3, :3].tolist()
    else:
        sizes, corner = list(model.quantize.sizes), []
    return Walk(*(tuple(x.shape[1:]) for x in (image, z_e)), (model.vocab_size, model.embedding_dim), sizes, corner,
                *(tuple(x.shape[1:]) for x in (z_q, model.decoder(z_q))))


def described(found: Walk, zoom: str | None = None, *, gradient: bool = False) -> tuple[str, str]:
    """What `draw_architecture` shows, (Chinese, English): the alt text."""
    tokens = tokens_text(found)
    zh = (f"模型的结构：图像 {times(found.image)} → 编码器 → z_e {times(found.z_e)} → 量化器：在码本"
          f" {times(found.codebook)} 里找最近的码字，得到 token {tokens}，再查表 → z_q {times(found.z_q)}"
          f" → 解码器 → 图像 {times(found.output)}。")
    en = (f"The model: image {times(found.image)} → encoder → z_e {times(found.z_e)} → quantizer, which finds the "
          f"nearest code in the codebook {times(found.codebook)}, giving tokens {tokens}, and looks them up → "
          f"z_q {times(found.z_q)} → decoder → image {times(found.output)}.")
    if gradient:
        zh += "虚线：梯度反向走，从 z_q 直接到 z_e，绕过量化器。"
        en += " Dashed: the gradient goes backward, from z_q directly to z_e, round the quantizer."
    if zoom is not None:
        zh += f"突出显示的是{PARTS[zoom][0] if zoom != 'tokens' else ' token'}。"
        en += f" Highlighted: the {PARTS[zoom][1]}."
    return zh, en


def times(shape: tuple[int, ...]) -> str:
    """Write a shape.

    >>> times((3, 64, 64))
    '3 × 64 × 64'
    """
    return " × ".join(map(str, shape))


def tokens_text(found: Walk) -> str:
    """Write how many tokens there are: a map's sides, or the sum over scales."""
    if len(found.tokens) == 1:
        return times(found.tokens[0])
    first, last = found.tokens[0], found.tokens[-1]
    return f"{times(first)} + … + {times(last)} = {sum(height * width for height, width in found.tokens)}"


def draw_architecture(found: Walk, zoom: str | None = None, *, gradient: bool = False,
                      ax: Axes | None = None) -> Axes:
    """Draw a `Walk`; see `architecture`.

    Raises:
        ValueError: no such part to zoom into.
    """
    if zoom is not None and zoom not in PARTS:
        raise ValueError(f"expected a part out of {', '.join(PARTS)}, got {zoom!r}")
    floor = 2 if gradient else 13  # below the quantizer there is nothing but the gradient
    ax = plt.subplots(figsize=(8.4, (99 - floor) / 36))[1] if ax is None else ax
    ax.set(xlim=(0, 114), ylim=(floor, 99))
    ax.set_axis_off()

    def ink(colour, *parts, pale=0.3):  # full where the lesson looks, elsewhere mixed with white
        return _mixed(COLOURS.get(colour, colour), 1.0 if zoom is None or zoom in parts else pale)

    def label(x, y, text, *parts, size=8.5, colour="black"):
        ax.text(x, y, text, ha="center", va="center", fontsize=size, linespacing=1.15,
                color=ink(colour, *parts, pale=0.55))

    def arrow(start, end, *parts, **more):
        ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, shrinkA=0, shrinkB=0,
                                     **{"color": ink("black", *parts), "linewidth": 1.2} | more))

    for x, name, shape, depth, colour, parts in (
            (6.5, "图像 image", found.image, found.image[0], "#bbbbbb", ()),
            (32.5, "$z_e$", found.z_e, 4, "z_e", ("encoder", "quantizer")),
            (81.5, "$z_q$", found.z_q, 4, "codes", ("quantizer", "decoder")),
            (107, "图像 image", found.output, found.output[0], "#bbbbbb", ())):
        for i in reversed(range(depth)):  # squares one behind the other: channels, or some of the D numbers
            ax.add_patch(Rectangle((x - 4.5 + i * 0.8, MIDDLE - 16 + i * 2.2), 8, 26, facecolor=ink(colour, *parts),
                                   edgecolor="white", linewidth=0.8))
        label(x, MIDDLE + 25, name, *parts, size=11 if "$" in name else 8.5)
        label(x, MIDDLE - 25, times(shape), *parts)
    for part, heights in (("encoder", (30, 14)), ("decoder", (14, 30))):
        left, right = SPANS[part]
        corners = [(left, MIDDLE - heights[0]), (left, MIDDLE + heights[0]), (right, MIDDLE + heights[1]),
                   (right, MIDDLE - heights[1])]
        ax.add_patch(Polygon(corners, facecolor=ink("light", part), edgecolor=ink("data", part), linewidth=1.2))
        label((left + right) / 2, MIDDLE, "\n".join(PARTS[part]), part)
    for start, end, part in ((12, 14.5, "encoder"), (25.5, 27.5, "encoder"), (38, 52, "quantizer"),
                             (62, 76.5, "quantizer"), (87, 88.5, "decoder"), (99.5, 102, "decoder")):
        arrow((start, MIDDLE), (end, MIDDLE), part)

    left, right = SPANS["quantizer"]
    ax.add_patch(FancyBboxPatch((left, BOTTOM), right - left, TOP - BOTTOM, linewidth=1.2, facecolor="none",
                                boxstyle="round,pad=0,rounding_size=2", edgecolor=ink("codes", "quantizer")))
    label(left + 5.6, 88, "\n".join(PARTS["quantizer"]), "quantizer")
    for i in range(6):  # some of the codes
        ax.add_patch(Rectangle((51 + 2 * i, 74), 2, 13, facecolor=ink("codes", "quantizer"), edgecolor="white"))
    label(68.5, 81, f"码本 codebook\n{times(found.codebook)}", "quantizer", size=7.5)
    arrow((53, 73), (46.5, MIDDLE + 3), "quantizer", linewidth=0.9)
    arrow((61, 73), (68, MIDDLE + 3), "quantizer", linewidth=0.9)
    label(45.8, MIDDLE - 10, "最近的码字\nnearest code", "quantizer", size=7.5)
    label(68.2, MIDDLE - 10, "查表\nlook up", "quantizer", size=7.5)
    _draw_tokens(ax, 57, found, ink("black", "quantizer", "tokens"))
    label(57, 22.5, f"tokens\n{tokens_text(found)}", "quantizer", "tokens", size=7.5)

    if gradient:
        back = dict(color=COLOURS["wrong"], linestyle="--", linewidth=1.5)
        arrow((107, 15), (81.5, 15), **back)
        arrow((81.5, 15), (32.5, 15), connectionstyle="arc3,rad=-0.11", **back)
        arrow((32.5, 15), (17, 15), **back)
        ax.text(95, 8, "梯度 gradient", ha="center", va="center", fontsize=8.5, color=COLOURS["wrong"])
    if zoom is not None:
        left, right = SPANS[zoom]
        bottom, top = {"quantizer": (BOTTOM, TOP), "tokens": (BOTTOM + 2, 70)}.get(zoom, (18, 82))
        ax.add_patch(FancyBboxPatch((left, bottom), right - left, top - bottom, facecolor="none", linewidth=2.5,
                                    boxstyle="round,pad=0,rounding_size=2", edgecolor=COLOURS["black"]))
    return ax


def _mixed(colour, share):
    """A colour with white, of which it keeps a share."""
    return tuple(share * part + 1 - share for part in to_rgb(colour))


def _draw_tokens(ax, x, found, ink):
    """The numbers in a corner of the token map, or grids for the first scales of several."""
    if found.corner:
        grids = [(x, 3.2, found.corner)]
    else:
        grids = [(x - 3.6, 1.1, [[""]]), (x - 1.2, 1.1, [[""] * 2] * 2), (x + 2.6, 1.1, [[""] * 4] * 4)]
    for centre, cell, numbers in grids:
        high = cell * 3.1  # the axes are wider than high
        for row, line in enumerate(numbers):
            for column, number in enumerate(line):
                left, bottom = centre + (column - len(line) / 2) * cell, MIDDLE + (len(numbers) / 2 - 1 - row) * high
                ax.add_patch(Rectangle((left, bottom), cell, high, facecolor="white", edgecolor=ink, linewidth=0.7))
                ax.text(left + cell / 2, bottom + high / 2, number, fontsize=6, ha="center", va="center", color=ink)
