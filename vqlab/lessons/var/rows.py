"""Little pictures in rows: as a figure with names, and as one image."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import draw_images

GREYS = 16  # enough for the eye, and half the bytes in a stored notebook


def sheet(rows: Sequence[Tensor]) -> Tensor:
    """Rows of pictures, each (N, C, H, W), as one image (C, rows · H, N · W) in [-1, 1] on the CPU, in 16 greys."""
    image = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    return (image.detach().cpu().clamp(-1, 1).add(1) / 2 * (GREYS - 1)).round() / (GREYS - 1) * 2 - 1


def draw_rows(rows: Mapping[str, Tensor], titles: Mapping[str, Sequence[str]]) -> Figure:
    """Draw pictures in rows.

    Args:
        rows: name on the left -> (N, C, H, W), the same N in all.
        titles: name of a row -> N titles above its pictures; not every row needs them.
    """
    across = len(next(iter(rows.values())))
    fig, axes = plt.subplots(len(rows), across, squeeze=False,
                             figsize=(0.46 * across + 1.9, 0.51 * (len(rows) + 0.5 * len(titles))))
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        draw_images([sheet([picture[None]]) for picture in pictures], titles.get(name), line)
        line[0].text(-0.25, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=10)
    return fig
