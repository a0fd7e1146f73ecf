"""Codebooks that die, and what revives them: small trainings, two famous bugs, and where the codes are."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, cached_property
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor, nn

from vqlab.classroom.figures import COLOURS, STYLE, png
from vqlab.classroom.font import register_font
from vqlab.classroom.training import PREVIEW_SECONDS, TrainingPanel
from vqlab.classroom.widget import LessonWidget
from vqlab.codebook import Codebook, EMACodebook
from vqlab.data import crops, held_out_photo, photos
from vqlab.metrics import perplexity, psnr, usage
from vqlab.quantizer import VectorQuantizer2
from vqlab.train import Record, fit
from vqlab.vqvae import SimpleVQVAE

STEPS = 80  # of a small training
WORDS, SIZE = 256, 8  # K and D of a small training
SCORED = 64  # crops in a batch that `score` looks at
SHOWN = 250  # encoder outputs on the plane
CHUNK_SECONDS = 0.1  # of training between two pictures of `RemedyBench`
SPAN = 3.2  # the plane reaches so many standard deviations of the encoder's outputs

REMEDIES = {  # name -> what a learner reads
    "kmeans": ("k-means 起点", "k-means start"),
    "ema": ("滑动平均", "EMA"),
    "restart": ("复活死码字", "restart"),
    "cosine": ("余弦搜索", "cosine search"),
    "rotation": ("旋转技巧", "rotation trick"),
    "entropy": ("熵损失", "entropy term"),
}


class Score(NamedTuple):
    """What a model does with crops of the training photographs that were drawn for this, and with the cat.

    Attributes:
        usage: the fraction of the codes that the crops use, 0 to 1.
        perplexity: of the crops' words.
        psnr: of the crops, dB.
        cat_codes: how many codes the held-out cat uses.
        cat_psnr: of the cat, dB.
    """

    usage: float
    perplexity: float
    psnr: float
    cat_codes: int
    cat_psnr: float

    def __str__(self) -> str:
        return (f"使用率 usage {100 * self.usage:5.1f} %   困惑度 perplexity {self.perplexity:5.1f}   "
                f"{self.psnr:.1f} dB   猫 cat: {self.cat_codes} 个码字 codes, {self.cat_psnr:.1f} dB")


@torch.no_grad()
def score(model: SimpleVQVAE, batches: int = 1, size: int = 64) -> Score:
    """Look at ``batches`` × 64 crops, always the same ones, and at the cat.

    Args:
        model: in evaluation mode, on any device.
        batches: of 64 crops; with `size` 64, one is 16 384 words.
        size: side of a crop in pixels. Small ones give a higher perplexity: words near a border are others.
    """
    device = next(model.parameters()).device
    source = crops(_photographs(), SCORED, size, generator=torch.Generator().manual_seed(1))
    decibels, words = [], []
    for _ in range(batches):
        images = next(source).to(device)
        output, _, indices = model(images)
        decibels.append(psnr(output, images).mean().item())
        words.append(indices)
    cat = _cat().to(device)
    output, _, indices = model(cat)
    words = torch.cat(words)
    return Score(usage(words, model.vocab_size).item(), perplexity(words, model.vocab_size).item(),
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
        self._source = fit(self.model, crops(_photographs(), 8, 32, generator=torch.Generator().manual_seed(seed)),
                           steps=steps, lr=lr)

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


class UndebiasedEMA(EMACodebook):
    """A moving average as a well-known notebook has it: the sums start at the codes, the counts at zero.

    Every code is m / n with n smoothed, (n + ε) / (Σn + Kε) · Σn. A code that nobody chose has m = λ · code and n
    of about ε = 1e-5: it is thrown some 100 000 times as far away.

    Source: zalandoresearch/pytorch-vq-vae, `VectorQuantizerEMA`.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, **settings):
        super().__init__(num_embeddings, embedding_dim, **settings)
        self.weight.data.normal_()
        self.embed_sum.normal_()

    def _learn(self, sums: Tensor) -> None:
        self.embed_sum.lerp_(sums, 1 - self.decay)
        total = self.cluster_size.sum()
        smoothed = (self.cluster_size + 1e-5) / (total + self.num_embeddings * 1e-5) * total
        self.weight.copy_(self.embed_sum / smoothed[:, None])


