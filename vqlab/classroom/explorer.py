"""Sliders that run real Python: values -> pictures and numbers, redrawn while the slider moves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import traitlets
from matplotlib.figure import Figure

from vqlab.classroom.figures import COLOURS, draw_images, pixels
from vqlab.classroom.widget import LessonWidget, binary

Text = tuple[str, str]  # Chinese, English


class Slider(NamedTuple):
    """One control: the name of ``compute``'s argument, its label in both languages, and its range."""

    name: str
    zh: str
    en: str
    min: float
    max: float
    step: float
    value: float


class PictureExplorer(LessonWidget):
    """Sliders, and the pictures and numbers that a Python function makes of their values.

    While Python computes, only the newest values are remembered, so a slow function lags by one picture, never
    by a queue. What ``compute`` raises is shown in the widget, and the next values are tried again.

    Args:
        compute: called as ``compute(name=value, ...)``; returns a list of images, uint8 (H, W, 3) or float
            (3, H, W) in [-1, 1], and a dict of numbers or texts by label. A label is a pair
            (Chinese, English), and a text may be one.
        sliders: the controls. Whole-numbered ones (min, max, step and value) give ints.
        pictures: the captions, a pair (Chinese, English) for each image.
        alt_zh: what the pictures show, in Chinese.
        alt_en: the same in English.
        width: about the width of one picture on the screen, in pixels.

    Raises:
        ValueError: ``compute`` gives another number of images than there are captions.
    """

    script = "explorer.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    pixels = binary()

    def __init__(self, compute: Callable[..., tuple[Sequence[Any], Mapping[Text, Any]]], *,
                 sliders: Sequence[Slider], pictures: Sequence[Text], alt_zh: str, alt_en: str, width: int = 300):
        self.compute, self.sliders, self.captions, self.width = compute, list(sliders), list(pictures), width
        self.alt_zh, self.alt_en = alt_zh, alt_en
        super().__init__()
        self.setup = {"sliders": [slider._asdict() for slider in self.sliders],
                      "pictures": [list(caption) for caption in self.captions], "alt": f"{alt_zh} {alt_en}"}
        self.update({slider.name: slider.value for slider in self.sliders}, request=0)
        self.on_msg(self._asked)

    def update(self, values: Mapping[str, float], request: int) -> None:
        """Compute the pictures of ``values`` and show them.

        Raises:
            ValueError: ``compute`` gives another number of images than there are captions.
        """
        images, numbers = self.compute(**values)
        if len(images) != len(self.captions):
            raise ValueError(f"expected {len(self.captions)} images, one for each caption, got {len(images)}")
        self.images = [pixels(image) for image in images]
        self.numbers = [(tuple(label), _text(value)) for label, value in numbers.items()]
        sizes = [(width, height, max(1, round(self.width / width)))
                 for height, width, _ in (image.shape for image in self.images)]
        with self.hold_sync():  # one message
            self.pixels = b"".join(np.ascontiguousarray(image).tobytes() for image in self.images)
            self.answer = {"values": dict(values), "request": request, "sizes": sizes, "numbers": self.numbers}

    def _asked(self, _, content, buffers) -> None:
        whole = {slider.name for slider in self.sliders
                 if all(float(x).is_integer() for x in (slider.min, slider.max, slider.step, slider.value))}
        values = {name: int(value) if name in whole else value for name, value in content["values"].items()}
        try:
            self.update(values, content["request"])
        except Exception as error:  # whatever it was, the learner reads it, and the widget goes on
            self.answer = {"values": values, "request": content["request"],
                           "error": f"{type(error).__name__}: {error}"}

    def figure(self) -> Figure:
        """Draw the pictures with their captions and numbers."""
        ratios = [image.shape[1] / image.shape[0] for image in self.images]
        numbers = [": ".join(" ".join(dict.fromkeys(text)) for text in number) for number in self.numbers]
        lines = ["   ".join(numbers[i:i + 2]) for i in range(0, len(numbers), 2)]
        fig = Figure(figsize=(5.5, 5.5 / sum(ratios) + 0.6 + 0.2 * len(lines)))
        axes = fig.subplots(1, len(self.images), squeeze=False, width_ratios=ratios)[0]
        draw_images(self.images, [" ".join(caption) for caption in self.captions], axes)
        fig.supxlabel("\n".join(lines), fontsize=9, color=COLOURS["black"])
        return fig


def _text(value: Any) -> Text:
    """A value as text in both languages: 3 -> ("3", "3")."""
    if isinstance(value, tuple):
        return value
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text, text
