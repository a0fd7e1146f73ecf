"""Numbers on the plane of colours: three measures and their winners, the terms of the expansion."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vqlab.codebook import nearest_code

# Grey is the origin, so the angle is the hue and the length the saturation. Orthonormal rows.
AXES = torch.tensor([[2.0, -1.0, -1.0], [0.0, 3**0.5, -(3**0.5)]]) / 6**0.5  # (2, 3): cyan to red, blue to green
SPAN = 0.75  # the plane reaches from −SPAN to SPAN


def colour_plane(image: Tensor) -> Tensor:
    """Project every pixel's colour to two axes, red against cyan and green against blue; grey is the origin.

    Args:
        image: (3, H, W) in [-1, 1].

    Returns:
        (H·W, 2) float32.
    """
    return image.detach().float().flatten(1).t() @ AXES.t()


def colours_of(points: Tensor) -> Tensor:
    """The colour of each point of the plane at medium lightness: (N, 2) -> (N, 3) in [0, 1]."""
    return ((points.float() @ AXES + 1) / 2).clamp(0, 1)


def winners(z: Tensor, codebook: Tensor) -> dict[str, Tensor]:
    """The best code of each vector by three measures.

    Args:
        z: (N, D).
        codebook: (K, D).

    Returns:
        "euclid" (smallest distance), "cosine" (largest), "dot" (largest) -> (N,) int64; ties to the lowest index.
        The cosine with a vector of length zero counts as 0.
    """
    z, codebook = z.double(), codebook.double()
    cosines = F.normalize(z) @ F.normalize(codebook).t()
    return {"euclid": nearest_code(z, codebook), "cosine": cosines.argmax(dim=1),
            "dot": (z @ codebook.t()).argmax(dim=1)}


def expansion_terms(x: Tensor, codebook: Tensor) -> Tensor:
    """(D,), (K, D) -> (3, K): −2x·e, ‖e‖² and ‖x‖² for each code; their sum is the squared distance."""
    x, codebook = x.double(), codebook.double()
    return torch.stack([-2 * codebook @ x, codebook.square().sum(dim=1), x.square().sum().expand(len(codebook))])
