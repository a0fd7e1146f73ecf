"""Distortion, and the step of Lloyd's algorithm that lowers it."""

import torch
from torch import Tensor

from vqlab.codebook import nearest_code


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
