"""One picture written by scale: tokens, the sum so far, what a prior reads; features as colours."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vqlab.data import to_uint8
from vqlab.metrics import psnr
from vqlab.vqvae import SimpleVQVAE


class Spelling(NamedTuple):
    """One picture written by scale, on the CPU; S scales give S + 1 states, the first before any token.

    Attributes:
        original: (C, H, W) in [-1, 1].
        pictures: S + 1 times (C, H, W), what the decoder draws of the sum so far.
        f: (D, h, w) the encoder's map.
        maps: S + 1 times (D, h, w), the sum so far, f_hat.
        tokens: S times (h_k, w_k) int64.
        codes: S times (D, h_k, w_k), the tokens looked up.
        inputs: S times (D, h_k, w_k), what a prior reads to predict that scale; zeros for the first, where it
            reads the class instead.
    """

    original: Tensor
    pictures: list[Tensor]
    f: Tensor
    maps: list[Tensor]
    tokens: list[Tensor]
    codes: list[Tensor]
    inputs: list[Tensor]

    def decibels(self) -> list[float]:
        """PSNR after 0, 1, … S scales."""
        return [psnr(picture, self.original).item() for picture in self.pictures]

    def left(self) -> list[float]:
        """The share of ‖f‖² that remains after 0, 1, … S scales, from 1 down."""
        return [((self.f - f_hat).square().sum() / self.f.square().sum()).item() for f_hat in self.maps]


@torch.no_grad()
def spell(model: SimpleVQVAE, picture: Tensor) -> Spelling:
    """Write a picture (C, H, W) in the tokens of a multi-scale model."""
    quantizer = model.quantize
    f = model.encoder(picture[None].to(next(model.parameters()).device))
    tokens = quantizer.encode(f)
    maps = [torch.zeros_like(f), *quantizer.decode(tokens, cumulative=True)]
    inputs = quantizer.var_input(tokens).split([h * w for h, w in quantizer.sizes[1:]], dim=1)
    squares = [indices.view(size).cpu() for indices, size in zip(tokens, quantizer.sizes, strict=True)]
    shaped = [part[0].T.unflatten(1, size).cpu() for part, size in zip(inputs, quantizer.sizes[1:], strict=True)]
    return Spelling(
        picture.cpu(), [model.decoder(f_hat)[0].cpu() for f_hat in maps],
        f[0].cpu(), [f_hat[0].cpu() for f_hat in maps],
        squares, [quantizer.embedding(square.to(f.device)).permute(2, 0, 1).cpu() for square in squares],
        [torch.zeros(len(f[0]), *quantizer.sizes[0]), *shaped])


class FeatureColours:
    """Feature vectors as colours: their three main directions are red, green and blue, zero is mid-grey.

    Args:
        f: (D, h, w) whose directions are taken, uncentred, so that zero stays grey; D at least 3.
    """

    def __init__(self, f: Tensor):
        rows = f.flatten(1).T.double()
        axes = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, [-1, -2, -3]]
        self.axes = axes * torch.sign(axes.sum(dim=0))  # an eigenvector's sign is arbitrary
        self.reach = (rows @ self.axes).abs().quantile(0.98).item() or 1.0

    def __call__(self, f: Tensor) -> np.ndarray:
        """(D, h, w) -> (h, w, 3) uint8."""
        rgb = (f.flatten(1).T.double() @ self.axes / self.reach).T.unflatten(1, f.shape[1:])
        return to_uint8(rgb.clamp(-1, 1))
