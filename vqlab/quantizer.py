"""The quantizer: every vector of a feature map becomes the nearest code of the codebook.
量化器：特征图上的每个向量，换成码本里离它最近的码字。

    z_e (B, D, H, W) --search--> indices (B·H·W,) --codebook--> z_q (B, D, H, W) --straight_through--> quantized
"""

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

    Attributes:
        embedding: the codebook; `embedding.weight` is (K, D).

    Raises:
        ValueError: the codebook's size is not (K, D).

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
                 codebook: Codebook | None = None):
        super().__init__()
        self.embedding = Codebook(num_embeddings, embedding_dim) if codebook is None else codebook
        if tuple(self.embedding.weight.shape) != (num_embeddings, embedding_dim):
            raise ValueError(f"expected a codebook of ({num_embeddings}, {embedding_dim}), "
                             f"got {tuple(self.embedding.weight.shape)}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.commitment_weight = commitment_weight
        self.config = dict(num_embeddings=num_embeddings, embedding_dim=embedding_dim,
                           commitment_weight=commitment_weight)

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
        return Quantized(straight_through(z_e, z_q.to(z_e.dtype)).contiguous(), loss, indices)

    def encode(self, z_e: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, H, W) int64: the tokens alone; nothing is learnt, whatever the mode."""
        return self.embedding.search(self._flatten(z_e)).view(len(z_e), *z_e.shape[2:])

    def decode(self, indices: Tensor) -> Tensor:
        """(B, H, W) int64 -> (B, D, H, W): the code vectors of a map of tokens.

        Raises:
            TypeError: indices of another dtype.
            ValueError: another rank, or an index outside 0..K−1.
        """
        if indices.dtype != torch.int64:
            raise TypeError(f"expected indices of dtype int64, got {indices.dtype}")
        if indices.ndim != 3 or indices.numel() == 0:
            raise ValueError(f"expected indices (B, H, W), not empty, got {tuple(indices.shape)}")
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= self.num_embeddings:
            raise ValueError(f"expected indices in 0..{self.num_embeddings - 1}, got {low}..{high}")
        return self.embedding(indices).permute(0, 3, 1, 2).contiguous()

    def _flatten(self, z_e: Tensor) -> Tensor:
        """(B, D, H, W) -> (B·H·W, D), detached: neither search nor statistics carry a gradient."""
        if z_e.ndim != 4 or z_e.shape[1] != self.embedding_dim or z_e.numel() == 0:
            raise ValueError(f"expected (B, {self.embedding_dim}, H, W), not empty, got {tuple(z_e.shape)}")
        return z_e.detach().permute(0, 2, 3, 1).reshape(-1, self.embedding_dim)

    def _loss(self, z_e: Tensor, z_q: Tensor) -> Tensor:
        loss = self.commitment_weight * F.mse_loss(z_e, z_q.detach())
        if self.embedding.learns_by_gradient:
            loss = loss + F.mse_loss(z_q, z_e.detach())
        return loss


class EMAVectorQuantizer(VectorQuantizer2):
    """`VectorQuantizer2` whose codes are moving averages: the default recipe against codebook collapse.
    码字用滑动平均更新的量化器：防止码本坍缩的默认做法。

    The loss is the commitment term alone. K-means start and restart of dead codes are on.

    Args:
        num_embeddings: K.
        embedding_dim: D.
        commitment_weight: β of the paper, which uses 0.25.
        codebook: an `EMACodebook(K, D, ...)` with other settings.

    Source: see `EMACodebook`.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, commitment_weight: float = 1.0, *,
                 codebook: EMACodebook | None = None):
        if codebook is None:
            codebook = EMACodebook(num_embeddings, embedding_dim, kmeans_start=True, restart_below=0.1)
        super().__init__(num_embeddings, embedding_dim, commitment_weight, codebook=codebook)
