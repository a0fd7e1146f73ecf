"""Real vectors in any number: small patches of the photographs."""

import torch
from torch import Tensor

from vqlab.data import held_out_photo, photos

SIZE = 2  # pixels a side


def patches(photo: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Patches of 2 × 2 pixels from all over a photograph (3, H, W), drawn without replacement: (number, 12)."""
    every = photo.unfold(1, SIZE, 1).unfold(2, SIZE, 1).permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1)
    return every[torch.randperm(len(every), generator=generator)[:number]]


def patch_codes(number: int, *, seed: int = 0) -> Tensor:
    """Patches of the training photographs, mixed, as a codebook (number, 12): nothing is learnt, codes are samples.

    The first K of them are a codebook of K codes from the same photographs.
    """
    generator = torch.Generator().manual_seed(seed)
    pictures = photos().values()
    share = -(-number // len(pictures))
    codes = torch.cat([patches(photo, share, generator) for photo in pictures])
    return codes[torch.randperm(len(codes), generator=generator)[:number]]


def cat_vectors(number: int, *, seed: int = 1) -> Tensor:
    """Patches of the held-out cat, as vectors to quantize, (number, 12)."""
    return patches(held_out_photo()[0], number, torch.Generator().manual_seed(seed))
