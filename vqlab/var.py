"""VAR: a transformer that writes a picture scale by scale, coarse to fine, all tokens of a scale at once.
VAR：由粗到细、一个尺度接一个尺度地写出一张图；同一尺度的 token 一次全部写出。

    class --> scale 0's tokens --> the picture so far, shrunk to scale 1 --> scale 1's tokens --> … --> picture

What it reads at a scale is the sum of all coarser scales (`MultiScaleQuantizer.var_input`), never that scale's own
tokens; what it says there is a distribution over the K codes for every place.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqlab.vqvae import SimpleVQVAE

Cache = list[tuple[Tensor, Tensor]]  # keys and values of the scales so far, (B, heads, T, width / heads), a block


def block_causal_mask(lengths: Sequence[int]) -> Tensor:
    """Who may see whom: a token sees its own scale and all coarser ones, scale(query) ≥ scale(key).
    谁能看见谁：一个 token 看得见自己的尺度和所有更粗的尺度。

    Args:
        lengths: tokens of each scale, coarse to fine; (1, 4, 16) for `patch_nums=(1, 2, 4)`.

    Returns:
        (L, L) bool, row: query, column: key; True where attention is allowed.

    Example:
        >>> from vqlab import block_causal_mask
        >>> block_causal_mask((1, 2)).int().tolist()
        [[1, 0, 0], [1, 1, 1], [1, 1, 1]]
    """
    scale = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return scale[:, None] >= scale[None, :]


def guide(conditional: Tensor, unconditional: Tensor, guidance: float, scale: int, num_scales: int) -> Tensor:
    """Classifier-free guidance: (1 + t) conditional − t unconditional, with t = guidance · scale / (num_scales − 1).
    无分类器引导：尺度越细，引导越强；第 0 个尺度不引导。

    Args:
        conditional, unconditional: logits with the class and without, of one shape.
        guidance: its strength at the last scale; 0 is the conditional model itself.
        scale: 0, 1, …, num_scales − 1.

    Source: Ho and Salimans (2022), arXiv 2207.12598, equation 6; the ramp: FoundationVision/VAR `models/var.py`.
    """
    t = guidance * scale / max(num_scales - 1, 1)
    return (1 + t) * conditional - t * unconditional


def keep_top(logits: Tensor, top_k: int | None = None, top_p: float | None = None) -> Tensor:
    """Forbid unlikely codes: all but the top_k likeliest; then all but the fewest likeliest that hold top_p.
    先只留概率最高的 top_k 个，再只留合起来概率达到 top_p 的最少几个；其余的变成 −∞。

    Args:
        logits: (..., K).
        top_k: how many stay, from 1 up; None keeps all. Codes as likely as the last of them stay too.
        top_p: how much of the probability (of what top_k left) stays, in (0, 1]; None or 1 keeps all.

    Returns:
        (..., K), −inf where a code is forbidden; the likeliest always stays.

    Raises:
        ValueError: top_k below 1, top_p outside (0, 1].

    Source: top-k, Fan et al. (2018), arXiv 1805.04833; top-p, Holtzman et al. (2019), arXiv 1904.09751, section 3.1.
    """
    if (top_k is not None and not (isinstance(top_k, int) and top_k >= 1)) or not (top_p is None or 0 < top_p <= 1):
        raise ValueError(f"expected top_k from 1 up and top_p in (0, 1], or None, got {top_k} and {top_p}")
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if top_p is not None and top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        p = ordered.softmax(dim=-1)
        full = p.cumsum(dim=-1) - p >= top_p  # the likelier codes hold it already
        logits = logits.masked_fill(full.scatter(-1, order, full), -torch.inf)
    return logits


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); the class scales and shifts what the norms give (AdaLN).
    注意力加多层感知机；类别通过归一化后的缩放和平移起作用。
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.modulate = nn.Linear(width, 4 * width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor | None,
                past: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x (B, T, width), condition (B, width) -> the next x, and keys and values of all tokens so far."""
        scale1, shift1, scale2, shift2 = self.modulate(condition)[:, None].chunk(4, dim=-1)  # (B, 1, width) each
        qkv = self.qkv(self.norm1(x) * (1 + scale1) + shift1)
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, T, width / heads) each
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(seen.transpose(1, 2).flatten(2))  # (B, T, width)
        return x + self.mlp(self.norm2(x) * (1 + scale2) + shift2), (k, v)


