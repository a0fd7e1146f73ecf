"""How good, how many bits, how much of the codebook: the numbers a lesson quotes."""

import math

import torch
from torch import Tensor


def psnr(image: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(2² / mse), of images in [-1, 1] (peak to peak 2).

    Args:
        image: (B, C, H, W), or one (C, H, W); values outside [-1, 1] are clipped, as a screen would.
        reference: the same shape.

    Returns:
        (B,) in dB, or a scalar; infinite where the two are equal.

    Raises:
        ValueError: shapes differ.
    """
    if image.shape != reference.shape or image.ndim not in (3, 4):
        raise ValueError(f"expected two images (B, C, H, W) or (C, H, W) of one shape, got {tuple(image.shape)} "
                         f"and {tuple(reference.shape)}")
    error = image.float().clamp(-1, 1) - reference.float()
    return 10 * torch.log10(4 / error.square().mean(dim=(-3, -2, -1)))


def perplexity(indices: Tensor, num_embeddings: int) -> Tensor:
    """The number of equally used codes with the same entropy: exp(−Σ p ln p), from 1 to K.

    It belongs to the batch as much as to the model: N indices can never give more than N.

    Args:
        indices: any shape, int64 in 0..K−1.
        num_embeddings: K.

    Returns:
        Scalar float32.
    """
    p = _counts(indices, num_embeddings).float() / indices.numel()
    return torch.exp(torch.special.entr(p).sum())  # entr(p) = −p ln p, 0 at p = 0


def usage(indices: Tensor, num_embeddings: int) -> Tensor:
    """The fraction of the K codes that occur at least once, scalar float32 in 0..1.

    Args:
        indices: any shape, int64 in 0..K−1.
        num_embeddings: K.
    """
    return (_counts(indices, num_embeddings) > 0).float().mean()


def bits_per_pixel(num_tokens: int, num_embeddings: int, height: int, width: int) -> float:
    """What the tokens of one picture cost when each is written with log2(K) bits, a fixed-length code.

    Args:
        num_tokens: tokens of the picture.
        num_embeddings: K, the size of the vocabulary.
        height, width: of the picture, in pixels.

    Returns:
        Bits per pixel.

    Example:
        512 different tokens, one for every 4 × 4 pixels: 9 bits / 16 pixels.

        >>> from vqlab import bits_per_pixel
        >>> bits_per_pixel(num_tokens=256, num_embeddings=512, height=64, width=64)
        0.5625
    """
    return num_tokens * math.log2(num_embeddings) / (height * width)


def _counts(indices: Tensor, num_embeddings: int) -> Tensor:
    """(K,) int64: how often each code occurs; ValueError for no indices or one out of range."""
    if indices.numel() == 0:
        raise ValueError("expected at least one index, got none")
    if indices.dtype != torch.int64:
        raise TypeError(f"expected indices of dtype int64, got {indices.dtype}")
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= num_embeddings:
        raise ValueError(f"expected indices in 0..{num_embeddings - 1}, got {low}..{high}")
    return torch.bincount(indices.flatten(), minlength=num_embeddings)