class NoOpRestart(UndebiasedEMA):
    """A restart that does nothing: it writes the codebook, but the averages overwrite it in the same step.

    The sums start at the codes themselves.

    Source: facebookresearch/encodec, `quantization/core_vq.py`, `EuclideanCodebook.forward` (issue 61). Deviation:
    dead is a share of the vectors, as in `Codebook`, not a fixed count.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, **settings):
        super().__init__(num_embeddings, embedding_dim, **settings)
        self.embed_sum.copy_(self.weight)

    @torch.no_grad()
    def observe(self, z: Tensor, indices: Tensor) -> None:
        """Restart, then learn: in this order, and without the sums."""
        share = self.cluster_size.sum() / self.num_embeddings
        dead = (self.cluster_size <= self.restart_below * share).nonzero().squeeze(1)
        self.weight[dead] = z[torch.randint(len(z), (len(dead),))]
        super().observe(z, indices)

    def _restart(self, dead: Tensor, vectors: Tensor, size: Tensor) -> None:
        pass  # it has been done, it thinks


def unused_length(kind: type[Codebook], length: float = 8.0) -> float:
    """How long codes are that nobody chose, after one step of their moving average; before, all had this length."""
    torch.manual_seed(0)
    codebook = kind(512, 64)
    with torch.no_grad():
        codebook.weight.mul_(length / codebook.weight.norm(dim=1, keepdim=True))
        if isinstance(codebook, UndebiasedEMA):
            codebook.embed_sum.copy_(codebook.weight)
    codebook.observe(torch.randn(4096, 64), torch.zeros(4096, dtype=torch.int64))
    return codebook.weight[1:].norm(dim=1).mean().item()


def dead_counts(codebook: Codebook, batches: Iterable[Tensor]) -> list[int]:
    """How many codes nobody chose, step by step, while the codebook learns from batches of vectors (N, D)."""
    counts = []
    for z in batches:
        indices = codebook.search(z)
        codebook.observe(z, indices)
        counts.append(codebook.num_embeddings - len(indices.unique()))
    return counts


class CodesPlane(NamedTuple):
    """Encoder outputs and codes on the plane of the outputs' two widest directions, in standard deviations.

    Attributes:
        z_e: (250, 2), some of the outputs.
        codes: (K, 2).
        used: (K,) bool, whether any of all the outputs chose the code.
        words: how many outputs these are.
        axes: (D, 2) the directions, to be handed to the next call: then the plane does not flip.
    """

    z_e: Tensor
    codes: Tensor
    used: Tensor
    words: int
    axes: Tensor


@torch.no_grad()
def codes_plane(model: SimpleVQVAE, axes: Tensor | None = None) -> CodesPlane:
    """Where the encoder puts pieces of the photographs, and where the codes are."""
    images = _shown().to(next(model.parameters()).device)
    z = model.encoder(images)
    indices = model.quantize.encode(z).flatten()
    codes = model.quantize.codebook if hasattr(model.quantize, "codebook") else model.quantize.embedding.weight
    if hasattr(model.quantize, "bound"):  # FSQ: its codes lie where bounded numbers are
        z = (model.quantize.bound(z) / (model.quantize.levels // 2)).permute(0, 3, 1, 2)
    z, codes = z.permute(0, 2, 3, 1).flatten(0, 2).double().cpu(), codes.detach().double().cpu()
    centred = z - z.mean(dim=0)
    found = torch.linalg.eigh(centred.T @ centred / len(z))[1][:, -2:].flip(1)  # (D, 2)
    if axes is not None:  # an eigenvector's sign is arbitrary
        found = found * torch.where((found * axes).sum(dim=0) < 0, -1.0, 1.0)
    spread = (centred @ found).std(dim=0).clamp(min=1e-9)
    used = torch.zeros(len(codes), dtype=torch.bool).index_fill_(0, indices.cpu(), True)
    chosen = torch.linspace(0, len(z) - 1, SHOWN).long()
    return CodesPlane(((centred @ found) / spread)[chosen].float(),
                      ((codes - z.mean(dim=0)) @ found / spread).float(), used, len(z), found)


def draw_codes(plane: CodesPlane, ax: Axes | None = None, **legend: Any) -> Axes:
    """Draw encoder outputs (orange dots), used codes (green squares) and unused ones (grey crosses).

    Codes beyond the edge are drawn on it. The legend says how many words were counted; ``legend`` are settings of
    `Axes.legend` for another place or size.
    """
    ax = plt.subplots(figsize=(3.4, 3.4))[1] if ax is None else ax
    codes = plane.codes.clamp(-SPAN, SPAN)
    ax.plot(*plane.z_e.clamp(-SPAN, SPAN).T, ".", color=COLOURS["z_e"], markersize=3, alpha=0.6, label="z_e")
    ax.plot(*codes[~plane.used].T, "x", color=COLOURS["dead"], markersize=5,
            label=f"没人选 unused: {int((~plane.used).sum())}")
    ax.plot(*codes[plane.used].T, "s", color=COLOURS["codes"], markersize=4.5, markeredgecolor="white",
            markeredgewidth=0.5, label=f"有人选 used: {int(plane.used.sum())}")
    ax.set(xlim=(-SPAN * 1.05, SPAN * 1.05), ylim=(-SPAN * 1.05, SPAN * 1.05), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(True)
    ax.legend(**{"loc": "upper center", "bbox_to_anchor": (0.5, 0), "ncols": 2, "title": f"{plane.words} 个词 words",
                 "title_fontsize": 8, "fontsize": 8, "handletextpad": 0.2, "columnspacing": 1} | legend)
    return ax


def codes_picture(model: SimpleVQVAE) -> np.ndarray:
    """The plane of `draw_codes` as an image, uint8 (H, W, 3), for a `TrainingPanel`'s preview."""
    register_font()
    was_training = model.training
    with mpl.rc_context({**STYLE, "figure.dpi": 160}):
        fig = Figure(figsize=(2, 2.3))
        canvas = FigureCanvasAgg(fig)
        draw_codes(codes_plane(model.eval()), fig.subplots(), bbox_to_anchor=(0.5, 0.02), ncols=1,
                   title_fontsize=7, fontsize=7, labelspacing=0.3)
        canvas.draw()
        model.train(was_training)
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


