"""Rows of little pictures, each row with its name."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import draw_images


def draw_rows(rows: Mapping[str, Tensor], titles: Sequence[str] | Mapping[str, Sequence[str]] = ()) -> Figure:
    """Draw pictures in rows.

    Args:
        rows: name on the left -> (N, C, H, W), the same N in all.
        titles: above the pictures of the first row, or for each row by its name.
    """
    if not isinstance(titles, Mapping):
        titles = {next(iter(rows)): titles} if titles else {}
    across = len(next(iter(rows.values())))
    lines = len(rows) + 0.5 * len(titles)
    fig, axes = plt.subplots(len(rows), across, squeeze=False, figsize=(0.62 * across + 1.9, 0.68 * lines))
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        draw_images(list(pictures.clamp(-1, 1)), titles.get(name), line)
        line[0].text(-0.25, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=10)
    return fig
