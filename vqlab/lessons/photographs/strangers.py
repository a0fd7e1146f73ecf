"""Pictures unlike all that the model was trained on; they ship with scikit-image, or are made here."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn.functional import avg_pool2d

from vqlab.classroom.figures import draw_images
from vqlab.classroom.language import Text
from vqlab.data import from_uint8
from vqlab.metrics import psnr


def strangers(height: int = 188, width: int = 380) -> dict[Text, Tensor]:
    """The middle of pictures of other kinds: name (Chinese, English) -> (1, 3, height, width) in [-1, 1].

    Tissue under the microscope, the back of an eye (shrunk to a third), a printed page; and two that no camera took:
    a chessboard of single pixels and noise. The page, 191 × 384 pixels, is the smallest.

    Source: scikit-image `skimage.data`: immunohistochemistry (CMMI) and page, no known copyright restrictions; retina
    (Häggström, 2014, doi 10.15347/wjm/2014.008), CC0.
    """
    from skimage import data

    pictures = {("组织切片", "tissue"): from_uint8(data.immunohistochemistry()),
                ("视网膜", "retina"): avg_pool2d(from_uint8(data.retina()), 3),
                ("印刷的字", "print"): from_uint8(data.page()[:, :, None])}
    cuts = {name: _middle(picture, height, width) for name, picture in pictures.items()}
    squares = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    cuts["棋盘", "chessboard"] = (2.0 * squares - 1).repeat(1, 3, 1, 1)
    cuts["噪声", "noise"] = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return cuts


def _middle(picture: Tensor, height: int, width: int) -> Tensor:
    """(C, H, W) -> (1, 3, height, width)."""
    top, left = (picture.shape[1] - height) // 2, (picture.shape[2] - width) // 2
    return picture[None, :, top:top + height, left:left + width].expand(-1, 3, -1, -1).contiguous()


def draw_strangers(pictures: Mapping[Text, Tensor], again: Mapping[Text, Tensor],
                   axes: Sequence[Sequence[Axes]] | None = None) -> list[Axes]:
    """Draw a corner of each picture (1, C, H, W), and below it the same corner of what came back, with its dB.

    Args:
        pictures: name -> the picture.
        again: name -> what came back, at least for those names.
        axes: two rows, of as many as there are pictures.
    """
    if axes is None:
        axes = plt.subplots(2, len(pictures), figsize=(0.95 * len(pictures), 1.5), squeeze=False)[1]
    corner = (slice(None), slice(40, 80), slice(100, 160))
    names = ["\n".join(name) for name in pictures]
    draw_images([picture[0][corner] for picture in pictures.values()], names, axes[0])
    draw_images([again[name][0][corner] for name in pictures],
                [f"{psnr(again[name], picture).item():.1f} dB" for name, picture in pictures.items()], axes[1])
    return [*axes[0], *axes[1]]