class CollapsePanel(TrainingPanel):
    """A `TrainingPanel` of usage and perplexity, with the plane of `draw_codes` as its preview.

    Args:
        title_zh: the title, in Chinese.
        title_en: the same in English.
        end: of the x axis, in steps or seconds.
    """

    def __init__(self, title_zh: str, title_en: str, end: float):
        series = {"usage": ("使用率", "usage"), "perplexity": ("困惑度", "perplexity")}
        super().__init__(title_zh, title_en, end, series, ("码字在哪儿", "where the codes are"))
        self.alt_zh += "右边的平面：橙点是编码器的输出，绿方块是有人选的码字，灰叉没人选。"
        self.alt_en += (" On the plane at the right, orange dots are encoder outputs, green squares codes in use, "
                        "grey crosses unused ones.")

    def watch_codes(self, model: SimpleVQVAE, records: Iterable[Record], x: str = "seconds") -> Iterator[Record]:
        """`watch`, and look where the model's codes are: often in a short training, every few seconds in a minute."""
        return self.watch(records, x, preview=lambda: codes_picture(model),
                          preview_seconds=PREVIEW_SECONDS if x == "seconds" else 0.7)


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
    _, grid = plt.subplots(rows, columns, figsize=(6.6, 1.45 * rows), sharex=True, sharey=True, squeeze=False)
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


def draw_dead(counts: Mapping[str, list[int]], ax: Axes | None = None) -> Axes:
    """Draw how many codes are dead, step by step: label -> counts."""
    ax = plt.subplots(figsize=(5, 2.2))[1] if ax is None else ax
    for (label, numbers), style in zip(counts.items(), ("--", "-", ":"), strict=False):
        ax.plot(range(1, len(numbers) + 1), numbers, style, label=label)
    ax.set(xlabel="步 step", ylabel="没人选的码字\nunused codes", ylim=(-3, None))
    ax.legend(fontsize=9)
    return ax


def draw_entropy_price(scores: Mapping[float, Score]) -> list[Axes]:
    """Draw usage and quality against the weight of the entropy term: weight -> score."""
    _, axes = plt.subplots(1, 3, figsize=(7.4, 2.1))
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


