"""What remains after each scale, learnt or not, with φ or without, and why shrinking does not undo enlarging."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.codebook import EMACodebook
from vqlab.multiscale import MultiScaleQuantizer

MARKERS = ("o", "s", "^", "D")  # beside the colour, for those who don't see it


def random_quantizer(num_embeddings: int, embedding_dim: int, patch_nums: Sequence[int], *,
                     generator: torch.Generator, zero_code: bool = False) -> MultiScaleQuantizer:
    """A quantizer that has learnt nothing: normal random codes, φ off; ``zero_code`` makes code 0 the zero vector."""
    quantizer = MultiScaleQuantizer(num_embeddings, embedding_dim, patch_nums, phi_ratio=0.0).eval()
    weight = torch.randn(num_embeddings, embedding_dim, generator=generator)
    if zero_code:
        weight[0] = 0
    with torch.no_grad():
        quantizer.embedding.weight.copy_(weight)
    return quantizer


@torch.no_grad()
def errors_by_scale(quantizer: MultiScaleQuantizer, f: Tensor) -> list[float]:
    """The share of mean f² (B, D, H, W) that is wrong after 0, 1, … S scales; above 1: worse than nothing at all."""
    maps = quantizer.decode(quantizer.encode(f), cumulative=True)
    return [1.0, *((f - f_hat).square().mean().div(f.square().mean()).item() for f_hat in maps)]


def fit_quantizer(features: Tensor, patch_nums: Sequence[int], *, num_embeddings: int = 512, phi_ratio: float = 0.5,
                  steps: int = 100, seed: int = 0) -> MultiScaleQuantizer:
    """Fit a codebook (EMA) and φ (Adam) to features that stay as they are: the encoder is not trained along.

    Args:
        features: (B, D, H, W), of which 8 are drawn a step.
        patch_nums: the scales.
        num_embeddings: K.
        phi_ratio: r of φ, 0 for none; all else is drawn alike.
        steps: of training.
        seed: of the k-means start and the draws; torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        dim = features.shape[1]
        codebook = EMACodebook(num_embeddings, dim, kmeans_start=True, restart_below=0.03)
        quantizer = MultiScaleQuantizer(num_embeddings, dim, patch_nums, codebook=codebook, phi_ratio=phi_ratio)
        quantizer.to(features.device).train()
        optimizer = torch.optim.Adam(quantizer.phis.parameters(), lr=3e-3)
        draw = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            loss = quantizer(features[torch.randint(len(features), (8,), generator=draw)]).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return quantizer.eval()


def draw_gain(gain: Sequence[float], patch_nums: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw which share of the error, 0 to 1, is removed after each scale, with the per cent on each bar."""
    ax = ax or plt.subplots(figsize=(4.6, 2.2))[1]
    bars = ax.bar(range(len(gain)), [100 * share for share in gain], width=0.6, color=COLOURS["data"])
    ax.bar_label(bars, [f"{100 * share:.0f} %".replace("-", "−") for share in gain])
    ax.axhline(0, color=COLOURS["black"], linewidth=1)
    ax.set(xticks=range(len(patch_nums)), xticklabels=[f"{n} × {n}" for n in patch_nums], xlabel="尺度 scale",
           ylabel="少的误差 less error (%)")
    ax.margins(y=0.2)
    return ax


def draw_errors(curves: Mapping[str, Sequence[float]], patch_nums: Sequence[int], ax: Axes | None = None) -> Axes:
    """Draw what remains after each scale, a curve each; the line at 1 is a map of zeros."""
    ax = ax or plt.subplots(figsize=(6.8, 2.2))[1]
    for (label, values), marker in zip(curves.items(), MARKERS, strict=False):
        ax.plot(range(len(values)), values, marker=marker, label=label)
    ax.axhline(1, color=COLOURS["dead"], linestyle=":", linewidth=1.5)
    ax.set(xticks=range(len(patch_nums) + 1), xticklabels=["0", *(f"{n} × {n}" for n in patch_nums)],
           xlabel="写到哪个尺度 written up to this scale", ylabel="还剩的份额 share left", ylim=0)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=10)
    return ax


def draw_spread(size: int = 4, full: int = 16, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw one token of 1 among zeros, enlarged (bicubic) and shrunk again (area), with the extreme values."""
    axes = plt.subplots(1, 3, figsize=(5, 2))[1] if axes is None else axes
    states = impulse(size, full)
    for ax, (state, title) in zip(axes, zip(states, ("一格 one cell", "放大 enlarged", "再缩小 shrunk again"),
                                            strict=True), strict=True):
        ax.imshow(state.numpy(), cmap="PuOr_r", vmin=-1, vmax=1)
        ax.set_title(f"{title}\n{state.min():.3f} … {state.max():.3f}".replace("-", "−"))
        ax.set_axis_off()
    return list(axes)


def impulse(size: int, full: int) -> list[Tensor]:
    """One token of 1 among zeros: (size, size), enlarged to (full, full), shrunk back to (size, size)."""
    small = torch.zeros(1, 1, size, size)
    small[..., size // 2, size // 2] = 1
    large = F.interpolate(small, (full, full), mode="bicubic")
    return [each[0, 0] for each in (small, large, F.interpolate(large, (size, size), mode="area"))]
