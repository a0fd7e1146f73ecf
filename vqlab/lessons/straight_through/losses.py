"""Which loss moves which part, asked of autograd, and two quantizers that differ in nothing else."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor, nn

from vqlab.classroom.figures import COLOURS
from vqlab.quantizer import VectorQuantizer2


def gradient_norms(losses: Mapping[str, Tensor],
                   parts: Mapping[str, nn.Module]) -> dict[str, dict[str, float | None]]:
    """Ask autograd how strongly each loss pulls at each part.

    Args:
        losses: name -> scalar loss.
        parts: name -> module.

    Returns:
        loss -> part -> the norm of the gradient of all its parameters; None where no path leads there.
    """
    table: dict[str, dict[str, float | None]] = {}
    for loss_name, loss in losses.items():
        table[loss_name] = {}
        for part_name, part in parts.items():
            found = [g for g in torch.autograd.grad(loss, list(part.parameters()), retain_graph=True,
                                                    allow_unused=True) if g is not None]
            norm = torch.stack([g.square().sum() for g in found]).sum().sqrt().item() if found else None
            table[loss_name][part_name] = norm
    return table


def draw_loss_table(table: Mapping[str, Mapping[str, float | None]], names: Mapping[str, str] | None = None,
                    ax: Axes | None = None) -> Axes:
    """Draw `gradient_norms`: filled where the loss moves the part, hatched where no path leads or all is zero.

    Args:
        table: loss -> part -> norm or None.
        names: how a loss or part is written, where not by its own name.
        ax: where to draw.
    """
    names = names or {}
    losses, parts = list(table), list(next(iter(table.values())))
    ax = plt.subplots(figsize=(6, 0.6 + 0.55 * len(losses)))[1] if ax is None else ax
    for row, loss in enumerate(losses):
        for column, part in enumerate(parts):
            norm = table[loss][part]
            box = (column, row), 0.94, 0.88
            if norm:
                ax.add_patch(plt.Rectangle(*box, facecolor=COLOURS["light"]))
            else:
                ax.add_patch(plt.Rectangle(*box, facecolor="white", edgecolor=COLOURS["dead"], hatch="/"))
            text = "没有路 no path" if norm is None else "0" if norm == 0 else f"{norm:.2g}"
            ax.text(column + 0.47, row + 0.44, text, ha="center", va="center", fontsize=12,
                    bbox=None if norm else dict(facecolor="white", edgecolor="none", pad=1.5))
    ax.set(xlim=(0, len(parts)), ylim=(len(losses), 0))
    ax.set_xticks([i + 0.47 for i in range(len(parts))], [names.get(part, part) for part in parts])
    ax.set_yticks([i + 0.44 for i in range(len(losses))], [names.get(loss, loss) for loss in losses])
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    return ax


class _MisplacedBeta(VectorQuantizer2):
    """β on the other term, as in taming-transformers' ``VectorQuantizer2`` with ``legacy=True``, its default."""

    def _loss(self, z_e: Tensor, z_q: Tensor) -> Tensor:
        return F.mse_loss(z_e, z_q.detach()) + self.commitment_weight * F.mse_loss(z_q, z_e.detach())


def black_boxes(num_embeddings: int = 16, embedding_dim: int = 8, commitment_weight: float = 0.25, *,
                generator: torch.Generator | None = None) -> tuple[VectorQuantizer2, VectorQuantizer2]:
    """Return two quantizers with one codebook's values: the same output, the same loss value, other gradients.

    Args:
        num_embeddings: K.
        embedding_dim: D.
        commitment_weight: β of both.
        generator: random numbers for the codes.

    Source of the famous one: CompVis/taming-transformers, ``taming/modules/vqvae/quantize.py``.
    """
    kinds = _MisplacedBeta, VectorQuantizer2
    boxes = tuple(kind(num_embeddings, embedding_dim, commitment_weight) for kind in kinds)
    codes = torch.randn(num_embeddings, embedding_dim, generator=generator)
    for box in boxes:
        box.embedding.weight.data.copy_(codes)
    return boxes
