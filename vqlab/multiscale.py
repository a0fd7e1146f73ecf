"""The multi-scale quantizer: a feature map spelled from one token to hundreds, coarse to fine.
多尺度量化器：把一张特征图由粗到细拼写出来，从一个 token 到几百个。

    rest = f, f_hat = 0; for every scale, coarse to fine:
        rest --area, down--> nearest codes: this scale's tokens --bicubic, up--> φ --> h
        f_hat += h, rest -= h

So a scale's tokens are not a small copy of the picture: they say what the coarser scales left over.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqlab.codebook import Codebook
from vqlab.quantizer import ESTIMATORS, Quantized


class Phi(nn.Conv2d):
    """φ(x) = (1 − r) x + r conv3×3(x), (B, D, H, W) -> the same shape: mends what enlarging blurs.
    φ：修补放大时被抹平的细节。

    Args:
        embedding_dim: D.
        ratio: r in [0, 1]; 0 turns φ off.

    Source: Tian et al. (2024), "Visual Autoregressive Modeling", arXiv 2404.02905, section 3.2 and the reference
    implementation, FoundationVision/VAR `models/quant.py`, where r is `quant_resi`. Deviation: the convolution
    starts as the identity, so φ changes nothing before it has learnt what to.
    """

    def __init__(self, embedding_dim: int, ratio: float):
        super().__init__(embedding_dim, embedding_dim, kernel_size=3, padding=1)
        self.ratio = ratio
        nn.init.dirac_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, super().forward(x), self.ratio)


class MultiScaleQuantizer(nn.Module):
    """Residual quantization over scales with one codebook, as VAR defines it.
    VAR 的多尺度残差量化：所有尺度共用一个码本。

        loss = mean over scales k of mean((f_hat_k − sg[f])²) + commitment_weight × mean((sg[f_hat_k] − f)²)

    f_hat_k is the sum after scale k, so every scale answers for the whole map. The first term moves codes and φ
    (with an `EMACodebook` φ alone), the second the encoder.

    Args:
        num_embeddings: K.
        embedding_dim: D.
        patch_nums: the scales, increasing; side n for n × n tokens or a pair (height, width). The last is the
            size of the feature map, which is neither shrunk nor enlarged there.
        commitment_weight: β.
        codebook: by default `Codebook(K, D)`; one `EMACodebook` serves all scales as well: it sees the residuals
            of all scales at once, one observation a training step.
        num_phis: how many φ the scales share: 1 for all alike, 0 for one a scale.
        phi_ratio: r of φ; 0 turns it off.
        estimator, entropy_weight: as for `VectorQuantizer2`; the entropy is that of all scales' vectors together.

    Attributes:
        embedding: the codebook; `embedding.weight` is (K, D).
        sizes: the scales as (height, width).
        num_tokens: L, the tokens of all scales together.
        phis, phi_of_scale: the φ, and for each scale which one it uses.

    Raises:
        ValueError: scales that do not increase, a codebook of another size, a ratio outside [0, 1], an estimator
            of another name, a negative entropy weight.

    Example:
        >>> import torch
        >>> from vqlab import MultiScaleQuantizer
        >>> vq = MultiScaleQuantizer(num_embeddings=16, embedding_dim=8, patch_nums=(1, 2, 4))
        >>> quantized, loss, indices = vq(torch.randn(2, 8, 4, 4))
        >>> quantized.shape, loss.shape, [scale.shape[1] for scale in indices]
        (torch.Size([2, 8, 4, 4]), torch.Size([]), [1, 4, 16])
        >>> vq.var_input(indices).shape  # 4 + 16 vectors: the first scale starts from the class alone
        torch.Size([2, 20, 8])

    Source: as for `Phi`, algorithms 1 and 2. Deviations: non-square maps; runs in one process, and with one scale.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, patch_nums: Sequence[int | tuple[int, int]],
                 commitment_weight: float = 0.25, *, codebook: Codebook | None = None, num_phis: int = 4,
                 phi_ratio: float = 0.5, estimator: str = "straight_through", entropy_weight: float = 0.0):
        super().__init__()
        self.sizes = _sizes(patch_nums)
        self.embedding = Codebook(num_embeddings, embedding_dim) if codebook is None else codebook
        if tuple(self.embedding.weight.shape) != (num_embeddings, embedding_dim):
            raise ValueError(f"expected a codebook of ({num_embeddings}, {embedding_dim}), "
                             f"got {tuple(self.embedding.weight.shape)}")
        if num_phis < 0 or not 0 <= phi_ratio <= 1:
            raise ValueError(f"expected num_phis >= 0 and phi_ratio in [0, 1], got {num_phis} and {phi_ratio}")
        if estimator not in ESTIMATORS:
            raise ValueError(f"expected an estimator out of {', '.join(ESTIMATORS)}, got {estimator!r}")
        if not entropy_weight >= 0:
            raise ValueError(f"expected an entropy_weight of at least 0, got {entropy_weight}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.commitment_weight, self.estimator, self.entropy_weight = commitment_weight, estimator, entropy_weight
        self.num_tokens = sum(height * width for height, width in self.sizes)
        self.phi_of_scale = _phi_of_scale(len(self.sizes), num_phis)
        self.phis = nn.ModuleList(Phi(embedding_dim, phi_ratio) for _ in range(num_phis or len(self.sizes)))
        self.config = dict(num_embeddings=num_embeddings, embedding_dim=embedding_dim, patch_nums=self.sizes,
                           commitment_weight=commitment_weight, num_phis=num_phis, phi_ratio=phi_ratio,
                           estimator=estimator, entropy_weight=entropy_weight)

    @classmethod
    def from_var_state_dict(cls, state_dict: Mapping[str, Tensor], patch_nums: Sequence[int], **settings):
        """A quantizer with the weights of a published VAR tokenizer.

        Args:
            state_dict: `embedding.weight` and `quant_resi.*` under the reference's names, as its quantizer's
                `state_dict()` gives them, or the whole tokenizer's, where `quantize.` stands before them.
            patch_nums: that model's scales; (1, 2, 3, 4, 5, 6, 8, 10, 13, 16) for 256 × 256 pixels.
            settings: other arguments than those that the weights tell.

        Raises:
            ValueError: keys are missing or too many; nothing is loaded.
        """
        ours = {name.removeprefix("quantize."): tensor for name, tensor in state_dict.items()}
        # φ is called quant_resi.qresi if shared, quant_resi.qresi_ls.N if partially, quant_resi.N if one a scale
        phis = {name.removeprefix("quant_resi.").removeprefix("qresi_ls.").replace("qresi.", "0."): tensor
                for name, tensor in ours.items() if name.startswith("quant_resi.")}
        if "embedding.weight" not in ours or not phis:
            raise ValueError(f"expected the keys embedding.weight and quant_resi.*, got {', '.join(ours) or 'none'}")
        number = len(phis) // 2  # a weight and a bias each
        each = any(name.startswith("quant_resi.0.") for name in ours)
        quantizer = cls(*ours["embedding.weight"].shape, patch_nums, num_phis=0 if each else number, **settings)
        wanted = {f"{n}.{part}" for n in range(len(quantizer.phis)) for part in ("weight", "bias")}
        if set(phis) != wanted:
            raise ValueError(f"expected {len(quantizer.phis)} φ with weight and bias for {len(quantizer.sizes)} "
                             f"scales, got {', '.join(name for name in ours if name.startswith('quant_resi.'))}")
        try:
            quantizer.phis.load_state_dict(phis)
        except RuntimeError as error:
            raise ValueError(f"expected φ of {quantizer.embedding_dim} channels: {error}") from error
        with torch.no_grad():
            quantizer.embedding.weight.copy_(ours["embedding.weight"])
        quantizer.embedding.started.fill_(True)
        return quantizer

    def forward(self, f: Tensor) -> Quantized:
        """Quantize a feature map (B, D, H, W), H × W the last of the scales.

        In training mode the codebook also observes the residuals: k-means start, moving averages, restarts.

        Returns:
            (quantized, loss, indices): (B, D, H, W) with gradients straight through to the encoder; a scalar;
            the list of (B, h·w) int64 by scale.

        Raises:
            ValueError: another rank, D or size, an empty batch, or values that are not finite.
        """
        self._check_map(f)
        with torch.autocast(f.device.type, enabled=False):
            target = f.to(self.embedding.weight.dtype)
            if self.training and not self.embedding.has_started():
                self.embedding.start(self._residuals(target.detach()))
            rest, f_hat, loss = target, torch.zeros_like(target), 0.0
            vectors, indices = [], []
            for scale, size in enumerate(self.sizes):
                vectors.append(_rows(_shrink(rest, size)))  # (B·h·w, D)
                indices.append(self.embedding.search(vectors[-1]).view(len(f), -1))
                h = self._enlarge(scale, self.embedding(indices[-1]))
                rest, f_hat = rest - h.detach(), f_hat + h
                loss = loss + F.mse_loss(f_hat, target.detach())
                loss = loss + self.commitment_weight * F.mse_loss(f_hat.detach(), target)
            loss = loss / len(self.sizes)
            if self.entropy_weight:
                loss = loss + self.entropy_weight * self.embedding.entropy_loss(torch.cat(vectors))
            if self.training:
                self.embedding.observe(torch.cat(vectors).detach(), torch.cat([each.flatten() for each in indices]))
            quantized = ESTIMATORS[self.estimator](target, f_hat).to(f.dtype).contiguous()
            return Quantized(quantized, loss, indices)

    @torch.no_grad()
    def encode(self, f: Tensor) -> list[Tensor]:
        """(B, D, H, W) -> the tokens by scale, each (B, h·w) int64; nothing is learnt, whatever the mode."""
        self._check_map(f)
        with torch.autocast(f.device.type, enabled=False):
            rest, indices = f.to(self.embedding.weight.dtype), []
            for scale, size in enumerate(self.sizes):
                indices.append(self.embedding.search(_rows(_shrink(rest, size))).view(len(f), -1))
                rest = rest - self._enlarge(scale, self.embedding(indices[-1]))
            return indices

    def decode(self, idx_Bl: Sequence[Tensor], *, cumulative: bool = False) -> Tensor | list[Tensor]:
        """The feature map that the tokens spell.

        Args:
            idx_Bl: what `encode` returns.
            cumulative: return the list of maps after each scale.

        Returns:
            f_hat, (B, D, H, W).

        Raises:
            TypeError, ValueError: another number of scales or tokens, another dtype, an index outside 0..K−1.
        """
        self._check_indices(idx_Bl)
        maps, f_hat = [], None
        for scale, indices in enumerate(idx_Bl):
            f_hat = self._add(scale, f_hat, indices)
            maps.append(f_hat)
        return maps if cumulative else f_hat

    def var_input(self, idx_Bl: Sequence[Tensor]) -> Tensor:
        """What a next-scale prior reads to predict every scale after the first (teacher forcing).

        The input of scale k is the sum of all coarser scales, shrunk to scale k's size: never its own tokens.

        Returns:
            (B, L − L₀, D) with L₀ the tokens of the first scale; (B, 0, D) for one scale.

        Raises:
            TypeError, ValueError: as `decode`.
        """
        self._check_indices(idx_Bl)
        inputs, f_hat = [], None
        for scale, indices in enumerate(idx_Bl):  # the last scale gives an empty input
            f_hat, following = self._step(scale, f_hat, indices)
            inputs.append(following)
        return torch.cat(inputs, dim=1)

    def next_input(self, scale: int, f_hat: Tensor | None, indices: Tensor) -> tuple[Tensor, Tensor]:
        """One step of decoding while the tokens are being generated, scale by scale; changes no argument.

        Args:
            scale: 0, 1, …, of these indices.
            f_hat: (B, D, H, W), the sum before this scale; None at the first.
            indices: (B, h·w) int64, this scale's tokens.

        Returns:
            (f_hat, input): the sum after this scale, and what a prior reads for the next, (B, h'·w', D), equal
            to `var_input`'s part; after the last scale (B, 0, D).

        Raises:
            TypeError, ValueError: a scale, shape, dtype or index that does not exist.
        """
        if not 0 <= scale < len(self.sizes) or (scale == 0) != (f_hat is None):
            raise ValueError(f"expected a scale in 0..{len(self.sizes) - 1}, with f_hat=None at scale 0 and only "
                             f"there, got scale {scale} and f_hat {'None' if f_hat is None else tuple(f_hat.shape)}")
        self._check_scale(scale, indices)
        if f_hat is not None:
            self._check_map(f_hat)
            if len(f_hat) != len(indices):
                raise ValueError(f"expected f_hat and indices of one batch size, got {len(f_hat)} and {len(indices)}")
        return self._step(scale, f_hat, indices)

    def _step(self, scale: int, f_hat: Tensor | None, indices: Tensor) -> tuple[Tensor, Tensor]:
        f_hat = self._add(scale, f_hat, indices)
        if scale + 1 == len(self.sizes):
            return f_hat, f_hat.new_empty(len(indices), 0, self.embedding_dim)
        return f_hat, _shrink(f_hat, self.sizes[scale + 1]).flatten(2).transpose(1, 2)

    def _add(self, scale: int, f_hat: Tensor | None, indices: Tensor) -> Tensor:
        with torch.autocast(indices.device.type, enabled=False):
            h = self._enlarge(scale, self.embedding(indices))
            return h if f_hat is None else f_hat + h

    def _enlarge(self, scale: int, codes: Tensor) -> Tensor:
        """Codes of a scale (B, h·w, D) -> what they add to the map, (B, D, H, W)."""
        small = codes.transpose(1, 2).unflatten(2, self.sizes[scale])  # (B, D, h, w)
        if self.sizes[scale] != self.sizes[-1]:
            small = F.interpolate(small, self.sizes[-1], mode="bicubic")
        return self.phis[self.phi_of_scale[scale]](small)

    @torch.no_grad()
    def _residuals(self, f: Tensor) -> Tensor:
        """The vectors of all scales, (B·L, D), if each were its own code: what k-means starts from."""
        rest, vectors = f, []
        for scale, size in enumerate(self.sizes):
            small = _shrink(rest, size)
            vectors.append(_rows(small))
            rest = rest - self._enlarge(scale, small.flatten(2).transpose(1, 2))
        return torch.cat(vectors)

    def _check_map(self, f: Tensor) -> None:
        expected = (self.embedding_dim, *self.sizes[-1])
        if f.ndim != 4 or tuple(f.shape[1:]) != expected or len(f) == 0:
            raise ValueError(f"expected (B, {', '.join(map(str, expected))}), not empty, with the last scale's "
                             f"height and width, got {tuple(f.shape)}")

    def _check_indices(self, idx_Bl: Sequence[Tensor]) -> None:
        if not isinstance(idx_Bl, (list, tuple)) or len(idx_Bl) != len(self.sizes):
            got = f"{len(idx_Bl)} entries" if isinstance(idx_Bl, (list, tuple)) else type(idx_Bl).__name__
            raise ValueError(f"expected a list of {len(self.sizes)} scales' tokens, got {got}")
        for scale, indices in enumerate(idx_Bl):
            self._check_scale(scale, indices)
        if len({len(indices) for indices in idx_Bl}) > 1:
            raise ValueError(f"expected one batch size in all scales, got {[len(indices) for indices in idx_Bl]}")

    def _check_scale(self, scale: int, indices: Tensor) -> None:
        height, width = self.sizes[scale]
        if not isinstance(indices, Tensor) or indices.dtype != torch.int64:
            got = getattr(indices, "dtype", type(indices).__name__)
            raise TypeError(f"expected int64 indices at scale {scale}, got {got}")
        if indices.ndim != 2 or indices.shape[1] != height * width or len(indices) == 0:
            raise ValueError(f"expected indices (B, {height * width}) at scale {scale}, not empty, "
                             f"got {tuple(indices.shape)}")
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= self.num_embeddings:
            raise ValueError(f"expected indices in 0..{self.num_embeddings - 1} at scale {scale}, got {low}..{high}")


def _shrink(f: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, D, H, W) -> (B, D, *size), each value the mean of its area; the whole map as it is."""
    return f if tuple(f.shape[2:]) == size else F.interpolate(f, size, mode="area")


def _rows(f: Tensor) -> Tensor:
    """(B, D, h, w) -> (B·h·w, D)."""
    return f.permute(0, 2, 3, 1).reshape(-1, f.shape[1])


def _sizes(patch_nums: Sequence[int | tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """(1, 2, …) or ((1, 1), (2, 3), …) -> ((height, width), …), checked."""
    try:
        sizes = tuple((int(n), int(n)) if np.ndim(n) == 0 else tuple(int(side) for side in n) for n in patch_nums)
    except (TypeError, ValueError):
        sizes = ()
    increasing = all(a[0] <= b[0] and a[1] <= b[1] and a != b for a, b in pairwise(sizes) if len(a) == len(b) == 2)
    if not sizes or any(len(size) != 2 or min(size) < 1 for size in sizes) or not increasing:
        raise ValueError("expected patch_nums to be increasing sides such as (1, 2, 4), or (height, width) pairs, "
                         f"from 1 up, got {patch_nums!r}")
    return sizes


def _phi_of_scale(num_scales: int, num_phis: int) -> list[int]:
    """Which φ each scale uses: the one whose tick is nearest the scale's place between 0 and 1."""
    if num_phis == 0:
        return list(range(num_scales))
    edge = 1 / 3 / num_phis if num_phis == 4 else 1 / 2 / num_phis  # the reference's ticks
    ticks = np.linspace(edge, 1 - edge, num_phis)
    return [int(np.argmin(np.abs(ticks - scale / max(num_scales - 1, 1)))) for scale in range(num_scales)]
