"""A map of tokens that one paints on, and the picture that follows."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from vqlab.lessons.photographs.reach import Box
from vqlab.lessons.photographs.window import around, decode_window, radius
from vqlab.vqvae import STRIDE, SimpleVQVAE

UNDO = 200  # strokes remembered
FEW = 1024  # tokens that one thread decodes as soon as several, without keeping the browser's core busy


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let torch compute with so many threads inside a ``with``."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Painting:
    """Tokens to be changed by hand. `redraw` then decodes anew what the changed ones can reach, and no more.

    Args:
        model: of one scale.
        picture: (1, C, H, W) in [-1, 1], H and W divisible by 4.

    Attributes:
        start: (H/4, W/4) int64, the tokens that the encoder gave.
        tokens: (H/4, W/4) int64, as painted.
        picture: (C, H, W), what they look like since the last `redraw`.
        reach: of the decoder, in tokens.

    Raises:
        TypeError, ValueError: see `SimpleVQVAE.check_images`; a model of several scales.
    """

    def __init__(self, model: SimpleVQVAE, picture: Tensor):
        if model.multi_scale:
            raise ValueError("expected a model of one scale, got one with tokens by scale")
        self.model, self.reach = model, radius(model.decoder, model.embedding_dim)
        height, width = (side // STRIDE for side in picture.shape[-2:])
        device = next(model.parameters()).device
        words = model.img_to_idxBl(picture.to(device))[0]
        self.start = words[0].view(height, width).cpu()
        self.tokens, self._drawn = self.start.clone(), self.start.clone()
        self.picture = decode_window(model, self.start[None], Box(0, 0, height, width), self.reach)[0]
        self._past: list[Tensor] = []
        self._future: list[Tensor] = []

    @property
    def changed(self) -> int:
        """How many tokens differ from the encoder's."""
        return int((self.tokens != self.start).sum())

    def stroke(self) -> None:
        """Begin a stroke: what is painted until the next one is undone together."""
        self._future = []
        if not self._past or not torch.equal(self._past[-1], self.tokens):
            self._past = [*self._past[1 - UNDO:], self.tokens.clone()]

    def paint(self, row: int, column: int, brush: Tensor) -> None:
        """Lay tokens (h, w) with their upper left one at a place of the map; what sticks out is left off."""
        height, width = self.tokens.shape
        top, left = max(row, 0), max(column, 0)
        bottom, right = min(row + brush.shape[0], height), min(column + brush.shape[1], width)
        if top < bottom and left < right:
            self.tokens[top:bottom, left:right] = brush[top - row:bottom - row, left - column:right - column]

    def erase(self, row: int, column: int, size: int) -> None:
        """Bring a square of the encoder's tokens back."""
        place = around(row, column, size, size, 0, tuple(self.tokens.shape))
        self.paint(place.top, place.left, _cut(self.start, place))

    def pick(self, row: int, column: int, size: int) -> Tensor:
        """A square of tokens as a brush: (size, size), at the edge less, with its upper left one at the place."""
        return _cut(self.tokens, around(row, column, size, size, 0, tuple(self.tokens.shape))).clone()

    def undo(self) -> None:
        """Take the last stroke back, if there is one."""
        self._step(self._past, self._future)

    def redo(self) -> None:
        """Do again what was undone last."""
        self._step(self._future, self._past)

    def reset(self) -> None:
        """Bring all of the encoder's tokens back; this can be undone too."""
        self.stroke()
        self.tokens.copy_(self.start)

    def can_undo(self) -> bool:
        """Whether `undo` would change something."""
        return any(not torch.equal(each, self.tokens) for each in self._past)

    def can_redo(self) -> bool:
        """Whether `redo` would change something."""
        return bool(self._future)

    def redraw(self) -> Box | None:
        """Decode what has changed since the last call; returns its window in tokens, or None if nothing has."""
        rows, columns = (self.tokens != self._drawn).nonzero(as_tuple=True)
        if not len(rows):
            return None
        top, left = int(rows.min()), int(columns.min())
        changed = top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1
        window = around(*changed, self.reach, tuple(self.tokens.shape))
        with threads(1 if window.height * window.width < FEW else torch.get_num_threads()):
            drawn = decode_window(self.model, self.tokens[None], window, self.reach)[0]
        self.picture[:, STRIDE * window.top:STRIDE * (window.top + window.height),
                     STRIDE * window.left:STRIDE * (window.left + window.width)] = drawn
        self._drawn.copy_(self.tokens)
        return window

    def _step(self, source: list[Tensor], other: list[Tensor]) -> None:
        """Go to the newest map of ``source`` that differs from the present one, which ``other`` remembers."""
        while source:
            newest = source.pop()
            if not torch.equal(newest, self.tokens):
                other.append(self.tokens.clone())
                self.tokens.copy_(newest)
                return


def _cut(tokens: Tensor, place: Box) -> Tensor:
    return tokens[place.top:place.top + place.height, place.left:place.left + place.width]
