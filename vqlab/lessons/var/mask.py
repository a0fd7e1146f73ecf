"""May this token see that one? The mask of next-scale prediction, asked pair by pair."""

from collections.abc import Sequence
from typing import Any

import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.language import Text
from vqlab.classroom.widget import LessonWidget
from vqlab.var import block_causal_mask

RULES: dict[str, Text] = {
    "scale": ("下一尺度（VAR）", "next scale (VAR)"),
    "token": ("下一 token（语言模型）", "next token (language model)"),
    "all": ("没有掩码", "no mask"),
}


def visible(rule: str, lengths: Sequence[int]) -> Tensor:
    """Who may see whom by a rule of `RULES`: (L, L) bool, a row looks at a column."""
    mask = block_causal_mask(lengths)
    return {"scale": mask, "token": torch.ones_like(mask).tril(), "all": torch.ones_like(mask)}[rule]


class MaskMap(LessonWidget):
    """The mask as a square to question: choose who looks and at whom, or be asked.

    Pairs are hidden until they are asked about; a tick shows them all, another rule compares.

    Args:
        patch_nums: the scales, sides of squares.
    """

    script = "mask.js"
    setup = traitlets.Dict().tag(sync=True)
    alt_zh = ("一个方格阵：行是谁在看，列是看谁，填色表示看得见。按尺度分成块，像一座台阶：每个尺度看得见自己整块，"
              "和左边所有更粗的块；右边更细的都是空的。")
    alt_en = ("A square of cells: the row looks, the column is looked at, filled means visible. It falls into blocks "
              "by scale, like stairs: each scale sees its own whole block and all coarser ones to the left; the "
              "finer ones to the right are empty.")

    def __init__(self, patch_nums: Sequence[int]):
        self.patch_nums = list(patch_nums)
        super().__init__()
        lengths = [n * n for n in self.patch_nums]
        self.setup = {"sides": self.patch_nums, "alt": f"{self.alt_zh} {self.alt_en}",
                      "rules": [self._rule(name, lengths) for name in RULES]}

    @staticmethod
    def _rule(name: str, lengths: Sequence[int]) -> dict[str, Any]:
        return {"name": name, "text": list(RULES[name]), "rows": visible(name, lengths).int().tolist()}

    def figure(self) -> Figure:
        """Draw the mask of next-scale prediction."""
        fig = Figure(figsize=(3.2, 3.2))
        ax = draw_mask(visible("scale", [n * n for n in self.patch_nums]), self.patch_nums, fig.subplots())
        ax.set_title("\n".join(RULES["scale"]))
        return fig


def draw_mask(mask: Tensor, patch_nums: Sequence[int], ax: Axes) -> Axes:
    """Draw (L, L) bool: filled where the row may see the column, with lines between the scales."""
    ends = torch.tensor([n * n for n in patch_nums]).cumsum(dim=0)
    ax.pcolormesh(mask.numpy(), cmap=ListedColormap(["#ffffff", COLOURS["codes"]]), vmin=0, vmax=1)
    for end in ends[:-1].tolist():
        ax.axhline(end, color=COLOURS["black"], linewidth=1)
        ax.axvline(end, color=COLOURS["black"], linewidth=1)
    middles = [end - n * n / 2 for n, end in zip(patch_nums, ends.tolist(), strict=True)]
    names = [f"{n}²" for n in patch_nums]
    ax.set(xticks=middles, xticklabels=names, yticks=middles, yticklabels=names, xlabel="看谁 at whom",
           ylabel="谁在看 who looks", aspect="equal")
    ax.invert_yaxis()
    ax.grid(False)
    return ax
