"""Click a token: what its code looks like, where else it is used, what it sees of the picture and what it draws."""

from typing import Any, NamedTuple

import torch
import traitlets
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from vqlab.classroom.figures import COLOURS, draw_images
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.data import to_uint8
from vqlab.lessons.photographs.reach import Box, box, seen
from vqlab.lessons.photographs.window import around, code_patches, decode_window, radius
from vqlab.vqvae import STRIDE, SimpleVQVAE

NEAREST = 8  # codes shown beside a token's own
OTHERS = 16  # codes tried in a token's place


class Look(NamedTuple):
    """What is to be said of one token.

    Attributes:
        code: its number.
        row, column: its place.
        gap: ‖z_e − e‖, from what the encoder said to the code's vector.
        neighbours: the codes nearest to its own, nearest first.
        distances: ‖e − e'‖ to each of them.
        sees, sees_weights: the pixels that have a say in z_e, and how much each of them has, (height, width).
        draws, draws_weights: the pixels that other codes in its place would change, and by how much.
    """

    code: int
    row: int
    column: int
    gap: float
    neighbours: list[int]
    distances: list[float]
    sees: Box
    sees_weights: Tensor
    draws: Box
    draws_weights: Tensor


class Inspection:
    """A picture's tokens, to be looked at one by one.

    Args:
        model: of one scale.
        picture: (1, C, H, W) in [-1, 1], H and W divisible by 4.

    Attributes:
        tokens: (H/4, W/4) int64.
        rebuilt: (C, H, W), what they look like.
        patches: (K, C, 4, 4), each code among its like.

    Raises:
        TypeError, ValueError: see `SimpleVQVAE.check_images`; a model of several scales.
    """

    def __init__(self, model: SimpleVQVAE, picture: Tensor):
        if model.multi_scale:
            raise ValueError("expected a model of one scale, got one with tokens by scale")
        model.check_images(picture)
        device = next(model.parameters()).device
        self.model, self.picture = model, picture.to(device)
        self.sight = radius(model.encoder, model.in_channels, STRIDE)
        self.reach = radius(model.decoder, model.embedding_dim)
        with torch.no_grad():
            self.z_e = model.encoder(self.picture)[0]
            self.tokens = model.quantize.encode(self.z_e[None])[0].cpu()
            self.codes = model.quantize.decode(torch.arange(model.vocab_size, device=device)[None, None])[0, :, 0].T
        self.rebuilt = decode_window(model, self.tokens[None], Box(0, 0, *self.tokens.shape), self.reach)[0]
        self.patches = code_patches(model, self.reach)

    def look(self, row: int, column: int) -> Look:
        """All there is to say of the token at a place.

        Raises:
            IndexError: a place outside of the map.
        """
        height, width = self.tokens.shape
        if not (0 <= row < height and 0 <= column < width):
            raise IndexError(f"expected a token of {height} × {width}, got row {row}, column {column}")
        code = int(self.tokens[row, column])
        away = (self.codes - self.codes[code]).norm(dim=1)
        away[code] = -1  # itself first, even if another lies on the same point
        neighbours = away.argsort()[1:NEAREST + 1]
        sees, sees_weights = self._sees(row, column)
        draws, draws_weights = self._draws(row, column)
        return Look(code, row, column, float((self.z_e[:, row, column] - self.codes[code]).norm()),
                    neighbours.tolist(), away[neighbours].tolist(), sees, sees_weights, draws, draws_weights)

    def _sees(self, row: int, column: int) -> tuple[Box, Tensor]:
        """Slopes of z_e by the pixels: only those need be asked that the encoder's layers connect with it."""
        part = around(row, column, 1, 1, self.sight, tuple(self.tokens.shape))
        window = self.picture[:, :, STRIDE * part.top:STRIDE * (part.top + part.height),
                              STRIDE * part.left:STRIDE * (part.left + part.width)]
        return _trimmed(seen(self.model, window, row - part.top, column - part.left).cpu(), part)

    def _draws(self, row: int, column: int) -> tuple[Box, Tensor]:
        """The largest change of each pixel while other codes, spread over the codebook, take the token's place."""
        part = around(row, column, 1, 1, self.reach, tuple(self.tokens.shape))
        maps = self.tokens.repeat(OTHERS + 1, 1, 1)
        count = self.model.vocab_size
        others = self.tokens[row, column] + torch.arange(1, OTHERS + 1) * max(1, count // (OTHERS + 1))
        maps[1:, row, column] = others % count
        before, *after = decode_window(self.model, maps, part, self.reach)
        change = (torch.stack(after) - before).abs().amax(dim=(0, 1)).cpu()
        return _trimmed(torch.where(change > 1e-6, change, 0), part)  # less is rounding


def _trimmed(weights: Tensor, part: Box) -> tuple[Box, Tensor]:
    """Weights of the pixels of a window of tokens, cut to those above 0, and their place in the picture.

    Where nothing is above 0 (a code alone in its codebook), the whole window.
    """
    inner = box(weights) if weights.any() else Box(0, 0, *weights.shape)
    place = Box(STRIDE * part.top + inner.top, STRIDE * part.left + inner.left, inner.height, inner.width)
    return place, weights[inner.top:inner.top + inner.height, inner.left:inner.left + inner.width]


class TokenInspector(LessonWidget):
    """A picture whose tokens are clicked, or walked over with the arrow keys, and looked at.

    Args:
        model: of one scale.
        picture: (1, C, H, W) in [-1, 1], H and W divisible by 4.
        row, column: of the token looked at first; by default the middle.

    Attributes:
        inspection: the tokens.
        token: what is said of the one looked at now.

    Raises:
        TypeError, ValueError, IndexError: see `Inspection`.
    """

    script = "inspector.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    pictures = binary()  # RGB: the picture, then what its tokens look like
    tokens = binary()  # uint16
    patches = binary()  # RGB, 4 × 4 a code
    weights = binary()  # uint8: of what the token sees, then of what it draws
    alt_zh = ("一张照片，一个 token 框了出来：小框是它的 4 × 4 像素，外面的虚线框是它看到的像素，"
              "更大的实线框是它画到的像素；小方点是用同一个码字的其他 token。"
              "旁边是这个码字画成的小块，和码本里离它最近的 8 个码字。")
    alt_en = ("A photograph with one token framed: the small frame holds its 4 × 4 pixels, the dashed one around it "
              "the pixels it sees, the larger solid one those it draws; small squares mark the other tokens with the "
              "same code. Beside it the code as a patch, and the 8 codes nearest to it in the codebook.")

    def __init__(self, model: SimpleVQVAE, picture: Tensor, row: int | None = None, column: int | None = None):
        self.inspection = Inspection(model, picture)
        height, width = self.inspection.tokens.shape
        super().__init__()
        images = self.inspection.picture[0], self.inspection.rebuilt
        self.pictures = b"".join(to_uint8(image).tobytes() for image in images)
        self.tokens = self.inspection.tokens.numpy().astype("<u2").tobytes()
        self.patches = b"".join(to_uint8(patch).tobytes() for patch in self.inspection.patches)
        self.setup = {"codes": len(self.inspection.patches), "size": [height, width],
                      "alt": f"{self.alt_zh} {self.alt_en}"}
        self.look(height // 2 if row is None else row, width // 2 if column is None else column)
        self.on_msg(self._asked)

    def look(self, row: int, column: int, request: int = 0) -> None:
        """Look at the token at a place."""
        self.token = token = self.inspection.look(row, column)
        with self.hold_sync():  # one message
            self.weights = b"".join(_shades(each) for each in (token.sees_weights, token.draws_weights))
            self.answer = {
                "request": request, "row": row, "column": column, "code": token.code, "gap": token.gap,
                "neighbours": token.neighbours, "distances": token.distances, "sees": list(token.sees),
                "draws": list(token.draws)}

    def _asked(self, _, content: dict[str, Any], buffers) -> None:
        self.look(int(content["row"]), int(content["column"]), int(content["request"]))

    def figure(self) -> Figure:
        """Draw the picture with the token's frames and its like; its code and the nearest ones by their distance."""
        inspection, token = self.inspection, self.token
        fig = Figure(figsize=(3.9, 1.65))
        left, right = fig.subfigures(1, 2, width_ratios=[1.5, 1])
        ax, = draw_images([inspection.picture[0]], [f"token {token.code}"], [left.subplots()])
        rows, columns = (inspection.tokens == token.code).nonzero(as_tuple=True)
        ax.scatter(STRIDE * columns + 1.5, STRIDE * rows + 1.5, s=9, marker="s", color=COLOURS["data"],
                   edgecolors="white", linewidths=0.5)
        own = Box(STRIDE * token.row, STRIDE * token.column, STRIDE, STRIDE)
        for place, colour, line in ((token.draws, "codes", "-"), (token.sees, "z_e", "--"), (own, "wrong", "-")):
            ax.add_patch(Rectangle((place.left - 0.5, place.top - 0.5), place.width, place.height, fill=False,
                                   linewidth=2, edgecolor=COLOURS[colour], linestyle=line))
        axes = right.subplots(3, 3).flatten()
        shown = [token.code, *token.neighbours]
        titles = [f"{distance:.2f}" for distance in (0, *token.distances)]
        draw_images([inspection.patches[code] for code in shown], titles, axes[:len(shown)])
        for spare in axes[len(shown):]:
            spare.set_axis_off()
        return fig


def _shades(weights: Tensor) -> bytes:
    """Weights (H, W) from 0 as bytes; the square root, since those at the edge are small."""
    return (255 * (weights / weights.max().clamp(min=1e-12)).sqrt()).round().to(torch.uint8).numpy().tobytes()