class VAR(nn.Module):
    """Next-scale prediction: p(tokens | class) = Π over scales k of p(tokens of scale k | coarser scales, class).
    下一尺度预测：给定类别和更粗的尺度，一次预测一整个尺度的 token。

    Args:
        tokenizer: a trained `SimpleVQVAE` with `patch_nums`; it is part of the model (`.to(device)` and `save` take
            it along) but `fit_prior` leaves it as it is.
        num_classes: labels are 0 .. num_classes − 1; num_classes itself says "no class".
        width: of a token's vector.
        depth: blocks.
        heads: of attention; must divide width.
        label_dropout: how often training says "no class" instead, so that guidance has an unconditional model.

    Attributes:
        lengths: the tokens of each scale.
        mask: (L, L) bool, `block_causal_mask(lengths)`.

    Raises:
        TypeError, ValueError: a tokenizer without scales, or sizes that do not fit.

    Example:
        >>> import torch
        >>> from vqlab import VAR, SimpleVQVAE
        >>> var = VAR(SimpleVQVAE(16, 8, in_channels=1, patch_nums=(1, 2, 4)), num_classes=10, width=32, depth=1)
        >>> images = var.generate(torch.tensor([3, 8]), generator=torch.Generator().manual_seed(0))
        >>> idx_Bl = var.tokenizer.img_to_idxBl(images)
        >>> images.shape, var.logits(idx_Bl, torch.tensor([3, 8])).shape
        (torch.Size([2, 1, 16, 16]), torch.Size([2, 21, 16]))

    Source: Tian et al. (2024), "Visual Autoregressive Modeling", arXiv 2404.02905, section 3 and the reference
    implementation, FoundationVision/VAR `models/var.py`. Deviations: small; AdaLN without gates, plain attention.
    """

    def __init__(self, tokenizer: SimpleVQVAE, num_classes: int, *, width: int = 128, depth: int = 2, heads: int = 4,
                 label_dropout: float = 0.1):
        super().__init__()
        if not getattr(tokenizer, "multi_scale", False):
            raise TypeError(f"expected a tokenizer with patch_nums, got {type(tokenizer).__name__} without")
        if min(num_classes, width, depth, heads) < 1 or width % heads or not 0 <= label_dropout <= 1:
            raise ValueError("expected num_classes, width, depth, heads >= 1, heads dividing width, label_dropout in "
                             f"[0, 1], got {num_classes}, {width}, {depth}, {heads}, {label_dropout}")
        self.tokenizer, self.num_classes, self.label_dropout = tokenizer, num_classes, label_dropout
        self.lengths = [height * width for height, width in tokenizer.quantize.sizes]
        self.config = dict(num_classes=num_classes, width=width, depth=depth, heads=heads,
                           label_dropout=label_dropout)
        self.classes, self.word = nn.Embedding(num_classes + 1, width), nn.Linear(tokenizer.embedding_dim, width)
        # Standard normal, as nn.Embedding: from the usual 0.02 a third of a minute's training passes on a plateau.
        self.position = nn.Parameter(torch.randn(sum(self.lengths), width))  # every place of every scale
        self.level = nn.Parameter(torch.randn(len(self.lengths), width))  # every scale
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, tokenizer.vocab_size)
        self.register_buffer("mask", block_causal_mask(self.lengths), persistent=False)

    def forward(self, labels: Tensor, var_input: Tensor) -> Tensor:
        """Logits of all scales at once, each given the true coarser scales (teacher forcing).

        Args:
            labels: (B,) int64 in 0..num_classes, the last for "no class"; training drops some to that.
            var_input: (B, L − L₀, D), from `tokenizer.idxBl_to_var_input`.

        Returns:
            (B, L, K).

        Raises:
            TypeError, ValueError: labels or var_input of another shape, dtype or range.
        """
        self._check_labels(labels)
        expected = (len(labels), sum(self.lengths[1:]), self.word.in_features)
        if var_input.shape != expected:
            raise ValueError(f"expected var_input {expected}, got {tuple(var_input.shape)}")
        if self.training:
            dropped = torch.rand(len(labels), device=labels.device) < self.label_dropout
            labels = labels.masked_fill(dropped, self.num_classes)
        condition = self.classes(labels)
        start = condition[:, None].expand(-1, self.lengths[0], -1)
        level = torch.cat([level.expand(length, -1) for level, length in zip(self.level, self.lengths, strict=True)])
        x = torch.cat([start, self.word(var_input)], dim=1) + self.position + level  # (B, L, width)
        for block in self.blocks:
            x, _ = block(x, condition, self.mask)
        return self.head(self.norm(x))

    def next_logits(self, scale: int, labels: Tensor, scale_input: Tensor | None,
                    cache: Cache | None) -> tuple[Tensor, Cache]:
        """Logits of one scale, from the keys and values of the coarser ones: what `forward` says there.

        Args:
            scale: 0, 1, …; the scales come in order.
            labels: as for `forward`; none is dropped.
            scale_input: (B, tokens of the scale, D), from `MultiScaleQuantizer.next_input`; None at scale 0.
            cache: what the scale before returned; None at scale 0.

        Returns:
            (logits, cache): (B, tokens of the scale, K), and the cache for the next scale.

        Raises:
            TypeError, ValueError: labels, or a scale without what the coarser ones left.
        """
        self._check_labels(labels)
        if not 0 <= scale < len(self.lengths) or (scale == 0) != (cache is None):
            raise ValueError(f"expected a scale in 0..{len(self.lengths) - 1}, and a cache unless it is 0, got scale "
                             f"{scale} and {type(cache).__name__}")
        condition = self.classes(labels)
        x = self.word(scale_input) if scale else condition[:, None].expand(-1, self.lengths[0], -1)
        x = x + self.position.split(self.lengths)[scale] + self.level[scale]
        following = []
        for block, past in zip(self.blocks, cache or [None] * len(self.blocks), strict=True):
            x, seen = block(x, condition, None, past)  # no mask: the future is not there yet
            following.append(seen)
        return self.head(self.norm(x)), following

    @torch.no_grad()
    def sample(self, labels: Tensor, *, guidance: float = 1.5, top_k: int | None = None, top_p: float | None = None,
               temperature: float = 1.0, generator: torch.Generator | None = None,
               prefix: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Tokens of new pictures, scale by scale: guidance, temperature, top-k, top-p, and a draw.

        Args:
            labels: (B,) int64 in 0..num_classes, the last for "no class".
            guidance: see `guide`; 0 or more.
            top_k, top_p: see `keep_top`.
            temperature: divides the logits; below 1 the likely becomes likelier. Above 0.
            generator: random numbers; the default is torch's global generator.
            prefix: tokens of the first scales, given: the model completes them.

        Returns:
            idx_Bl, (B, tokens of the scale) int64 a scale.

        Raises:
            TypeError, ValueError: an argument out of the above.
        """
        self._check_labels(labels)
        prefix = self._check_prefix(prefix, len(labels))
        if not 0 <= guidance < torch.inf or not 0 < temperature < torch.inf:
            raise ValueError(f"expected guidance >= 0 and temperature > 0, got {guidance} and {temperature}")
        everyone = torch.cat([labels, torch.full_like(labels, self.num_classes)]) if guidance else labels
        idx_Bl, f_hat, scale_input, cache = [], None, None, None
        for scale in range(len(self.lengths)):
            logits, cache = self.next_logits(scale, everyone, scale_input, cache)
            if guidance:
                logits = guide(*logits.chunk(2), guidance, scale, len(self.lengths))
            p = keep_top(logits / temperature, top_k, top_p).softmax(dim=-1).flatten(0, 1)  # (B · tokens, K)
            if scale < len(prefix):
                idx_Bl.append(prefix[scale])
            else:
                drawn = torch.multinomial(p.to(generator.device) if generator else p, 1, generator=generator)
                idx_Bl.append(drawn.view(len(labels), -1).to(p.device))
            f_hat, scale_input = self.tokenizer.quantize.next_input(scale, f_hat, idx_Bl[-1])
            scale_input = scale_input.repeat(len(everyone) // len(labels), 1, 1)
        return idx_Bl

    def generate(self, labels: Tensor, *, guidance: float = 1.5, top_k: int | None = None, top_p: float | None = None,
                 temperature: float = 1.0, generator: torch.Generator | None = None,
                 prefix: Sequence[Tensor] | None = None, cumulative: bool = False) -> Tensor | list[Tensor]:
        """New pictures: what `sample` draws, decoded.

        Args:
            cumulative: return the list of pictures after each scale. The others: see `sample`, also for errors.

        Returns:
            (B, C, H, W), values not clipped to [-1, 1].
        """
        idx_Bl = self.sample(labels, guidance=guidance, top_k=top_k, top_p=top_p, temperature=temperature,
                             generator=generator, prefix=prefix)
        return self.tokenizer.idxBl_to_img(idx_Bl, cumulative=cumulative)

    def logits(self, idx_Bl: Sequence[Tensor], labels: Tensor) -> Tensor:
        """What the model believes at each place of given tokens, knowing the coarser scales: (B, L, K)."""
        return self(labels, self.tokenizer.idxBl_to_var_input(idx_Bl))

    @torch.no_grad()
    def log_likelihood(self, idx_Bl: Sequence[Tensor], labels: Tensor) -> Tensor:
        """log p(tokens | label), summed over all L tokens: (B,) in nats."""
        log_p = self.logits(idx_Bl, labels).log_softmax(dim=-1)
        return log_p.gather(-1, torch.cat(list(idx_Bl), dim=1)[..., None]).sum(dim=(1, 2))

    def _check_labels(self, labels: Tensor) -> None:
        expected = f"expected labels (B,) int64 in 0..{self.num_classes} ({self.num_classes}: no class)"
        if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
            raise TypeError(f"{expected}, got {getattr(labels, 'dtype', type(labels).__name__)}")
        if labels.ndim != 1 or not len(labels) or labels.min() < 0 or labels.max() > self.num_classes:
            raise ValueError(f"{expected}, not empty, got {labels.tolist()}")

    def _check_prefix(self, prefix: Sequence[Tensor] | None, batch: int) -> list[Tensor]:
        """The given scales as a list; `next_input` checks the tokens themselves."""
        prefix = list([] if prefix is None else prefix)
        got, wanted = [tuple(indices.shape) for indices in prefix], [(batch, length) for length in self.lengths]
        if got == wanted[:len(got)]:
            return prefix
        raise ValueError(f"expected prefix to be the first scales' tokens, out of {wanted}, got {got}")
