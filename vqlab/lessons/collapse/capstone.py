"""The capstone: a learner's own tokenizer, trained on photographs and examined on others."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from IPython.display import display
from torch import Tensor

from vqlab.classroom.exercise import STATES, STUB, Verdict, verdict_html
from vqlab.classroom.language import Text
from vqlab.classroom.patience import OutOfPatience, Patience
from vqlab.data import crops, held_out_photo, load_folder, photos
from vqlab.metrics import psnr, usage

WORDS = 256  # K
STRIDE = 4  # one token for every 4 × 4 pixels
SIZE = 128  # pixels a side of one's own photographs
ALLOWANCE = 0.5  # dB below the mosaic; a palette of the 256 best mean colours falls short of it
USAGE = 0.8  # of the codes, among 64 crops of the training photographs
RAISED = ("{what} 时出错：{error}", "An error in {what}: {error}")
Make = Callable[[Iterator[Tensor]], tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]]


class Capstone:
    """A task without one right answer: train a tokenizer of 256 codes, one token for 4 × 4 pixels, and pass the exam.

    The learner's function is given batches and returns ``encode, decode``: pictures (B, 3, H, W) to tokens
    (B, H/4, W/4) int64 from 0 to 255, and back. Two things are asked: on pictures that it was not trained on, a PSNR
    close to that of painting each 4 × 4 square in its own mean colour, which takes three times the bits (see
    `ALLOWANCE`); and `USAGE` of the codes in use, on fresh crops of the pictures that it was trained on.

    Args:
        folder: of one's own photographs, four at least; every fourth is kept for the exam. By default training is on
            `vqlab.photos`, and the exam is the cat.

    Attributes:
        exam: pictures of the exam, each (1, 3, H, W).
        goal: the PSNR to reach, mean over the exam, dB.
        patience: the seconds that training may take.

    Raises:
        ValueError: fewer than four photographs in the folder.
    """

    title = ("你自己的 tokenizer", "A tokenizer of your own")
    hints = [
        ("先让它跑通：编码器用 PixelUnshuffle(4) 加两层卷积，解码器反过来，以 PixelShuffle(4) 结尾；"
         "量化用第 3 课的 VQ，300 步。encode 返回 argmin 的结果，decode 查表再解码。",
         "Make it run first: an encoder of PixelUnshuffle(4) and two convolutions, the reverse as decoder, with "
         "PixelShuffle(4) at its end; quantize with VQ of lesson 3, for 300 steps. encode returns what argmin gives, "
         "decode looks up and decodes."),
        ("使用率不够：码字从第一批 z_e 中取（或用 kmeans），以后每步调用上面的 LivingCodebook.step。",
         "Too few codes in use: take them from the first batch of z_e (or use kmeans), then call LivingCodebook.step "
         "from above at every step."),
        ("分贝不够：有了 LivingCodebook，损失只要重建加承诺两项；再多练几百步，学习率从 0.002 慢慢降到 0。",
         "Too few decibels: with a LivingCodebook the loss is reconstruction plus commitment alone; train some "
         "hundred steps more, with a learning rate that falls from 0.002 to 0."),
    ]
    patience = 60.0

    def __init__(self, folder: str | os.PathLike | None = None):
        if folder is None:
            self._pictures, self.exam = photos(), [held_out_photo()]
        else:
            images = load_folder(folder, SIZE).images
            if len(images) < 4:
                raise ValueError(f"expected at least 4 photographs in {folder}, got {len(images)}")
            self._pictures = {str(number): image for number, image in enumerate(images) if number % 4 != 3}
            self.exam = list(images[3::4].unsqueeze(1))
        self.goal = _mean(psnr(mosaic(picture), picture).item() for picture in self.exam) - ALLOWANCE

    def check(self, make: Make, *, quiet: bool = False) -> Verdict:
        """Train by ``make``, examine, and display what holds; whatever the learner wrote, the cell goes on.

        Args:
            make: the learner's function, or what stands in its place.
            quiet: show nothing if it passes.
        """
        verdict = self.judge(make)
        if not (quiet and verdict.state == "right"):
            symbol, zh, en, _ = STATES[verdict.state]
            display({"text/html": verdict_html(self, verdict), "text/plain": f"{symbol} {self.title[0]}: {zh} {en}"},
                    raw=True)
        return verdict

    def judge(self, make: Make) -> Verdict:
        """As `check`, showing nothing; the same random numbers every time, and none disturbed."""
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            batches = crops(self._pictures, 16, 32, generator=torch.Generator().manual_seed(0))
            try:
                with Patience(self.patience):
                    pair = make(batches) if callable(make) else make
            except OutOfPatience:
                hint = (f"训练超过 {self.patience:g} 秒，已经停下。这里几百步就够。",
                        f"Training was stopped after {self.patience:g} seconds. Some hundred steps are enough.")
                return Verdict("wrong", hint, reason="slow")
            except Exception as error:
                return _raised(("训练", "training"), error)
            if pair is None or pair is ...:
                return Verdict("not yet", STUB)
            if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and all(map(callable, pair))):
                return _wrong(f"要返回两个函数 encode, decode，得到的是 {type(pair).__name__}。",
                              f"Return two functions, encode, decode; got {type(pair).__name__}.")
            with torch.no_grad():
                return self._examined(*pair)

    def _examined(self, encode: Callable[[Tensor], Any], decode: Callable[[Tensor], Any]) -> Verdict:
        """Is it a tokenizer at all, then how good: the first thing that is wrong is said."""
        source = crops(self._pictures, 64, 64, generator=torch.Generator().manual_seed(1))
        seen, decibels = next(source), []
        try:
            for picture in self.exam:
                tokens = encode(picture.clone())
                if problem := _tokens_problem(tokens, picture):
                    return problem
                again = decode(tokens.clone())
                if problem := _picture_problem(again, picture):
                    return problem
                decibels.append(psnr(again, picture).item())
            if torch.equal(again, decode((tokens + 1) % WORDS)):
                return _wrong("decode 画的图与给它的 token 无关：是不是另外留着原图？解码时只有 token。",
                              "What decode draws does not depend on the tokens it is given. Does it keep the picture "
                              "elsewhere? Decoding has the tokens alone.")
            in_use = encode(seen.clone())
            if problem := _tokens_problem(in_use, seen):
                return problem
        except Exception as error:
            return _raised(("encode、decode", "encode or decode"), error)
        return self._marked(_mean(decibels), usage(in_use, WORDS).item())

    def _marked(self, decibels: float, in_use: float) -> Verdict:
        """The verdict on a tokenizer that is one."""
        marks = (
            (("没见过的照片", "unseen photographs"),
             (f"{decibels:.1f} dB（要 {self.goal:.1f}）", f"{decibels:.1f} dB ({self.goal:.1f} asked for)")),
            (("用到的码字", "codes in use"),
             (f"{in_use:.0%}（要 {USAGE:.0%}）", f"{in_use:.0%} ({USAGE:.0%} asked for)")))
        if in_use < USAGE:
            return _wrong("能用，但码本坍缩了：很多码字没有人选。起点在哪里？没人选的码字怎么办？（第 1、4 节）",
                          "It works, but its codebook has collapsed: many codes are never chosen. Where do they "
                          "start? What becomes of those that nobody chooses? (sections 1 and 4)", marks)
        if decibels < self.goal:
            return _wrong("码字用得够多，但图还不够清楚：多练几步？承诺损失、直通都在吗？学习率是不是太大或太小？",
                          "Enough codes are in use, but the picture is not sharp enough. More steps? Are commitment "
                          "loss and straight-through both there? Is the learning rate too large or too small?", marks)
        return Verdict("right", ("每 4 × 4 个像素只用 8 比特，没见过的照片也画得出来，码字也用得够多。",
                                 "Eight bits for 4 × 4 pixels draw photographs that it has never seen, with enough "
                                 "of the codes in use."), example=marks)


def mosaic(picture: Tensor) -> Tensor:
    """Paint each 4 × 4 square of (1, 3, H, W) in its own mean colour: 24 bits a square, and nothing learnt."""
    return F.interpolate(F.avg_pool2d(picture, STRIDE), scale_factor=STRIDE)


def _tokens_problem(tokens: Any, pictures: Tensor) -> Verdict | None:
    shape = (len(pictures), pictures.shape[2] // STRIDE, pictures.shape[3] // STRIDE)
    if not isinstance(tokens, Tensor):
        return _wrong(f"encode 要返回张量，得到的是 {type(tokens).__name__}。",
                      f"Expected a tensor from encode, got {type(tokens).__name__}.")
    dtype = str(tokens.dtype).removeprefix("torch.")
    if tokens.is_floating_point() or tokens.is_complex():
        return _wrong(f"encode 返回的是 {dtype}，不是编号：没有量化，每个数就不止 8 比特。",
                      f"encode returns {dtype}, not indices: what is not quantized takes more than 8 bits.")
    if tokens.dtype != torch.int64 or tuple(tokens.shape) != shape:
        return _wrong(f"encode 应返回 {shape} int64（每 4 × 4 个像素一个），得到 {tuple(tokens.shape)} {dtype}。",
                      f"Expected {shape} int64 from encode (one for 4 × 4 pixels), got {tuple(tokens.shape)} "
                      f"{dtype}.")
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= WORDS:
        return _wrong(f"token 应在 0 到 {WORDS - 1} 之间，得到 {low} 到 {high}。",
                      f"Expected tokens from 0 to {WORDS - 1}, got {low} to {high}.")


def _picture_problem(picture: Any, like: Tensor) -> Verdict | None:
    if not isinstance(picture, Tensor) or picture.shape != like.shape:
        got = tuple(picture.shape) if isinstance(picture, Tensor) else type(picture).__name__
        return _wrong(f"decode 应返回 {tuple(like.shape)} 的图，得到 {got}。",
                      f"Expected a picture {tuple(like.shape)} from decode, got {got}.")
    if not torch.isfinite(picture).all():
        return _wrong("decode 的图里有 NaN 或无穷大：学习率太大？",
                      "NaN or Inf in decode's picture: is the learning rate too large?")


def _wrong(zh: str, en: str, marks: tuple[tuple[Text, Text], ...] = ()) -> Verdict:
    return Verdict("wrong", (zh, en), example=marks)


def _raised(what: Text, error: Exception) -> Verdict:
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    zh, en = (text.format(what=name, error=said) for text, name in zip(RAISED, what, strict=True))
    return Verdict("error", (zh, en))


def _mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)
