"""How far one token sees, and how far it is seen: measured on the model, not read off its layers."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from vqlab.classroom.figures import COLOURS, draw_images
from vqlab.vqvae import STRIDE, SimpleVQVAE


class Box(NamedTuple):
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


def seen(model: SimpleVQVAE, picture: Tensor, row: int, column: int) -> Tensor:
    """How much each pixel of (1, C, H, W) has to say in the vector z_e at a place of the map.

    Returns:
        (H, W): the length of the gradient of all numbers of z_e[row, column]; exactly 0 where the encoder is blind.

    Raises:
        ValueError: see `SimpleVQVAE.check_images`.
    """
    model.check_images(picture)
    with torch.enable_grad():
        picture = picture.detach().clone().requires_grad_()
        z_e = model.encoder(picture)[0, :, row, column]
        slopes = [torch.autograd.grad(number, picture, retain_graph=True)[0][0] for number in z_e]
    return torch.stack(slopes).square().sum(dim=(0, 1)).sqrt()


@torch.no_grad()
def reached(model: SimpleVQVAE, picture: Tensor, row: int, column: int) -> Tensor:
    """How much each pixel drawn for (1, C, H, W) changes when the token at a place of the map is another one.

    Returns:
        (H, W): the largest change over the channels and over 16 other tokens; below 1e-6, rounding, it is set to 0.

    Raises:
        ValueError: see `SimpleVQVAE.check_images`.
    """
    tokens = model.img_to_idxBl(picture)[0]
    size = tuple(picture.shape[2:])
    others = tokens.repeat(16, 1)
    step = model.vocab_size / (len(others) + 1)  # spread over the whole codebook
    others[:, row * (size[1] // STRIDE) + column] += torch.tensor([round(step * (n + 1)) for n in range(16)],
                                                                  device=tokens.device)
    before, after = (model.idxBl_to_img([each % model.vocab_size], size=size) for each in (tokens, others))
    change = (after - before).abs().amax(dim=(0, 1))
    return torch.where(change > 1e-6, change, 0)


def box(weights: Tensor) -> Box:
    """The smallest rectangle that holds all that is not 0 in (H, W).

    Raises:
        ValueError: all is 0.
    """
    rows, columns = (weights.ne(0).any(dim=dim).nonzero().flatten() for dim in (1, 0))
    if not len(rows):
        raise ValueError("expected something that is not 0, got nothing but zeros")
    return Box(int(rows[0]), int(columns[0]), int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)


def draw_reach(picture: Tensor, row: int, column: int, sees: Tensor, reaches: Tensor,
               axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw the picture (C, H, W) with a token's pixels, what it sees and what it reaches; then both as weights.

    Args:
        picture: in [-1, 1].
        row, column: of the token.
        sees: (H, W), from `seen`.
        reaches: (H, W), from `reached`.
        axes: three.
    """
    axes = plt.subplots(1, 3, figsize=(4.5, 1.8))[1] if axes is None else axes
    draw_images([picture], ["一个 token one token"], axes[:1])
    for ax, weights, colour, title in zip(axes[1:], (sees, reaches), ("z_e", "codes"),
                                          ("看到 sees", "画到 draws"), strict=True):
        across = box(weights)
        ax.imshow((weights / weights.max()).sqrt().cpu().numpy(), cmap="gray", vmin=0, vmax=1)
        ax.set_title(f"{title} {across.height} × {across.width}")
        ax.set_axis_off()
        for each in (axes[0], ax):
            _frame(each, across, colour)
    for ax in axes:
        ax.title.set_fontsize(10)
        _frame(ax, Box(STRIDE * row, STRIDE * column, STRIDE, STRIDE), "wrong")
    return list(axes)


def _frame(ax: Axes, place: Box, colour: str) -> None:
    ax.add_patch(Rectangle((place.left - 0.5, place.top - 0.5), place.width, place.height, fill=False, linewidth=2,
                           edgecolor=COLOURS[colour]))
