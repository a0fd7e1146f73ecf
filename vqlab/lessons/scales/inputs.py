"""What a next-scale prior reads beside what it predicts."""

import numpy as np
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vqlab.classroom.figures import COLOURS, draw_images
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.lessons.scales.spelling import FeatureColours, Spelling


class VarInputMap(LessonWidget):
    """What a next-scale prior reads (above) and what it predicts from it (below), scale beside scale.

    Choose a target: the input in its place, and all the inputs it may look at, are marked.

    Args:
        spelling: of one picture.
    """

    script = "inputs.js"
    setup = traitlets.Dict().tag(sync=True)
    pixels = binary()  # RGB of the inputs of each scale, then of the targets of each
    alt_zh = ("两排方格图，从左到右由粗到细。上排是输入：第一格是类别，往后每一格图都比前一格细，"
              "看得出同一张图的轮廓；下排是目标：每一尺度的 token，细的几张只剩零碎的边缘。")
    alt_en = ("Two rows of grids, coarse to fine from left to right. Above, the inputs: first the class, then ever "
              "finer maps in which one picture takes shape. Below, the targets: each scale's tokens, the fine ones "
              "mere scraps of edges.")

    def __init__(self, spelling: Spelling):
        self.spelling, self.colours = spelling, FeatureColours(spelling.f)
        super().__init__()
        self.images = [[self.colours(each) for each in row] for row in (spelling.inputs, spelling.codes)]
        self.pixels = b"".join(np.ascontiguousarray(image).tobytes() for row in self.images for image in row)
        self.setup = {"sizes": [list(square.shape) for square in spelling.tokens],
                      "tokens": [square.flatten().tolist() for square in spelling.tokens],
                      "alt": f"{self.alt_zh} {self.alt_en}"}

    def figure(self) -> Figure:
        """Draw both rows, with the input and the target of one place marked."""
        fig = Figure(figsize=(6.6, 3.2))
        axes = fig.subplots(2, len(self.images[0]))
        sizes = [" × ".join(map(str, square.shape)) for square in self.spelling.tokens]
        draw_images(self.images[0], ["类别 class", *(f"输入 input\n{size}" for size in sizes[1:])], axes[0])
        draw_images(self.images[1], [f"目标 target\n{size}" for size in sizes], axes[1])
        for row in axes:
            ax = row[min(2, len(row) - 1)]
            ax.add_patch(Rectangle((0.5, 0.5), 1, 1, fill=False, linewidth=3, edgecolor=COLOURS["wrong"],
                                   clip_on=False))
        return fig
