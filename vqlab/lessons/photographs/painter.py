"""Paint with tokens: a brush of codes, or of a piece of a picture; the decoder redraws what the stroke can reach."""

import time
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import draw_images
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.codec import pack
from vqlab.data import to_uint8
from vqlab.lessons.photographs.painting import Painting
from vqlab.lessons.photographs.reach import Box
from vqlab.lessons.photographs.window import code_patches
from vqlab.vqvae import STRIDE, SimpleVQVAE

LARGEST = 16  # tokens a side of a brush


class TokenPainter(LessonWidget):
    """A picture and its tokens to paint on: with one code, with a piece of the picture, or the first tokens again.

    The page says what was painted, and gets the pixels of the window that it can reach; in a pause, by how many bytes
    a file of these tokens is longer than that of the first ones, if the model has a context. The size itself is left
    for the lesson to ask.

    Args:
        model: of one scale.
        picture: (1, C, H, W) in [-1, 1], H and W divisible by 4.

    Attributes:
        painting: the tokens and the picture.
        brush: (h, w) int64, the piece of a picture that was picked last; None at first.
        more: bytes that painting has added to a file of the tokens, once weighed since the last change; before, None.

    Raises:
        TypeError, ValueError: see `Painting`.
    """

    script = "painter.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    pixels = binary()  # RGB of the window that was redrawn
    tokens = binary()  # uint16, those of the same window
    patches = binary()  # RGB, 4 × 4 a code, dark to bright
    alt_zh = ("一张照片的 token 图，每个 token 一格，涂成它的平均颜色：还认得出画的是什么。"
              "旁边是调色板：全部码字各画成一小块，从暗到亮。")
    alt_en = ("The map of the tokens of a photograph, each a square in its mean colour: one still sees what it is "
              "of. Beside it a palette of all codes, each drawn as a small patch, dark to bright.")

    def __init__(self, model: SimpleVQVAE, picture: Tensor):
        self.painting, self.brush, self.more = Painting(model, picture), None, None
        self._first_bytes: int | None = None  # of a file of the first tokens
        patches = code_patches(model, self.painting.reach)
        order = patches.clamp(-1, 1).mean(dim=(1, 2, 3)).argsort(stable=True)
        super().__init__()
        self.patches = b"".join(to_uint8(patch).tobytes() for patch in patches)
        self.setup = {"codes": len(patches), "order": order.tolist(), "files": model.context is not None,
                      "alt": f"{self.alt_zh} {self.alt_en}"}
        self.serial = 0  # no two messages are alike, or the page would not hear the second
        self.whole(request=0)
        self.on_msg(self._asked)

    def load(self, picture: Tensor) -> None:
        """Paint on another picture (1, C, H, W) from now on; the brush stays as it is."""
        self.painting, self._first_bytes = Painting(self.painting.model, picture), None
        self.whole(request=self.answer["request"])

    def whole(self, request: int) -> None:
        """Send all of the picture to the page."""
        self.painting.redraw()
        self.more = None
        self._show(Box(0, 0, *self.painting.tokens.shape), request)

    def act(self, name: str, *given: int) -> None:
        """Do one thing to the painting.

        Args:
            name: "stroke", "undo", "redo" or "reset", without more; "code" with row, column, size, code; "stamp" with
                row, column; "erase" or "pick" with row, column, size.
            given: whole numbers.

        Raises:
            ValueError: another name, a size or a code out of range.
        """
        if name in ("stroke", "undo", "redo", "reset"):
            getattr(self.painting, name)()
            return
        row, column, *more = map(int, given)
        if name == "stamp":
            if self.brush is not None:
                self.painting.paint(row, column, self.brush)
            return
        if name not in ("code", "erase", "pick"):
            raise ValueError(f"expected something that a painter does, got {name!r}")
        size = more[0]
        if not 1 <= size <= LARGEST:
            raise ValueError(f"expected a brush of 1 to {LARGEST} tokens, got {size}")
        if name == "code":
            code = more[1]
            if not 0 <= code < self.setup["codes"]:
                raise ValueError(f"expected a code in 0..{self.setup['codes'] - 1}, got {code}")
            self.painting.paint(row, column, torch.full((size, size), code))
        elif name == "erase":
            self.painting.erase(row, column, size)
        else:
            self.brush = self.painting.pick(row, column, size)

    def _asked(self, _, content: dict[str, Any], buffers) -> None:
        start = time.perf_counter()
        for each in content["acts"]:
            if each[0] not in ("whole", "weigh"):
                self.act(*each)
        if ["whole"] in content["acts"]:
            self.whole(content["request"])
            return
        window = self.painting.redraw()
        if window:
            self.more = None
        elif ["weigh"] in content["acts"]:
            self.more = self._weigh()
        self._show(window or Box(0, 0, 0, 0), content["request"], start)

    def _weigh(self) -> int:
        """How many bytes longer a file of the tokens is than one of the first tokens."""
        painting = self.painting
        if not painting.changed:
            return 0
        if self._first_bytes is None:
            self._first_bytes = len(pack(painting.model, painting.start))
        return len(pack(painting.model, painting.tokens)) - self._first_bytes

    def _show(self, window: Box, request: int, start: float | None = None) -> None:
        """One message with a window's pixels, its tokens and the counts."""
        painting = self.painting
        top, left, height, width = window
        part = painting.picture[:, STRIDE * top:STRIDE * (top + height), STRIDE * left:STRIDE * (left + width)]
        tokens = painting.tokens[top:top + height, left:left + width]
        self.serial += 1
        with self.hold_sync():
            self.pixels = to_uint8(part).tobytes()
            self.tokens = tokens.numpy().astype("<u2").tobytes()
            self.answer = {
                "request": request, "serial": self.serial, "window": list(window),
                "size": list(painting.tokens.shape), "changed": painting.changed, "more": self.more,
                "undo": painting.can_undo(), "redo": painting.can_redo(),
                "brush": [] if self.brush is None else self.brush.tolist(),
                "milliseconds": 0 if start is None else 1000 * (time.perf_counter() - start)}

    def figure(self) -> Figure:
        """Draw the token map and the palette."""
        painting = self.painting
        patches = np.frombuffer(self.patches, np.uint8).reshape(-1, STRIDE, STRIDE, 3)
        colours = patches.mean(axis=(1, 2)).round().astype(np.uint8)
        fig = Figure(figsize=(3.5, 1.35))
        axes = fig.subplots(1, 2)
        draw_images([colours[painting.tokens.numpy()], sheet(patches[self.setup["order"]])],
                    ["token 图 token map", "调色板 palette"], axes)
        return fig


def sheet(patches: np.ndarray, columns: int = 32) -> np.ndarray:
    """Patches (K, 4, 4, 3) side by side: (4 · rows, 4 · columns, 3), white where there are no more."""
    rows = -(-len(patches) // columns)
    whole = np.full((rows * columns, *patches.shape[1:]), 255, np.uint8)
    whole[:len(patches)] = patches
    return whole.reshape(rows, columns, *patches.shape[1:]).swapaxes(1, 2).reshape(rows * STRIDE, columns * STRIDE, 3)
