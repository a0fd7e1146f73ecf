"""How every figure of the lessons looks, and how it is shown: same colours, same font, same bytes.

``draw_*(data, ax=None)`` functions draw on the given (or new) Axes and return it; they compute nothing and
show nothing. `show` does that, with an alt text in both languages.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from io import BytesIO
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from vqlab.classroom.font import register_font
from vqlab.data import to_uint8

COLOURS = {  # Okabe & Ito (2008), safe for the colour-blind; the same in maths, figures and widgets
    "data": "#0072B2",  # blue
    "z_e": "#E69F00",  # orange
    "codes": "#009E73",  # green
    "dead": "#999999",  # grey; drawn with another marker too
    "wrong": "#D55E00",  # vermilion
    "other": "#CC79A7",  # purple
    "light": "#56B4E9",  # sky blue
    "black": "#000000",
}

STYLE = {
    "font.family": ["vqlab Sans", "DejaVu Sans"],  # ours first: a label with $…$ looks at no other
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.prop_cycle": plt.cycler(color=[COLOURS[name] for name in
                                         ("data", "z_e", "codes", "wrong", "other", "light", "black")]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "figure.figsize": (7, 3.5),
    "figure.dpi": 100,
    "figure.facecolor": "white",  # a white card, in the dark theme too
    "figure.constrained_layout.use": True,
    "savefig.dpi": 100,
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "lines.linewidth": 2,
}

PLOT_COLOURS = 3000  # a figure of lines and letters has fewer, a photograph more


def use_style() -> None:
    """Apply `STYLE` to every figure made from now on, after registering its font."""
    register_font()
    plt.rcParams.update(STYLE)


@contextmanager
def styled(**changes: Any) -> Iterator[None]:
    """Apply `STYLE` and its font inside a ``with`` alone; ``changes`` are other settings of rcParams."""
    register_font()
    with mpl.rc_context({**STYLE, **changes}):
        yield


def png(fig: Figure) -> bytes:
    """Return the figure as PNG; the same drawing gives the same bytes (no dates, no versions in it)."""
    out = BytesIO()
    fig.savefig(out, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})
    return out.getvalue()


def alt_text(zh: str, en: str) -> str:
    """Join the two alt texts into one line.

    >>> alt_text("一只猫。", "A cat.")
    '一只猫。 A cat.'

    Raises:
        ValueError: one of them is missing.
    """
    if not (zh.strip() and en.strip()):
        raise ValueError(f"expected an alt text in both languages, got zh={zh!r}, en={en!r}")
    return f"{zh.strip()} {en.strip()}"


def show(fig: Figure, alt_zh: str, alt_en: str) -> None:
    """Display a figure with its alt text, and close it.

    Args:
        fig: the figure.
        alt_zh: what it shows, in Chinese, for those who don't see it.
        alt_en: the same in English.

    Raises:
        ValueError: one alt text is missing.
    """
    alt = alt_text(alt_zh, alt_en)
    display({"text/html": picture_html(png(fig), alt), "text/plain": alt}, raw=True)
    plt.close(fig)


def picture_html(picture: bytes, alt: str) -> str:
    """Return a PNG as an `<img>` with its alt text: a plot with 256 colours, photographs as JPEG if clearly smaller.

    HTML, because neither JupyterLab nor nbconvert's default template gives an `image/png` output an alt text.
    """
    kind, image = "png", Image.open(BytesIO(picture)).convert("RGB")
    if image.getcolors(PLOT_COLOURS):
        palette = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        palette.save(out := BytesIO(), "PNG", optimize=True)
        picture = min(picture, out.getvalue(), key=len)
    image.save(out := BytesIO(), "JPEG", quality=60, optimize=True)
    if 1.3 * out.tell() < len(picture):
        kind, picture = "jpeg", out.getvalue()
    return f'<img alt="{escape(alt)}" src="data:image/{kind};base64,{b64encode(picture).decode()}">'


def draw_images(images: Sequence[Any], titles: Sequence[str] | None = None,
                axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw images side by side, pixel for pixel.

    Args:
        images: each a float tensor or array (3, H, W) or (1, H, W) in [-1, 1], or uint8 (H, W, 3).
        titles: one for each image.
        axes: one for each image; without them a new figure is made.

    Returns:
        The Axes, one for each image.

    Raises:
        ValueError: an image of another shape, or another number of titles or axes.
    """
    arrays = [pixels(image) for image in images]
    titles = [""] * len(arrays) if titles is None else titles
    if axes is None:
        ratios = [image.shape[1] / image.shape[0] for image in arrays]
        _, grid = plt.subplots(1, len(arrays), squeeze=False, width_ratios=ratios, figsize=(8, 8 / sum(ratios) + 0.4))
        axes = grid[0]
    if not len(arrays) == len(titles) == len(axes):
        raise ValueError(f"expected a title and Axes for each of {len(arrays)} images, "
                         f"got {len(titles)} titles, {len(axes)} Axes")
    for ax, image, title in zip(axes, arrays, titles, strict=True):
        ax.imshow(image, interpolation="nearest")
        ax.set_title(title)
        ax.set_axis_off()
    return list(axes)


def pixels(image: Any) -> np.ndarray:
    """Return float (C, H, W) in [-1, 1], or uint8 (H, W, 3), as uint8 (H, W, 3)."""
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return array
    if array.ndim != 3 or array.shape[0] not in (1, 3) or array.dtype.kind != "f":
        raise ValueError("expected a float image (3, H, W) or (1, H, W) in [-1, 1], or uint8 (H, W, 3), "
                         f"got {array.dtype} {array.shape}")
    return to_uint8(torch.from_numpy(array.copy()))
