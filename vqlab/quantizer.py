"""The quantizer: every vector of a feature map becomes the nearest code of the codebook.
量化器：特征图上的每个向量，换成码本里离它最近的码字。

    z_e (B, D, H, W) --search--> indices (B·H·W,) --codebook--> z_q (B, D, H, W) --straight_through--> quantized
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqlab.codebook import Codebook, EMACodebook


def straight_through(z_e: Tensor, z_q: Tensor) -> Tensor:
    """The value of z_q with the gradient of z_e: z_e + sg[z_q − z_e], where sg stops the gradient.
    前向取 z_q 的值，反向把梯度原样交给 z_e；sg 表示停止梯度。

    The choice of a code is a step function, whose slope is zero almost everywhere; this estimator copies the
    gradient past it as if the quantizer were the identity. The sum rounds, so the value equals z_q to about
    1e-7 relative in float32.

    Args:
        z_e: what the encoder said, any shape.
        z_q: its code vectors, the same shape; no gradient reaches them from here.

    Source: Bengio et al. (2013), arXiv 1308.3432; van den Oord et al. (2017), arXiv 1711.00937, section 3.2.
    """
    return z_e + (z_q - z_e).detach()


def rotation_trick(z_e: Tensor, z_q: Tensor, dim: int = 1) -> Tensor:
    """The value of z_q with the gradient of z_e turned and scaled as z_e itself is: (‖z_q‖ / ‖z_e‖) R z_e.
    前向取 z_q 的值；反向的梯度随 z_e 到 z_q 的旋转和缩放一起变化。

    R is the rotation that takes the direction of z_e to that of z_q in their common plane; R and the scale are
    held constant in the backward pass, so this is another estimator, not the true gradient. Where z_e is zero
    there is no direction to turn, and no gradient passes.

    Args:
        z_e: what the encoder said, any shape.
        z_q: its code vectors, the same shape; no gradient reaches them from here.
        dim: the axis of length D along which a vector lies.

    Source: Fifty et al. (2024), "Restructuring Vector Quantization with the Rotation Trick", arXiv 2410.06424,
    section 4.2, R x = x − 2 r (r·x) + 2 q (e·x) with unit e, q and r = (e + q) / ‖e + q‖.
    """
    with torch.no_grad():
        e, q = F.normalize(z_e, dim=dim), F.normalize(z_q, dim=dim)
        r = F.normalize(e + q, dim=dim)  # opposite directions: r = 0, and the other two terms do the work
        scale = z_q.norm(dim=dim, keepdim=True) / z_e.norm(dim=dim, keepdim=True).clamp(min=1e-12)
    rotated = z_e - 2 * r * (r * z_e).sum(dim, keepdim=True) + 2 * q * (e * z_e).sum(dim, keepdim=True)
    rotated = scale * rotated
    return rotated + (z_q - rotated).detach()  # exact for z_e = 0 too


# How the decoder's gradient gets past the choice of a code: name -> function (z_e, z_q) on (B, D, H, W).
ESTIMATORS = {"straight_through": straight_through, "rotation_trick": rotation_trick}


class Quantized(NamedTuple):
    """What a quantizer returns; unpacks as `quantized, loss, indices = ...`.

    Attributes:
        quantized: (B, D, H, W) code vectors, with gradients straight through to the encoder.
        loss: scalar, codebook loss + commitment_weight × commitment loss.
        indices: (B·H·W,) int64, picture by picture, row by row.
    """

    quantized: Tensor
    loss: Tensor
    indices: Tensor


class VectorQuantizer2(nn.Module):
    """Replaces each D-dimensional vector of a feature map by its nearest code vector.
    把特征图上的每个 D 维向量换成最近的码字。

        loss = mean((sg[z_e] − z_q)²) + commitment_weight × mean((z_e − sg[z_q])²)

    The first term, the codebook loss, moves the codes to the encoder's outputs; the second, the commitment loss,
    holds the encoder to its codes. Both are means over all elements; the paper's ‖·‖² sums over D.
    第一项（码本损失）把码字拉向编码器的输出；第二项（承诺损失）让编码器守住自己选的码字。两项都对所有元素取平均。

    Args:
        num_embeddings: K, the number of code vectors.
        embedding_dim: D, the length of each.
        commitment_weight: β of the paper, which uses 0.25.
        codebook: the codes themselves, by default `Codebook(K, D)`; with an `EMACodebook` the first term is
            left out, since no gradient moves those codes.
        estimator: "straight_through" or "rotation_trick", the functions of these names.
        entropy_weight: times `entropy_loss` is added to the loss; 0 computes nothing.

    Attributes:
        embedding: the codebook; `embedding.weight` is (K, D).

    Raises:
        ValueError: the codebook's size is not (K, D), an estimator of another name, a negative entropy weight.

    Example:
        >>> import torch
        >>> from vqlab import VectorQuantizer2
        >>> vq = VectorQuantizer2(num_embeddings=16, embedding_dim=64)
        >>> quantized, loss, indices = vq(torch.randn(1, 64, 8, 8))
        >>> quantized.shape, loss.shape, indices.shape, indices.dtype
        (torch.Size([1, 64, 8, 8]), torch.Size([]), torch.Size([64]), torch.int64)

    Source: van den Oord et al. (2017), arXiv 1711.00937, equation 3. Deviation: commitment_weight defaults to 1.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, commitment_weight: float = 1.0, *,
                 codebook: Codebook | None = None, estimator: str = "straight_through",
                 entropy_weight: float = 0.0):
        super().__init__()
        self.embedding = Codebook(num_embeddings, embedding_dim) if codebook is None else codebook
        if tuple(self.embedding.weight.shape) != (num_embeddings, embedding_dim):
            raise ValueError(f"expected a codebook of ({num_embeddings}, {embedding_dim}), "
                             f"got {tuple(self.embedding.weight.shape)}")
        if estimator not in ESTIMATORS:
            raise ValueError(f"expected an estimator out of {', '.join(ESTIMATORS)}, got {estimator!r}")
        if not entropy_weight >= 0:
            raise ValueError(f"expected an entropy_weight of at least 0, got {entropy_weight}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.commitment_weight, self.estimator, self.entropy_weight = commitment_weight, estimator, entropy_weight
        self.config = dict(num_embeddings=num_embeddings, embedding_dim=embedding_dim,
                           commitment_weight=commitment_weight, estimator=estimator, entropy_weight=entropy_weight)

    def forward(self, z_e: Tensor) -> Quantized:
        """Quantize a feature map (B, D, H, W).

        In training mode the codebook also observes the batch: k-means start, moving averages, restarts.

        Raises:
            ValueError: another rank or D, an empty map, or values that are not finite.
        """
        flat = self._flatten(z_e)
        if self.training:
            self.embedding.start(flat)
        indices = self.embedding.search(flat)
        z_q = self.embedding(indices.view(len(z_e), *z_e.shape[2:])).permute(0, 3, 1, 2)  # (B, D, H, W)
        loss = self._loss(z_e.float(), z_q.float())
        if self.training:
            self.embedding.observe(flat, indices)
        quantized = ESTIMATORS[self.estimator](z_e, z_q.to(z_e.dtype))
        return Quantized(quantized.contiguous(), loss, indices)

    def encode(self, z_e: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, H, W) int64: the tokens alone; nothing is learnt, whatever the mode."""
        return self.embedding.search(self._flatten(z_e)).view(len(z_e), *z_e.shape[2:])

    def decode(self, indices: Tensor) -> Tensor:
        """(B, H, W) int64 -> (B, D, H, W): the code vectors of a map of tokens.

        Raises:
            TypeError: indices of another dtype.
            ValueError: another rank, or an index outside 0..K−1.
        """
        _check_indices(indices, self.num_embeddings)
        return self.embedding(indices).permute(0, 3, 1, 2).contiguous()

    def _flatten(self, z_e: Tensor) -> Tensor:
        """(B, D, H, W) -> (B·H·W, D), detached: neither search nor statistics carry a gradient."""
        _check_features(z_e, self.embedding_dim)
        return z_e.detach().permute(0, 2, 3, 1).reshape(-1, self.embedding_dim)

    def _loss(self, z_e: Tensor, z_q: Tensor) -> Tensor:
        loss = self.commitment_weight * F.mse_loss(z_e, z_q.detach())
        if self.embedding.learns_by_gradient:
            loss = loss + F.mse_loss(z_q, z_e.detach())
        if self.entropy_weight:
            loss = loss + self.entropy_weight * self.embedding.entropy_loss(z_e.permute(0, 2, 3, 1).flatten(0, 2))
        return loss


class EMAVectorQuantizer(VectorQuantizer2):
    """`VectorQuantizer2` whose codes are moving averages: the default recipe against codebook collapse.
    码字用滑动平均更新的量化器：防止码本坍缩的默认做法。

    The loss is the commitment term alone. K-means start and restart of dead codes are on; dead is a code with less
    than a fifth of the uniform share. The higher that bound, the more codes are in use, where vectors are many; but
    the rare vectors, which cost the most error, lose theirs (`tests/bench/ablation.py`).

    Args:
        num_embeddings: K.
        embedding_dim: D.
        commitment_weight: β of the paper, which uses 0.25.
        codebook: an `EMACodebook(K, D, ...)` with other settings.
        estimator: see `VectorQuantizer2`.
        entropy_weight: see `VectorQuantizer2`; here the term moves the encoder alone.

    Source: see `EMACodebook`.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, commitment_weight: float = 1.0, *,
                 codebook: EMACodebook | None = None, estimator: str = "straight_through",
                 entropy_weight: float = 0.0):
        if codebook is None:
            codebook = EMACodebook(num_embeddings, embedding_dim, kmeans_start=True, restart_below=0.2)
        super().__init__(num_embeddings, embedding_dim, commitment_weight, codebook=codebook, estimator=estimator,
                         entropy_weight=entropy_weight)


