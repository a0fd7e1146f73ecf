"""Gradients one can see: arrows on the plane, and where a step of descent leads.

Whatever is drawn here was computed by torch's autograd, none of it by a formula of ours.
"""

from collections.abc import Callable, Mapping, Sequence
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

Way = Callable[[Tensor, Tensor], Tensor]  # (z_e, z_q) -> what the decoder gets
PLANE_CODES = torch.tensor([[0.9, 0.35], [0.1, 1.0], [-0.9, 0.5], [-0.6, -0.8], [0.7, -0.75]])
SPAN = 1.5  # the plane reaches from −SPAN to SPAN
STEP = 0.5  # an arrow is −STEP × gradient: where one step of gradient descent at this rate leads


class Arrows(NamedTuple):
    """What one backward pass gave; a gradient is None where no path leads.

    Attributes:
        value: (D,) what the decoder got.
        asked: (D,) dL/d(value), the gradient that leaves the decoder.
        encoder: (D,) the gradient that reached z_e.
        code: (D,) the gradient that reached z_q.
    """

    value: Tensor
    asked: Tensor | None
    encoder: Tensor | None
    code: Tensor | None


def arrows(way: Way, z_e: Tensor, z_q: Tensor, target: Tensor) -> Arrows:
    """Send one gradient backward through ``way``; the decoder is the identity, L = ½ ‖way(z_e, z_q) − target‖².

    Args:
        way: what stands between quantizer and decoder, such as `vqlab.straight_through`.
        z_e: (D,) the encoder's vector.
        z_q: (D,) its code vector.
        target: (D,) what the decoder should output.

    Raises:
        ValueError: ``way`` returns something that is not a (1, D) tensor like the two it was given.
    """
    z_e, z_q = (x.detach().clone()[None].requires_grad_() for x in (z_e, z_q))  # (1, D), as in a batch of one
    value = way(z_e, z_q)
    if not isinstance(value, Tensor) or value.shape != z_e.shape:
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"expected a tensor {tuple(z_e.shape)} from (z_e, z_q), got {got}")
    asked = encoder = code = None
    if value.requires_grad:
        loss = (value - target).square().sum() / 2
        asked, encoder, code = torch.autograd.grad(loss, [value, z_e, z_q], allow_unused=True)
    return Arrows(value[0].detach(), *(None if g is None else g[0] for g in (asked, encoder, code)))