class RemedyBench(LessonWidget):
    """Tick remedies, run, watch: a small training in front of the reader, beside those that went before.

    The page asks for a tenth of a second of training at a time, so Stop is heard at once.

    Args:
        runs: label (Chinese, English) -> finished run, listed from the start.
        steps: of a run started here.
    """

    script = "collapse.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    alt_zh = "勾选补救办法并运行：使用率、困惑度和分贝随步数变化的曲线，码字在平面上的位置，以及每次运行的成绩。"
    alt_en = ("Tick remedies and run: usage, perplexity and decibels over the steps, where the codes are on a plane, "
              "and each run's results.")

    def __init__(self, runs: Mapping[tuple[str, str], SmallRun], *, steps: int = STEPS):
        self.steps, self.run, self.running = steps, None, False
        self.rows = [{"label": list(label), **run.score._asdict()} for label, run in runs.items()]
        super().__init__()
        self.setup = {"steps": steps, "words": WORDS, "span": SPAN, "alt": f"{self.alt_zh} {self.alt_en}",
                      "remedies": [[name, *text] for name, text in REMEDIES.items()],
                      "before": [_curve(run.records) for run in runs.values()]}
        last = list(runs.values())[-1]
        self.shown = codes_plane(last.model)
        self.answer = self._answer("ready", 0, _curve(last.records))
        self.on_msg(self._asked)

    def start(self, remedies: Collection[str]) -> None:
        """Begin a run with these remedies; `advance` trains it."""
        self.chosen = [name for name in REMEDIES if name in remedies]
        self.run, self.shown = SmallRun(lambda: remedied(remedies), steps=self.steps), None
        self._records, self.running = iter(self.run), True

    def advance(self, seconds: float = CHUNK_SECONDS) -> bool:
        """Train a little; returns whether the run is over."""
        until = time.monotonic() + seconds
        for _ in self._records:
            if time.monotonic() >= until:
                break
        over = len(self.run.records) >= self.steps
        if over:
            self.stop()
        return over

    def stop(self) -> None:
        """End the run, early or not, and write its results down."""
        self.run.close()
        self.running = False
        names = [REMEDIES[name] for name in self.chosen] or [("没有补救", "no remedy")]
        label = ["、".join(zh for zh, _ in names), ", ".join(en for _, en in names)]
        self.rows.append({"label": label, "steps": len(self.run.records), **self.run.score._asdict()})

    def _asked(self, _, content: dict[str, Any], buffers) -> None:
        request, state = content["request"], "running"
        try:
            if "start" in content:
                self.start(content["start"])
            if not self.running:  # asked twice: it is over
                state = self.answer["state"]
            elif content.get("stop"):
                state = "stopped"
                self.stop()
            elif self.advance():
                state = "finished"
            model = self.run.model
            training = model.training
            self.shown = codes_plane(model.eval(), None if self.shown is None else self.shown.axes)
            model.train(training)
            self.answer = self._answer(state, request, _curve(self.run.records))
        except Exception as error:  # the learner reads it, and the widget goes on
            self.answer = {**self.answer, "state": "failed", "request": request,
                           "error": f"{type(error).__name__}: {error}"}

    def _answer(self, state: str, request: int, curve: list) -> dict[str, Any]:
        return {"state": state, "request": request, "curve": curve, "rows": self.rows,
                "z_e": _rounded(self.shown.z_e), "codes": _rounded(self.shown.codes.clamp(-SPAN, SPAN)),
                "used": self.shown.used.int().tolist()}

    def picture(self) -> bytes:
        """Return the last run's curve, its plane and all results as PNG."""
        register_font()
        with mpl.rc_context(STYLE):
            fig = Figure(figsize=(6.4, 2.5))
            left, right = fig.subplots(1, 2, width_ratios=[1.6, 1])
            curve = np.array(self.answer["curve"])
            for before in self.setup["before"]:
                left.plot(*np.array(before).T[:2], color=COLOURS["dead"], linewidth=0.8)
            left.plot(curve[:, 0], curve[:, 1], color=COLOURS["data"])
            left.set(xlabel="步 step", title="使用率 usage (%)", ylim=(0, 103))
            draw_codes(self.shown, right)
            return png(fig)


def _curve(records: list[Record]) -> list[list[float]]:
    """Rows of step, usage in %, perplexity, dB; at most about 60 of them, each the mean of its steps."""
    size = max(1, len(records) // 60)
    groups = [records[start:start + size] for start in range(0, len(records), size)]
    return [[group[-1].step, *(round(float(np.mean([getattr(record, name) for record in group])) * factor, 2)
                               for name, factor in (("usage", 100), ("perplexity", 1), ("psnr", 1)))]
            for group in groups]


def _rounded(points: Tensor) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in points.tolist()]


@cache
def _photographs() -> dict[str, Tensor]:
    return photos()


@cache
def _cat() -> Tensor:
    return held_out_photo()


@cache
def _shown() -> Tensor:
    return next(crops(_photographs(), 16, 32, generator=torch.Generator().manual_seed(2)))