class FiniteScalarQuantizer(nn.Module):
    """A codebook without a codebook: each of the D numbers of a vector is squashed and rounded to a few levels.
    没有码本的量化器：向量的每个数先压进区间，再各自舍入到几级；码字就是格点，所以不会坍缩。

        bounded = tanh(z + atanh(o / h)) · h − o,  with h = (L − 1)(1 + ε) / 2,  o = ½ for even L, else 0
        code = round(bounded) / ⌊L / 2⌋, a number in [−1, 1]

    bounded(0) = 0 for every L. For even L the levels are not symmetric: L = 4 gives −1, −½, 0, ½. There is
    nothing to learn and so no loss; the rounding passes gradients straight through. All of it is computed in
    float32, whatever the input or the autocast, so that the indices are right in half precision too.

    Args:
        levels: L of each number, 2 or more; as many as the vector is long.

    Attributes:
        num_embeddings: K, the product of the levels.
        embedding_dim: D, how many levels there are.
        codebook: (K, D) all codes, in the order of their indices; a buffer, not learnt and not saved.

    Raises:
        ValueError: no level, or one that is not an integer from 2 to 1000.

    Example:
        >>> import torch
        >>> from vqlab import FiniteScalarQuantizer
        >>> fsq = FiniteScalarQuantizer([8, 5, 5, 5])
        >>> quantized, loss, indices = fsq(torch.zeros(1, 4, 2, 2))
        >>> fsq.num_embeddings, quantized.shape, loss.item(), indices.tolist()
        (1000, torch.Size([1, 4, 2, 2]), 0.0, [500, 500, 500, 500])

    Source: Mentzer et al. (2023), "Finite Scalar Quantization: VQ-VAE Made Simple", arXiv 2309.15505, appendix A.1.
    Deviation: atanh and (1 + ε) where the appendix prints tan and (1 − ε), which puts bounded(0) at −0.04 for L = 2.
    """

    def __init__(self, levels: Sequence[int]):
        super().__init__()
        levels = list(levels)
        if not levels or not all(isinstance(level, int) and 2 <= level <= 1000 for level in levels):
            raise ValueError(f"expected one or more levels, integers from 2 to 1000, got {levels}")
        self.num_embeddings, self.embedding_dim = math.prod(levels), len(levels)
        self.config = dict(levels=levels)
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        places = torch.tensor([math.prod(levels[:i]) for i in range(len(levels))])
        self.register_buffer("places", places, persistent=False)  # what each digit of an index is worth
        digits = torch.arange(self.num_embeddings)[:, None] // places % self.levels
        half = self.levels // 2
        self.register_buffer("codebook", (digits - half) / half, persistent=False)

    def forward(self, z_e: Tensor) -> Quantized:
        """Quantize a feature map (B, D, H, W); the loss is zero.

        Raises:
            ValueError: another rank or D, an empty map, or values that are not finite.
        """
        bounded = self.bound(z_e)  # (B, H, W, D)
        steps = bounded.round()
        codes = straight_through(bounded, steps) / (self.levels // 2)  # exact: they differ by less than half
        quantized = codes.permute(0, 3, 1, 2).to(z_e.dtype).contiguous()
        return Quantized(quantized, codes.new_zeros(()), self._index(steps).flatten())

    def encode(self, z_e: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, H, W) int64: the tokens alone."""
        return self._index(self.bound(z_e.detach()).round())

    def decode(self, indices: Tensor) -> Tensor:
        """(B, H, W) int64 -> (B, D, H, W): the code vectors of a map of tokens.

        Raises:
            TypeError: indices of another dtype.
            ValueError: another rank, or an index outside 0..K−1.
        """
        _check_indices(indices, self.num_embeddings)
        return F.embedding(indices, self.codebook).permute(0, 3, 1, 2).contiguous()

    def indices_of(self, codes: Tensor) -> Tensor:
        """(B, D, H, W) codes, as `forward` or `decode` gives them, rounded to any dtype -> (B, H, W) int64."""
        _check_features(codes, self.embedding_dim)
        return self._index((codes.permute(0, 2, 3, 1).float() * (self.levels // 2)).round())

    def bound(self, z_e: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, H, W, D) float32: each number squashed to where its levels are, not yet rounded."""
        _check_features(z_e, self.embedding_dim)
        if not torch.isfinite(z_e).all():
            raise ValueError("expected finite vectors, got NaN or Inf")
        with torch.autocast(z_e.device.type, enabled=False):
            half = (self.levels - 1) * (1 + 1e-3) / 2
            offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)
            return torch.tanh(z_e.permute(0, 2, 3, 1).float() + torch.atanh(offset / half)) * half - offset

    def _index(self, steps: Tensor) -> Tensor:
        """Whole steps from the middle, (..., D) -> index (...): digits to the bases of the levels, int64."""
        return ((steps.long() + self.levels // 2) * self.places).sum(dim=-1)


def _check_features(z_e: Tensor, embedding_dim: int) -> None:
    if z_e.ndim != 4 or z_e.shape[1] != embedding_dim or z_e.numel() == 0:
        raise ValueError(f"expected (B, {embedding_dim}, H, W), not empty, got {tuple(z_e.shape)}")


def _check_indices(indices: Tensor, num_embeddings: int) -> None:
    if indices.dtype != torch.int64:
        raise TypeError(f"expected indices of dtype int64, got {indices.dtype}")
    if indices.ndim != 3 or indices.numel() == 0:
        raise ValueError(f"expected indices (B, H, W), not empty, got {tuple(indices.shape)}")
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= num_embeddings:
        raise ValueError(f"expected indices in 0..{num_embeddings - 1}, got {low}..{high}")
