"""Codes chase, encoders commit: the VQ-VAE's three losses on a plane, one step of gradient descent at a time."""

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.widget import LessonWidget
from vqlab.codebook import nearest_code
from vqlab.quantizer import straight_through

RATE = 0.05  # of gradient descent
SPAN = 3.5  # the plane reaches from −SPAN to SPAN
LARGEST_BETA = 4.0


class Chase(NamedTuple):
    """Encoder outputs that are free to move, codes, and what the decoder, here the identity, should output.

    Attributes:
        z_e: (N, 2).
        codes: (K, 2).
        targets: (N, 2).
    """

    z_e: Tensor
    codes: Tensor
    targets: Tensor

    def step(self, beta: float, rate: float = RATE) -> "Chase":
        """One step of gradient descent on L = ½ Σ ‖q̂ − t‖² + ‖sg[z_e] − z_q‖² + β ‖z_e − sg[z_q]‖².

        q̂ = straight_through(z_e, z_q); the gradients are autograd's.
        """
        z_e, codes = (x.detach().clone().requires_grad_() for x in (self.z_e, self.codes))
        z_q = codes[nearest_code(z_e, codes)]
        loss = ((straight_through(z_e, z_q) - self.targets).square() + (z_q - z_e.detach()).square()
                + beta * (z_e - z_q.detach()).square()).sum() / 2
        to_encoder, to_codes = torch.autograd.grad(loss, [z_e, codes])
        return Chase((z_e - rate * to_encoder).detach(), (codes - rate * to_codes).detach(), self.targets)

    def run(self, beta: float, steps: int) -> list["Chase"]:
        """Return this state and the ``steps`` that follow."""
        states = [self]
        for _ in range(steps):
            states.append(states[-1].step(beta))
        return states

    def gap(self) -> float:
        """The mean distance from an encoder output to its code."""
        return (self.z_e - self.codes[nearest_code(self.z_e, self.codes)]).norm(dim=1).mean().item()

    def error(self) -> float:
        """The mean distance from a code to the target of who chose it: what the decoder gets wrong."""
        return (self.codes[nearest_code(self.z_e, self.codes)] - self.targets).norm(dim=1).mean().item()


def chase_start(generator: torch.Generator | None = None, *, num_vectors: int = 24, num_embeddings: int = 4) -> Chase:
    """Draw a start: targets in three groups, encoder outputs around the origin, codes near it; float64."""
    centres = torch.tensor([[1.4, 0.9], [-1.5, 0.6], [0.2, -1.5]], dtype=torch.float64)
    targets = centres[torch.arange(num_vectors) % 3]
    targets = targets + 0.25 * torch.randn(num_vectors, 2, generator=generator, dtype=torch.float64)
    z_e = 0.6 * torch.randn(num_vectors, 2, generator=generator, dtype=torch.float64)
    codes = 0.6 * torch.randn(num_embeddings, 2, generator=generator, dtype=torch.float64)
    return Chase(z_e, codes, targets)


class ChasePlayer(LessonWidget):
    """The chase as a film: β on a slider; play, pause, one step, from the start again.

    The page computes the steps itself, the same as `Chase.step`.

    Args:
        start: where everything begins.
        beta: the slider's first value, from 0 to 4.
    """

    script = "chase.js"
    setup = traitlets.Dict().tag(sync=True)
    alt_zh = ("一段动画：橙圆 z_e 各有一条线连到自己的码字（绿方块），小紫菱形是目标。β 为 0 时 z_e 越跑越远，"
              "β 适中时紧跟码字，β 太大时大家早早停在半路。")
    alt_en = ("A film: each orange circle z_e has a line to its code (green square); the small purple diamonds are "
              "the targets. With β = 0 the z_e run far away, with a moderate β they keep close to their codes, with "
              "too large a β all stop half-way.")

    def __init__(self, start: Chase, beta: float = 0.0):
        self.start = start
        super().__init__()
        self.setup = {**{name: tensor.tolist() for name, tensor in start._asdict().items()}, "rate": RATE,
                      "span": SPAN, "beta": beta, "largest": LARGEST_BETA, "alt": f"{self.alt_zh} {self.alt_en}"}

    def figure(self) -> Figure:
        """Draw the state after 300 steps for three β side by side."""
        fig = Figure(figsize=(7.5, 2.8))
        for ax, beta in zip(fig.subplots(1, 3), (0.0, 1.0, 4.0), strict=True):
            draw_chase(self.start.run(beta, 300)[-1], ax).set_title(f"β = {beta:g}")
        return fig


def code_changes(states: list[Chase]) -> int:
    """How often an encoder output changed its code from one state to the next."""
    chosen = torch.stack([nearest_code(state.z_e, state.codes) for state in states])
    return int((chosen[1:] != chosen[:-1]).sum())


def draw_chase(state: Chase, ax: Axes | None = None) -> Axes:
    """Draw encoder outputs, each with a line to its code, codes and targets."""
    ax = plt.subplots(figsize=(4, 4))[1] if ax is None else ax
    z_q = state.codes[nearest_code(state.z_e, state.codes)]
    for start, end in zip(state.z_e, z_q, strict=True):
        ax.plot(*torch.stack([start, end]).T, color=COLOURS["dead"], linewidth=1)
    ax.plot(*state.targets.T, "D", color=COLOURS["other"], markersize=4)
    ax.plot(*state.z_e.T, "o", color=COLOURS["z_e"], markersize=6)
    ax.plot(*state.codes.T, "s", color=COLOURS["codes"], markersize=9)
    ax.set(xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
    return ax


def draw_betas(films: Mapping[float, list[Chase]]) -> list[Axes]:
    """Draw, over β, how often codes were changed and how large the error is at the end.

    Args:
        films: β -> the states of `Chase.run`.
    """
    _, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8))
    places = range(len(films))
    left.plot(places, [code_changes(film) for film in films.values()], "o-", color=COLOURS["z_e"])
    left.set(title="换码字的次数 changes of code", xlabel="β", xticks=places, xticklabels=films, ylim=0)
    right.plot(places, [film[-1].error() for film in films.values()], "s--", color=COLOURS["codes"])
    right.set(title="误差 error", xlabel="β", xticks=places, xticklabels=films, ylim=0)
    return [left, right]
