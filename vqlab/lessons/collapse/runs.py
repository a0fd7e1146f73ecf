"""Small trainings of one network with any of the remedies, and what each achieves."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, cached_property
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.language import Text
from vqlab.codebook import Codebook, EMACodebook
from vqlab.data import crops, held_out_photo, photos
from vqlab.metrics import perplexity, psnr, usage
from vqlab.quantizer import VectorQuantizer2
from vqlab.train import Record, fit
from vqlab.vqvae import SimpleVQVAE

STEPS = 80  # of a small training
WORDS, SIZE = 256, 8  # K and D of a small training
SCORED = 64  # crops in a batch that `score` looks at
REMEDIES = {  # name -> what a learner reads
    "kmeans": ("k 均值起点", "k-means start"),
    "ema": ("滑动平均", "EMA"),
    "restart": ("重启", "restart"),
    "cosine": ("余弦搜索", "cosine search"),
    "rotation": ("旋转技巧", "rotation trick"),
    "entropy": ("熵损失", "entropy term"),
}


class Score(NamedTuple):
    """What a model does with crops of the training photographs that were drawn for this, and with the cat.

    Attributes:
        usage: the fraction of the codes that the crops use, 0 to 1.
        perplexity: of the crops' tokens.
        psnr: of the crops, dB.
        cat_codes: how many codes the held-out cat uses.
        cat_psnr: of the cat, dB.
    """

    usage: float
    perplexity: float
    psnr: float
    cat_codes: int
    cat_psnr: float

    @property
    def text(self) -> Text:
        """One line, (Chinese, English)."""
        used, mean = f"{100 * self.usage:5.1f} %", f"{self.perplexity:5.1f}"  # as wide in every row
        return (f"使用率 {used}　困惑度 {mean}　{self.psnr:.1f} dB　"
                f"猫：{self.cat_codes} 个码字，{self.cat_psnr:.1f} dB",
                f"usage {used}   perplexity {mean}   {self.psnr:.1f} dB   cat: {self.cat_codes} "
                f"code{'s' if self.cat_codes != 1 else ''}, {self.cat_psnr:.1f} dB")


@torch.no_grad()
def score(model: SimpleVQVAE, batches: int = 1, size: int = 64) -> Score:
    """Look at ``batches`` × 64 crops, always the same ones, and at the cat.

    Args:
        model: in evaluation mode, on any device.
        batches: of 64 crops; with `size` 64, one is 16 384 tokens.
        size: side of a crop in pixels. Small ones give a higher perplexity: tokens near a border are others.
    """
    device = next(model.parameters()).device
    source = crops(photographs(), SCORED, size, generator=torch.Generator().manual_seed(1))
    decibels, tokens = [], []
    for _ in range(batches):
        images = next(source).to(device)
        output, _, indices = model(images)
        decibels.append(psnr(output, images).mean().item())
        tokens.append(indices)
    cat = _cat().to(device)
    output, _, indices = model(cat)
    tokens = torch.cat(tokens)
    return Score(usage(tokens, model.vocab_size).item(), perplexity(tokens, model.vocab_size).item(),
                 float(np.mean(decibels)), round(usage(indices, model.vocab_size).item() * model.vocab_size),
                 psnr(output, cat).item())


class SmallRun:
    """One small training: always the same start of the network, the same pictures, the same number of steps.

    The network is lesson 0's, half as wide and without residual blocks, on crops of 32 × 32 pixels: 80 steps
    take less than a second. Iterating trains, and yields `vqlab.Record`; whoever stops asking keeps a usable model.

    Args:
        make: makes the quantizer; called after the seed is set, so that all random starts are alike.
        steps: how many.
        lr: peak learning rate.
        seed: of weights, pictures and restarts.

    Attributes:
        model: the network.
        records: the steps so far.
    """

    def __init__(self, make: Callable[[], nn.Module], *, steps: int = STEPS, lr: float = 1.5e-3, seed: int = 0):
        torch.manual_seed(seed)
        quantizer = make()
        torch.manual_seed(seed)
        self.model = SimpleVQVAE(quantizer.num_embeddings, quantizer.embedding_dim, hidden=32, blocks=0,
                                 quantizer=quantizer)
        self.steps, self.records = steps, []
        self._source = fit(self.model, crops(photographs(), 8, 32, generator=torch.Generator().manual_seed(seed)),
                           steps=steps, lr=lr, optimizer="adam")

    def __iter__(self) -> Iterator[Record]:
        for record in self._source:
            self.records.append(record)
            yield record

    def close(self) -> None:
        """Stop; the model is ready for use."""
        self._source.close()
        self.model.eval()

    def finish(self) -> "SmallRun":
        """Take all the steps that are left."""
        for _ in self:
            pass
        return self

    @cached_property
    def score(self) -> Score:
        """What the finished model does, see `score`."""
        return score(self.model)


def remedied(remedies: Collection[str] = (), num_embeddings: int = WORDS, embedding_dim: int = SIZE
             ) -> VectorQuantizer2:
    """A quantizer with any of the `REMEDIES`, which all can be combined.

    Raises:
        ValueError: a remedy of another name.
    """
    if unknown := set(remedies) - set(REMEDIES):
        raise ValueError(f"expected remedies out of {', '.join(REMEDIES)}, got {', '.join(sorted(unknown))}")
    kind = EMACodebook if "ema" in remedies else Codebook
    codebook = kind(num_embeddings, embedding_dim, kmeans_start="kmeans" in remedies,
                    restart_below=0.1 if "restart" in remedies else 0.0,
                    metric="cosine" if "cosine" in remedies else "euclidean")
    return VectorQuantizer2(num_embeddings, embedding_dim, codebook=codebook,
                            estimator="rotation_trick" if "rotation" in remedies else "straight_through",
                            entropy_weight=0.1 if "entropy" in remedies else 0.0)


def draw_runs(runs: Mapping[str, SmallRun], baseline: str, field: str = "usage") -> list[Axes]:
    """Draw a small panel for each run but the first, its curve over the baseline's.

    Args:
        runs: label -> finished run.
        baseline: the label of the run that every panel shows, dashed.
        field: of `vqlab.Record`; usage is drawn in %.
    """
    shown = [label for label in runs if label != baseline]
    columns = 4
    rows = -(-len(shown) // columns)
    _, grid = plt.subplots(rows, columns, figsize=(6.2, 1.3 * rows), sharex=True, sharey=True, squeeze=False)
    factor = 100 if field == "usage" else 1
    for ax, label in zip(grid.flat, shown, strict=False):
        for name, style in ((baseline, {"color": COLOURS["wrong"], "linestyle": "--", "linewidth": 1}),
                            (label, {"color": COLOURS["data"], "linewidth": 1.4})):
            ax.plot([record.step for record in runs[name].records],
                    [factor * getattr(record, field) for record in runs[name].records], **style)
        ax.set_title(label, fontsize=9)
        ax.tick_params(labelsize=8)
    for ax in grid.flat[len(shown):]:
        ax.set_axis_off()
    grid[0, 0].figure.supxlabel("步 step", fontsize=9)
    grid[0, 0].figure.supylabel("使用率 usage (%)" if field == "usage" else field, fontsize=9)
    return list(grid.flat[:len(shown)])


def draw_entropy_price(scores: Mapping[float, Score]) -> list[Axes]:
    """Draw usage and quality against the weight of the entropy term: weight -> score."""
    _, axes = plt.subplots(1, 3, figsize=(5.8, 1.7))
    labels = [f"{weight:g}" for weight in scores]
    for ax, title, values, colour, marker in zip(axes, (
            "使用率 usage (%)", "猫用的码字 codes on the cat", "峰值信噪比 PSNR (dB)"), (
            [100 * each.usage for each in scores.values()], [each.cat_codes for each in scores.values()],
            [each.psnr for each in scores.values()]), ("codes", "codes", "wrong"), "sso", strict=True):
        ax.plot(labels, values, marker + "-", color=COLOURS[colour])
        ax.set_title(title, fontsize=10)
        ax.margins(y=0.15)
    axes[1].set_xlabel("熵损失的权重 weight of the entropy term")
    return list(axes)


@cache
def photographs() -> dict[str, Tensor]:
    return photos()


@cache
def _cat() -> Tensor:
    return held_out_photo()
