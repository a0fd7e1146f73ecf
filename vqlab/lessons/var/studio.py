"""A digit written scale by scale under six sliders, and what the model believed at each of its tokens."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.explorer import Slider
from vqlab.classroom.figures import COLOURS, draw_images, pixels
from vqlab.classroom.widget import LessonWidget, binary
from vqlab.var import VAR, guide, keep_top

NEAREST = 8  # codes shown for a token, the drawn one first


class Writing(NamedTuple):
    """One picture the model wrote, with L tokens in S scales.

    Attributes:
        idx_Bl: S times (1, tokens of the scale) int64.
        pictures: S times (C, H, W), after each scale.
        belief: (L, K), what the model gave each code, knowing the class and the coarser scales.
        drawn_from: (L, K), the same after guidance, temperature, top-k and top-p: what the token was drawn from.
    """

    idx_Bl: list[Tensor]
    pictures: list[Tensor]
    belief: Tensor
    drawn_from: Tensor


@torch.no_grad()
def write(var: VAR, label: int, *, guidance: float, temperature: float, top_k: int, top_p: float,
          seed: int) -> Writing:
    """Let the model write one picture, and look up what it believed: one more pass over what it wrote."""
    device = var.position.device
    idx_Bl = var.sample(torch.tensor([label], device=device), guidance=guidance, temperature=temperature, top_k=top_k,
                        top_p=top_p, generator=torch.Generator().manual_seed(seed))
    both = torch.tensor([label, var.num_classes], device=device)
    logits = var.logits([scale.expand(2, -1) for scale in idx_Bl], both)  # (2, L, K): with the class, and without
    scales = [guide(*part, guidance, scale, len(var.lengths))
              for scale, part in enumerate(logits.split(var.lengths, dim=1))]
    drawn_from = keep_top(torch.cat(scales) / temperature, top_k, top_p)
    pictures = var.tokenizer.idxBl_to_img(idx_Bl, cumulative=True)
    return Writing([scale.cpu() for scale in idx_Bl], [picture[0].cpu() for picture in pictures],
                   logits[0].softmax(dim=-1).cpu(), drawn_from.softmax(dim=-1).cpu())


@torch.no_grad()
def alternatives(var: VAR, idx_Bl: list[Tensor], token: int, number: int = NEAREST) -> tuple[Tensor, Tensor]:
    """The codes nearest to the one a token drew, and the picture after that scale with each of them in its place.

    Args:
        var: the model.
        idx_Bl: as `Writing` holds them.
        token: 0 to L − 1, counted over all scales.
        number: of codes; the first is the drawn one.

    Returns:
        (codes, pictures): (number,) int64 and (number, C, H, W).
    """
    scale, place = _locate(var.lengths, token)
    codebook = var.tokenizer.quantize.embedding.weight.cpu()
    distances = (codebook - codebook[idx_Bl[scale][0, place]]).norm(dim=1)
    distances[idx_Bl[scale][0, place]] = -1  # first, even if another code lies on the same point
    codes = distances.argsort()[:number]
    changed = [each.repeat(len(codes), 1) for each in idx_Bl]
    changed[scale][:, place] = codes
    device = var.position.device
    return codes, var.tokenizer.idxBl_to_img([each.to(device) for each in changed], cumulative=True)[scale].cpu()


def _locate(lengths: list[int], token: int) -> tuple[int, int]:
    scale = 0
    while token >= lengths[scale]:
        token, scale = token - lengths[scale], scale + 1
    return scale, token


class DigitStudio(LessonWidget):
    """Six sliders and a digit that grows scale by scale; a click on a token shows what else it might have been.

    Torch writes the digit anew at each move.

    Args:
        var: a trained model.
        label: the class to begin with.
        seed: of the draw to begin with.

    Attributes:
        writing: the digit shown now.
        token: the token looked at, 0 to L − 1.
    """

    script = "studio.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    pixels = binary()  # RGB: the picture after each scale, then those of `alternatives`
    alt_zh = ("上排：一个数字由粗到细写出来，第一个尺度之后只是一团灰，越往后笔画越清楚。"
              "下排：其中一个 token 换成几个近邻码字会怎样，和抽到它们的概率。")
    alt_en = ("Above, a digit being written from coarse to fine: a grey blur after the first scale, clearer strokes "
              "after each of the others. Below, what it would be with one token replaced by codes nearby, and the "
              "probability of drawing each.")

    def __init__(self, var: VAR, label: int = 8, seed: int = 0):
        self.var, codes = var, var.tokenizer.vocab_size
        self.sliders = [
            Slider("label", "类别", "class", 0, var.num_classes - 1, 1, label),
            Slider("seed", "种子", "seed", 0, 99, 1, seed),
            Slider("guidance", "引导", "guidance", 0, 6, 0.25, 1.5),
            Slider("temperature", "温度", "temperature", 0.1, 2, 0.1, 1),
            Slider("top_k", "top-k（留几个）", "top-k (how many)", 1, codes, 1, codes),
            Slider("top_p", "top-p（留多少）", "top-p (how much)", 0.05, 1, 0.05, 1)]
        super().__init__()
        self.setup = {"sliders": [slider._asdict() for slider in self.sliders],
                      "sides": [list(size) for size in var.tokenizer.quantize.sizes],
                      "alt": f"{self.alt_zh} {self.alt_en}"}
        self.values, self.token = None, sum(var.lengths) - 1 - var.lengths[-1] // 2  # amid the finest scale
        self.update({slider.name: slider.value for slider in self.sliders}, self.token, request=0)
        self.on_msg(self._asked)

    def update(self, values: Mapping[str, float], token: int, request: int) -> None:
        """Write the digit of ``values`` (anew only if they changed) and look at ``token``."""
        if values != self.values:
            self.values = dict(values)
            self.writing = write(self.var, **self.values)
        self.token = min(max(token, 0), sum(self.var.lengths) - 1)
        self.codes, self.others = alternatives(self.var, self.writing.idx_Bl, self.token)
        images = [pixels(image.clamp(-1, 1)) for image in (*self.writing.pictures, *self.others)]
        tokens = torch.cat(self.writing.idx_Bl, dim=1)[0]  # (L,)
        own = self.writing.drawn_from.gather(1, tokens[:, None])[:, 0]
        with self.hold_sync():  # one message
            self.pixels = b"".join(np.ascontiguousarray(image).tobytes() for image in images)
            self.answer = {
                "request": request, "values": self.values, "token": self.token, "tokens": tokens.tolist(),
                "probabilities": own.tolist(), "size": list(images[0].shape[1::-1]), "codes": self.codes.tolist(),
                "belief": self.writing.belief[self.token, self.codes].tolist(),
                "drawn_from": self.writing.drawn_from[self.token, self.codes].tolist(),
                "possible": int((self.writing.drawn_from[self.token] > 0).sum()),
                "bits": float(own.log2().mean().abs())}

    def _asked(self, _, content, buffers) -> None:
        whole = {slider.name for slider in self.sliders if isinstance(slider.step, int)}
        given = {slider.name: content["values"][slider.name] for slider in self.sliders}
        self.update({name: int(value) if name in whole else value for name, value in given.items()},
                    int(content["token"]), int(content["request"]))

    def figure(self) -> Figure:
        """Draw the picture after each scale, and the codes near the token looked at with their probabilities."""
        sizes = self.var.tokenizer.quantize.sizes
        fig = Figure(figsize=(7.2, 3.2))
        above, below = fig.subfigures(2, 1, height_ratios=[1.25, 1])
        draw_images([pixels(image.clamp(-1, 1)) for image in self.writing.pictures],
                    [" × ".join(map(str, size)) for size in sizes], above.subplots(1, len(sizes)))
        axes = below.subplots(1, len(self.codes))
        draw_images([pixels(image.clamp(-1, 1)) for image in self.others],
                    [f"{p:.0%}" for p in self.writing.drawn_from[self.token, self.codes].tolist()], axes)
        below.suptitle("一个 token 的近邻码字和概率 one token: its nearest codes, their probabilities", fontsize=11,
                       color=COLOURS["black"])
        return fig
