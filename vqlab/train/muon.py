"""Muon: momentum for matrices, whose every step moves all directions of a matrix equally far."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor


def orthogonalize(matrices: Tensor, iterations: int = 4) -> Tensor:
    """Roughly U Vᵀ of each M = U S Vᵀ: the singular vectors stay, the singular values come near 1 (0.7 to 1.2).

    Newton–Schulz: X ← (a I + b A + c A²) X with A = X Xᵀ brings the singular values s ← a s + b s³ + c s⁵ of
    X = M / ‖M‖ to 1. All the factors in front of M are polynomials of the first A, so they are multiplied out on
    the short side alone, and M is touched twice, not twice an iteration.

    Args:
        matrices: (n, rows, columns).
        iterations: of Newton–Schulz; singular values below 3.4^−iterations of ‖M‖ do not get to 1.

    Returns:
        (n, rows, columns).

    Source: Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks", kellerjordan.github.io,
    for a, b and c. Deviations: float32, and the order of the products.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalize(matrices.mT, iterations).mT
    a, b, c = 3.4445, -4.7750, 2.0315
    gram = matrices @ matrices.mT
    squared_norm = gram.diagonal(dim1=1, dim2=2).sum(dim=1).clamp(min=1e-30)[:, None, None]
    gram = gram / squared_norm
    identity = factor = torch.eye(matrices.shape[1], device=matrices.device)
    for _ in range(iterations):
        step = a * identity + b * gram + c * gram @ gram
        factor, gram = step @ factor, step @ gram @ step
    return factor @ matrices / squared_norm.sqrt()


class Muon(torch.optim.Optimizer):
    """m ← β m + (1−β) g;  W ← W − lr · √max(1, rows / columns) · orthogonalize(β m + (1−β) g).

    A gradient of a layer is mostly a few directions; plain momentum, and Adam too, hardly move the others. For the
    kernels of convolutions, (out, in, height, width), read as matrices of `out` rows.

    Args:
        parameters: of two dimensions or more.
        lr: how far each direction moves in a step.
        momentum: β.

    Source: as `orthogonalize`.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.9):
        super().__init__(parameters, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self) -> None:
        """Take one step along the gradients; parameters without one stay."""
        for group in self.param_groups:
            alike = defaultdict(list)  # matrices of one shape are orthogonalized together
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[len(parameter), parameter[0].numel()].append(parameter)
            for (rows, columns), parameters in alike.items():
                directions = torch.stack([self._direction(parameter, group["momentum"]) for parameter in parameters])
                length = group["lr"] * max(1, rows / columns) ** 0.5
                for parameter, step in zip(parameters, orthogonalize(directions), strict=True):
                    parameter.sub_(step.view_as(parameter), alpha=length)

    def _direction(self, parameter: Tensor, momentum: float) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(state["momentum"], momentum).flatten(1)
