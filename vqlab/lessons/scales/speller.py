"""A slider over scales: the picture so far, what a scale adds, what remains."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import draw_images
from vqlab.classroom.language import Text
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.data import to_uint8
from vqlab.lessons.scales.spelling import FeatureColours, Spelling


class ScaleSpeller(LessonWidget):
    """A slider over scales: the picture so far, what this scale adds, what remains, in pixels and in features.

    All states are computed by the model beforehand, so the slider only chooses.

    Args:
        spellings: name of a picture (Chinese, English) -> what `spell` returns; all of one size.
    """

    script = "speller.js"
    setup = traitlets.Dict().tag(sync=True)
    pixels = binary()  # for each picture and state: so far, added, remains in pixels; the same three in features
    alt_zh = ("一张照片由粗到细拼写：1 个 token 给出平均颜色，4、16 个给出大致的明暗，64 个看得出轮廓，"
              "256 个补上边缘。每一尺度只添上前面没有的。")
    alt_en = ("A photograph spelled coarse to fine: 1 token gives the mean colour, 4 and 16 the rough light and "
              "dark, 64 the outlines, 256 the edges. Each scale adds only what was missing.")

    def __init__(self, spellings: Mapping[Text, Spelling]):
        self.spellings = dict(spellings)
        super().__init__()
        first = next(iter(self.spellings.values()))
        height, width = first.original.shape[1:]
        self.pixels = b"".join(state_pixels(each) for each in self.spellings.values())
        self.setup = {
            "names": [list(name) for name in self.spellings], "alt": f"{self.alt_zh} {self.alt_en}",
            "sizes": [list(square.shape) for square in first.tokens],
            "picture": [width, height], "map": [first.f.shape[2], first.f.shape[1]],
            "decibels": [each.decibels() for each in self.spellings.values()],
            "left": [each.left() for each in self.spellings.values()]}

    def figure(self) -> Figure:
        """Draw the first picture after each scale, and what each added."""
        fig = Figure(figsize=(5.2, 2.2))
        spelling = next(iter(self.spellings.values()))
        axes = fig.subplots(2, len(spelling.pictures))
        titles = ["无 none", *(" × ".join(map(str, square.shape)) for square in spelling.tokens)]
        draw_images(spelling.pictures, titles, axes[0])
        draw_images([spelling.original, *_added(spelling.pictures)[1:]],
                    ["原图 original", *["添的 added"] * len(spelling.tokens)], axes[1])
        for ax in axes.flat:
            ax.title.set_fontsize(10)
        return fig


def state_pixels(spelling: Spelling) -> bytes:
    """The six RGB images of each state, one after the other; differences are drawn around mid-grey."""
    colours, out = FeatureColours(spelling.f), []
    states = zip(spelling.pictures, _added(spelling.pictures), spelling.maps, _added(spelling.maps), strict=True)
    for picture, more, f_hat, h in states:
        out += [to_uint8(each) for each in (picture, more, spelling.original - picture)]
        out += [colours(each) for each in (f_hat, h, spelling.f - f_hat)]
    return b"".join(np.ascontiguousarray(image).tobytes() for image in out)


def _added(states: Sequence[Tensor]) -> list[Tensor]:
    """What each state has that the one before had not; zeros for the first."""
    return [torch.zeros_like(states[0]), *(after - before for before, after in zip(states, states[1:], strict=False))]
