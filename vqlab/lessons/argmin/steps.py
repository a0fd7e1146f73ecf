"""What argmin does to a slope: a loss of z_q has steps, the quantization error has none."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from vqlab.classroom.figures import COLOURS


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