class GradientPlane(LessonWidget):
    """A plane with codes, a z_e and a target to drag, and the arrows that autograd gives for each way across.

    Args:
        ways: name -> function (z_e, z_q) -> what the decoder gets, tensors (1, 2). The name is shown as code.
        z_e: where it starts.
        target: where that starts.
        codes: (K, 2).
    """

    script = "gradients.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    alt_zh = ("平面上有五个码字（绿方块）、编码器输出 z_e（橙圆）和目标 t（紫菱形）。"
              "虚线箭头是解码器要的方向，实线箭头是真正到达 z_e 的推动。")
    alt_en = ("A plane with five codes (green squares), the encoder's z_e (orange circle) and a target t (purple "
              "diamond). The dashed arrow is what the decoder asks for, the solid arrow the push that reaches z_e.")

    def __init__(self, ways: Mapping[str, Way], *, z_e: Sequence[float] = (0.45, 0.75),
                 target: Sequence[float] = (1.2, 0.1), codes: Tensor = PLANE_CODES):
        self.ways, self.codes = dict(ways), codes.detach().cpu().float()
        super().__init__()
        self.setup = {"ways": list(self.ways), "codes": self.codes.tolist(), "span": SPAN, "step": STEP,
                      "alt": f"{self.alt_zh} {self.alt_en}"}
        self.update(z_e, target, request=0)
        self.on_msg(self._asked)

    def update(self, z_e: Sequence[float], target: Sequence[float], request: int) -> None:
        """Quantize z_e, send a gradient back along each way, and show what arrives."""
        z_e, target = torch.tensor(z_e, dtype=torch.float32), torch.tensor(target, dtype=torch.float32)
        index = int(nearest_code(z_e[None], self.codes))
        self.results = {name: arrows(way, z_e, self.codes[index], target) for name, way in self.ways.items()}
        self.answer = {"z_e": z_e.tolist(), "target": target.tolist(), "index": index, "request": request,
                       "results": [{part: None if x is None else x.tolist() for part, x in found._asdict().items()}
                                   for found in self.results.values()]}

    def _asked(self, _, content, buffers) -> None:
        try:
            self.update(content["z_e"], content["target"], content["request"])
        except Exception as error:  # a learner's own function may do anything; the widget goes on
            self.answer = {**self.answer, "request": content["request"], "error": f"{type(error).__name__}: {error}"}

    def figure(self) -> Figure:
        """Draw one small plane for each way."""
        columns = min(4, len(self.results))
        rows = -(-len(self.results) // columns)
        fig = Figure(figsize=(2.4 * columns, 2.5 * rows))
        axes = list(fig.subplots(rows, columns, squeeze=False).flat)
        for ax in axes[len(self.results):]:
            ax.set_axis_off()
        z_e, target = torch.tensor(self.answer["z_e"]), torch.tensor(self.answer["target"])
        for ax, (name, found) in zip(axes, self.results.items(), strict=False):
            draw_arrows(found, z_e, target, self.codes, self.answer["index"], ax)
            ax.set_title(name, fontsize=8)
        return fig


def draw_arrows(found: Arrows, z_e: Tensor, target: Tensor, codes: Tensor, index: int,
                ax: Axes | None = None) -> Axes:
    """Draw the plane of `GradientPlane`: z_e, its code, the target, and the pushes −½ gradient as arrows."""
    ax = plt.subplots(figsize=(4, 4))[1] if ax is None else ax
    ax.set(xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN), aspect="equal", xticks=[], yticks=[])
    ax.plot([0], [0], "+", color=COLOURS["black"])
    ax.plot(*codes.T, "s", color=COLOURS["codes"], markersize=7)
    ax.plot(*codes[index], "s", color=COLOURS["codes"], markersize=11)
    ax.plot(*target, "D", color=COLOURS["other"], markersize=8)
    ax.plot(*z_e, "o", color=COLOURS["z_e"], markersize=10)
    for point, name in ((z_e, "z_e"), (codes[index], "z_q"), (target, "t")):
        ax.annotate(name, point, xytext=(7, 7), textcoords="offset points", fontsize=10)
    for start, gradient, colour, style in ((codes[index], found.code, "codes", "-"), (z_e, found.encoder, "z_e", "-"),
                                           (found.value, found.asked, "black", ":")):
        if gradient is not None and gradient.norm() > 0:
            ax.annotate("", start - STEP * gradient, start, arrowprops=dict(
                arrowstyle="-|>", color=COLOURS[colour], linestyle=style, linewidth=2, shrinkA=0, shrinkB=0))
    return ax


def take_step(way: Way, z_e: Tensor, z_q: Tensor, gradient: Tensor) -> Tensor:
    """Return where one step of gradient descent at rate 1 takes encoder outputs that share a code.

    Args:
        way: such as `vqlab.straight_through`.
        z_e: (N, D).
        z_q: (D,) the code of them all.
        gradient: (D,) what the decoder sends back to each.

    Returns:
        (N, D).
    """
    before = z_e.detach().clone().requires_grad_()
    to_z_e, = torch.autograd.grad(way(before, z_q.expand_as(z_e)), before, gradient.expand_as(z_e))
    return before.detach() - to_z_e


def spread_after(way: Way, z_e: Tensor, z_q: Tensor, gradient: Tensor) -> float:
    """Return by what factor the standard deviation of z_e changes in `take_step`."""
    return (take_step(way, z_e, z_q, gradient).std(dim=0).norm() / z_e.std(dim=0).norm()).item()


def draw_step(way: Way, z_e: Tensor, z_q: Tensor, gradient: Tensor, ax: Axes | None = None) -> Axes:
    """Draw `take_step` on the plane: an arrow from each z_e (N, 2), the code, the origin."""
    ax = plt.subplots(figsize=(4, 4))[1] if ax is None else ax
    moved = take_step(way, z_e, z_q, gradient) - z_e
    ax.plot([0], [0], "+", color=COLOURS["black"], markersize=12)
    ax.quiver(*z_e.T, *moved.T, angles="xy", scale_units="xy", scale=1, color=COLOURS["z_e"], width=0.007)
    ax.plot(*z_e.T, "o", color=COLOURS["z_e"], markersize=5)
    ax.plot(*z_q, "s", color=COLOURS["codes"], markersize=12)
    ax.set_title(way.__name__)
    ax.set_aspect("equal")
    ax.margins(0.12)
    return ax
