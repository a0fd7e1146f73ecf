"""One's own photograph as a file of tokens: dropped, chosen or ready-made; decibels and bytes beside JPEG's."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import draw_images
from vqlab.classroom.language import Text
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.codec import compress, decompress, unpack
from vqlab.data import held_out_photo, load_photo, photos, to_uint8
from vqlab.lessons.photographs.rates import Point, file_curve, judge, picture_file
from vqlab.lessons.photographs.strangers import strangers
from vqlab.vqvae import SimpleVQVAE

LONGEST = 512  # pixels of a photograph's longer side
MOST_BYTES = 40_000_000  # of an uploaded file
QUALITIES = (*range(1, 30), *range(30, 96, 3))  # of the JPEGs compared with
RATE_WEIGHTS = (0, 0.001, 0.002, 0.003, 0.005, 0.008, 0.012, 0.02, 0.03, 0.05)


class Coded(NamedTuple):
    """A picture as a file of ours, and the JPEGs beside it.

    Attributes:
        data: the file.
        again: (C, H, W), what it gives.
        tokens, codes: how many tokens, and how many different ones.
        rate, psnr: bits a pixel, and dB.
        same_bytes: the best JPEG of at most as many bytes; None if none is so small.
        same_psnr: the smallest JPEG that comes at least as near; None if none does.
    """

    data: bytes
    again: Tensor
    tokens: int
    codes: int
    rate: float
    psnr: float
    same_bytes: Point | None
    same_psnr: Point | None


def code(model: SimpleVQVAE, picture: Tensor, rate_weight: float, jpegs: Sequence[Point]) -> Coded:
    """Write a picture to a file, read it again, and find the JPEGs of the same size and of the same quality.

    Args:
        model: of one scale, with a context.
        picture: (1, C, H, W).
        rate_weight: λ, see `vqlab.compress`.
        jpegs: of this picture, from `file_curve`.

    Raises:
        ValueError: a model without a context.
    """
    data = compress(model, picture, rate_weight=rate_weight)
    again = decompress(model, data)[0].cpu()
    tokens = unpack(model, data)[0]
    rate, decibels = judge(picture[0], again, data)
    small = [point for point in jpegs if point.rate <= rate]
    good = [point for point in jpegs if point.psnr >= decibels]
    return Coded(data, again, tokens.numel(), len(tokens.unique()), rate, decibels,
                 max(small, key=lambda point: point.psnr, default=None),
                 min(good, key=lambda point: point.rate, default=None))


def ready_pictures() -> dict[Text, Tensor]:
    """Photographs and strangers that ship with scikit-image: name (Chinese, English) -> (1, 3, H, W) in [-1, 1].

    The cat was never trained on, the coffee was; the rest are of other kinds, see `strangers`.
    """
    coffee = photos()["coffee"][None, :, :, 44:44 + LONGEST].contiguous()
    return {("猫", "cat"): held_out_photo(), ("咖啡（训练过）", "coffee (trained on)"): coffee, **strangers()}


class OwnPhotograph(LessonWidget):
    """A photograph of one's own, or one that is ready, written to a file and read again; λ trades bits for dB.

    A file is read as `vqlab.load_photo` does: upright, on white, in RGB, and shrunk to 512 pixels. It goes to this
    notebook's kernel and nowhere else.

    Args:
        model: of one scale and of colours, with a context.
        pictures: that are ready: name (Chinese, English) -> (1, 3, H, W), H and W divisible by 4; by default
            `ready_pictures`.
        rate_weights: λ's of the slider.

    Attributes:
        photo: (1, 3, H, W), the one shown.
        name: its name.
        coded: its file and what comes of it.

    Raises:
        ValueError: a model without a context, or of grey pictures.
    """

    script = "own.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    original = binary()  # RGB
    pixels = binary()  # RGB: what our file gives, and the JPEG of the same size, if there is one
    alt_zh = "一张照片从我们的文件读回来的样子，和同样大小的 JPEG 读回来的，各标着字节数和分贝。"
    alt_en = "A photograph as our file gives it back, and as a JPEG of the same size does, with bytes and decibels."

    def __init__(self, model: SimpleVQVAE, pictures: Mapping[Text, Tensor] | None = None,
                 rate_weights: Sequence[float] = RATE_WEIGHTS):
        if model.in_channels != 3:
            raise ValueError(f"expected a model of pictures with 3 channels, got {model.in_channels}")
        self.model, self.rate_weights = model, list(rate_weights)
        self.pictures = dict(ready_pictures() if pictures is None else pictures)
        self._parts: list[bytes] = []
        self._weighed: dict[int, Coded] = {}
        self._listeners: list[Callable[[Tensor], None]] = []
        super().__init__()
        self.setup = {"names": [list(name) for name in self.pictures], "rate_weights": self.rate_weights,
                      "most_bytes": MOST_BYTES, "longest": LONGEST, "alt": f"{self.alt_zh} {self.alt_en}"}
        self.show(*next(iter(self.pictures.items())))
        self.on_msg(self._asked)

    def show(self, name: Text, picture: Tensor, at: int = 0, request: int = 0) -> None:
        """Show another picture (1, 3, H, W), with the λ of a place of the slider."""
        self.name, self.photo = tuple(name), picture
        self._weighed = {}
        self.jpegs = file_curve(picture[0], "JPEG", QUALITIES)
        self.original = to_uint8(picture[0]).tobytes()
        self.weigh(at, request)
        for listener in self._listeners:
            listener(picture)

    def weigh(self, at: int, request: int = 0) -> None:
        """Write the picture anew with the λ of a place of the slider."""
        self.at = min(max(at, 0), len(self.rate_weights) - 1)
        if self.at not in self._weighed:  # the search takes a second: not again on the way back
            self._weighed[self.at] = code(self.model, self.photo, self.rate_weights[self.at], self.jpegs)
        self.coded = coded = self._weighed[self.at]
        images = [coded.again] if coded.same_bytes is None else [coded.again, self.jpeg()]
        height, width = self.photo.shape[2:]
        with self.hold_sync():
            self.pixels = b"".join(to_uint8(image).tobytes() for image in images)
            self.answer = {
                "request": request, "name": list(self.name), "at": self.at, "size": [height, width],
                "tokens": coded.tokens, "codes": coded.codes, "bytes": len(coded.data), "rate": coded.rate,
                "psnr": coded.psnr, "jpeg": self._jpeg(coded.same_bytes), "as_good": self._jpeg(coded.same_psnr)}

    def jpeg(self) -> Tensor:
        """The JPEG that takes at most as many bytes, (3, H, W)."""
        return load_photo(picture_file(self.photo[0], "JPEG", self.coded.same_bytes.setting), multiple=1)[0]

    def on_picture(self, act: Callable[[Tensor], None]) -> None:
        """Call ``act(picture)`` now and with every picture that is chosen: `TokenPainter.load`, for instance."""
        self._listeners.append(act)
        act(self.photo)

    def _jpeg(self, point: Point | None) -> list[float] | None:
        """[bytes, dB, quality]; a plain colour may come back as it was, and JSON knows no infinite dB."""
        return point and [round(point.rate * self.photo[0, 0].numel() / 8), min(point.psnr, 99.0), point.setting]

    def _asked(self, _, content: dict[str, Any], buffers) -> None:
        if "part" in content:
            self._parts = [*(self._parts if content["part"] else []), bytes(buffers[0])]
            return
        request = int(content["request"])
        if "file" not in content:
            if "chosen" in content:
                self.show(*list(self.pictures.items())[int(content["chosen"])], self.at, request)
            else:
                self.weigh(int(content["at"]), request)
            return
        data, self._parts, name = b"".join(self._parts), [], str(content["file"])
        try:
            if len(data) > MOST_BYTES:
                raise ValueError(f"expected a file of at most {MOST_BYTES:,} bytes, got {len(data):,}")
            picture = load_photo(data, max_side=LONGEST)
        except ValueError as error:
            reason = re.sub(r" <_io\.BytesIO[^>]*>", "", str(error))  # Pillow names what it read from by its address
            self.answer = {**self.answer, "request": request, "error": f"{name}: {reason}"}
            return
        self.show((name, name), picture, self.at, request)

    def figure(self) -> Figure:
        """Draw what our file gives, and the JPEG of the same size."""
        coded = self.coded
        images, titles = [coded.again.clamp(-1, 1)], [f"我们 ours\n{len(coded.data)} B, {coded.psnr:.1f} dB"]
        if coded.same_bytes:
            images.append(self.jpeg())
            titles.append(f"JPEG\n{self._jpeg(coded.same_bytes)[0]} B, {coded.same_bytes.psnr:.1f} dB")
        fig = Figure(figsize=(2.9, 1.35))
        draw_images(images, titles, fig.subplots(1, len(images), squeeze=False)[0])
        return fig
