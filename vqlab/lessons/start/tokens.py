"""Pictures of tokens: the map of a photograph's, and what each of the vocabulary looks like."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from vqlab.data import to_uint8


def draw_tokens(tokens: Tensor, dictionary: Tensor, ax: Axes | None = None, *, numbers: bool = False) -> Axes:
    """Draw a token map: each a square in the token's mean colour.

    Args:
        tokens: (H, W) int64.
        dictionary: (K, 3, h, w) float in [-1, 1], what each token of the vocabulary looks like.
        ax: where to draw; new Axes by default.
        numbers: write each token's number on its square.

    Returns:
        The Axes.
    """
    ax = ax or plt.figure().add_subplot()
    colours = to_uint8(dictionary.mean(dim=(2, 3)).T.unsqueeze(1))[0]  # (K, 3)
    ax.imshow(colours[tokens.cpu().numpy()])
    if numbers:
        for (row, column), token in np.ndenumerate(tokens.cpu().numpy()):
            dark = colours[token].mean() < 128
            ax.text(column, row, token, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    return ax


def draw_dictionary(dictionary: Tensor, order: Tensor, ax: Axes | None = None, *, columns: int = 64) -> Axes:
    """Draw the vocabulary as the small patches that the decoder makes of them.

    Args:
        dictionary: (K, 3, h, w) float in [-1, 1].
        order: (n,) int64, which of them to draw, row by row.
        ax: where to draw; new Axes by default.
        columns: tokens in a row; divides n.

    Returns:
        The Axes.
    """
    ax = ax or plt.figure().add_subplot()
    _, channels, height, width = dictionary.shape
    rows = len(order) // columns
    framed = dictionary.new_ones(len(order), channels, height + 1, width + 1)  # a white line between them
    framed[:, :, :height, :width] = dictionary[order]
    sheet = framed.view(rows, columns, channels, height + 1, width + 1).permute(2, 0, 3, 1, 4)
    ax.imshow(to_uint8(sheet.reshape(channels, rows * (height + 1), columns * (width + 1))))
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    return ax
