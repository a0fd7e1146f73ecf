"""Bits against decibels: files of JPEG, WebP and AVIF, our own files, and codebooks of many sizes."""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image, features
from torch import Tensor

from vqlab.codebook import kmeans, nearest_code
from vqlab.data import load_photo, to_uint8
from vqlab.metrics import perplexity, psnr
from vqlab.vqvae import SimpleVQVAE

SAVING = {  # format -> what makes Pillow's encoder take its time
    "JPEG": {"optimize": True}, "WEBP": {"method": 6}, "AVIF": {"speed": 4},
}
STYLES = (("o", "-"), ("s", "--"), ("^", "-."), ("D", ":"), ("v", "-"), ("*", ""))  # beside the colour


class Point(NamedTuple):
    """One way to write a picture: what was set, the bits it takes a pixel, and how near the picture comes, in dB."""

    setting: float
    rate: float
    psnr: float


def picture_file(picture: Tensor, kind: str, quality: int) -> bytes:
    """A picture (3, H, W) in [-1, 1] as a whole JPEG, WEBP or AVIF file."""
    file = BytesIO()
    Image.fromarray(to_uint8(picture)).save(file, kind, quality=quality, **SAVING[kind])
    return file.getvalue()


def file_curve(picture: Tensor, kind: str, qualities: Iterable[int]) -> list[Point]:
    """Whole files of (3, H, W), a point a quality; nothing where this Pillow cannot write the format."""
    if kind != "JPEG" and not features.check(kind.lower()):
        return []
    points = []
    for quality in qualities:
        data = picture_file(picture, kind, quality)
        points.append(Point(quality, *judge(picture, load_photo(data, multiple=1)[0], data)))
    return points


def judge(picture: Tensor, again: Tensor, data: bytes) -> tuple[float, float]:
    """(bits a pixel, dB) of a file that gives ``again`` for ``picture``, both (C, H, W)."""
    return 8 * len(data) / picture[0].numel(), psnr(again.cpu(), picture.cpu()).item()


@torch.no_grad()
def codebook_curve(model: SimpleVQVAE, picture: Tensor, vectors: Tensor, sizes: Iterable[int]) -> list[Point]:
    """The same encoder and decoder with other codebooks, each k-means centres: a point a size K.

    The rate is the zero-order entropy of the picture's tokens, an ideal, not a file.

    Args:
        model: of one scale.
        picture: (1, C, H, W).
        vectors: (N, D) the encoder's, of training pictures; N at least the largest K.
        sizes: K.
    """
    z_e = model.encoder(picture)
    rows = z_e.permute(0, 2, 3, 1).flatten(0, 2)  # (H/4 · W/4, D)
    points = []
    for size in sizes:
        codes = kmeans(vectors, size, generator=torch.Generator().manual_seed(0))
        tokens = nearest_code(rows, codes)
        again = model.decoder(codes[tokens].view(z_e.permute(0, 2, 3, 1).shape).permute(0, 3, 1, 2))
        bits = len(rows) * torch.log2(perplexity(tokens, size)).item()
        points.append(Point(size, bits / picture[0, 0].numel(), psnr(again, picture).item()))
    return points


def lead(curve: Sequence[Point], reference: Sequence[Point], rates: Iterable[float]) -> list[float]:
    """By how many dB a curve lies above another at the given rates; straight lines between points.

    Raises:
        ValueError: a rate that one of the two does not reach.
    """
    gaps = []
    for rate in rates:
        levels = []
        for points in (sorted(curve, key=lambda point: point.rate), sorted(reference, key=lambda point: point.rate)):
            known = [point.rate for point in points]
            if not known[0] <= rate <= known[-1]:
                raise ValueError(f"expected a rate within {known[0]:.3f} to {known[-1]:.3f} bits a pixel, got {rate}")
            levels.append(float(np.interp(rate, known, [point.psnr for point in points])))
        gaps.append(levels[0] - levels[1])
    return gaps


def draw_rates(curves: Mapping[str, Sequence[Point]], ax: Axes | None = None, *,
               named: Sequence[str] = ()) -> Axes:
    """Draw each curve, rate against dB; beside the points of those in ``named`` stands their setting."""
    ax = ax or plt.subplots(figsize=(5.2, 2.6))[1]
    for (label, points), (marker, line) in zip(curves.items(), STYLES, strict=False):
        if not points:
            continue
        _, rates, decibels = zip(*points, strict=True)
        ax.plot(rates, decibels, marker=marker, linestyle=line, markersize=5 if line else 12, label=label)
        for point in points if label in named else ():
            ax.annotate(f"{point.setting:g}", (point.rate, point.psnr), xytext=(4, -10), textcoords="offset points",
                        fontsize=8)
    ax.set(xlabel="码率（比特/像素） rate (bits per pixel)", ylabel="峰值信噪比 PSNR (dB)")
    ax.legend(fontsize=9, loc="lower right")
    return ax


def draw_bits(costs: Tensor, ax: Axes | None = None) -> Axes:
    """Draw what each token of a map (H/4, W/4) costs, in bits, with their mean."""
    ax = ax or plt.subplots(figsize=(2.6, 1.4))[1]
    image = ax.imshow(costs.cpu().numpy(), cmap="gray", vmin=0)
    ax.set_title(f"比特/token bits a token: {costs.mean():.1f}", fontsize=10)
    ax.set_axis_off()
    ax.figure.colorbar(image, ax=ax)
    return ax
