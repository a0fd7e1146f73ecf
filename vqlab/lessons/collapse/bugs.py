"""Two famous moving averages with a bug each, and how to see it."""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from vqlab.codebook import Codebook, EMACodebook


class UndebiasedEMA(EMACodebook):
    """A moving average as a well-known notebook has it: the sums start as noise of their own, the counts at zero.

    Every code is m / n with n smoothed, (n + ε) / (Σn + Kε) · Σn. A code that nobody chose has m = λ · noise and n
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
    """How long codes are that nobody chose, after one step of their moving average; before, all had this length.

    So that lengths compare, an `UndebiasedEMA` has its sums start at the codes here.
    """
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


def draw_dead(counts: Mapping[str, list[int]], ax: Axes | None = None) -> Axes:
    """Draw how many codes are dead, step by step: label -> counts."""
    ax = plt.subplots(figsize=(4.6, 2))[1] if ax is None else ax
    for (label, numbers), style in zip(counts.items(), ("--", "-", ":"), strict=False):
        ax.plot(range(1, len(numbers) + 1), numbers, style, label=label)
    ax.set(xlabel="步 step", ylabel="没人选的码字\nunused codes", ylim=(-3, None))
    ax.legend(fontsize=9)
    return ax
