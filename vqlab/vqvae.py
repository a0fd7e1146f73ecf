"""The VQ-VAE: a photograph becomes a small map of tokens and comes back.
VQ-VAE：一张照片变成一小张 token（词元）的图，再变回照片。

    image (B, C, H, W) --encoder--> z_e (B, D, H/4, W/4) --quantize--> tokens, z_q --decoder--> image
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqlab.context import TokenContext
from vqlab.multiscale import MultiScaleQuantizer
from vqlab.quantizer import Quantized, VectorQuantizer2

STRIDE = 4  # one token for every 4 × 4 pixels


class ResidualBlock(nn.Module):
    """x + conv1×1(relu(conv3×3(relu(x)))): looks at a token's neighbours and adds what it learnt."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv3 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv1 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv1(F.relu(self.conv3(F.relu(x))))


class Encoder(nn.Sequential):
    """(B, C, H, W) image -> (B, D, H/4, W/4) feature map.
    编码器：每 4 × 4 像素变成一个 D 维向量。

    All 4·4·C values of a patch become channels at once (`PixelUnshuffle`), and everything after works on the
    small map, which is why a laptop trains it in a minute.
    """

    def __init__(self, in_channels: int, hidden: int, blocks: int, embedding_dim: int):
        super().__init__(
            nn.PixelUnshuffle(STRIDE),
            nn.Conv2d(in_channels * STRIDE**2, hidden, 3, padding=1),
            *(ResidualBlock(hidden) for _ in range(blocks)),
            nn.Conv2d(hidden, embedding_dim, 1),
        )


class Decoder(nn.Sequential):
    """(B, D, H/4, W/4) feature map -> (B, C, H, W) image, the encoder's mirror.
    解码器：与编码器对称，把特征图变回图像。
    """

    def __init__(self, embedding_dim: int, hidden: int, blocks: int, out_channels: int):
        super().__init__(
            nn.Conv2d(embedding_dim, hidden, 3, padding=1),
            *(ResidualBlock(hidden) for _ in range(blocks)),
            nn.Conv2d(hidden, out_channels * STRIDE**2, 3, padding=1),
            nn.PixelShuffle(STRIDE),
        )


class SimpleVQVAE(nn.Module):
    """Encoder, quantizer, decoder: a picture of H × W pixels becomes H/4 · W/4 tokens and comes back.
    编码器、量化器、解码器：H × W 像素的图变成 H/4 · W/4 个 token，再变回来。

    Args:
        vocab_size: K, the number of different tokens.
        embedding_dim: D, the length of a code vector.
        in_channels: C, 3 for colour or 1 for grey.
        hidden: channels of the convolutions.
        blocks: residual blocks in the encoder, and in the decoder.
        quantizer: how vectors become tokens, by default `VectorQuantizer2(vocab_size, embedding_dim)`.
        patch_nums: makes the default `MultiScaleQuantizer(vocab_size, embedding_dim, patch_nums)`: tokens by scale,
            (1, 2, 4, 8, 16) for pictures of 64 × 64 pixels. The last scale fixes the size of the pictures.
        context: a `TokenContext(vocab_size)`, which `fit` trains along; `vqlab.compress` needs it. One scale only.

    Attributes:
        encoder, quantize, decoder: the three parts.
        context: the `TokenContext`, or None.
        vocab_size, embedding_dim: K and D.

    Raises:
        ValueError: channels other than 1 or 3, a quantizer of another size than (vocab_size, embedding_dim), a
            context of another size or beside several scales, or both a quantizer and patch_nums.

    Example:
        >>> import torch
        >>> from vqlab import SimpleVQVAE
        >>> vqvae = SimpleVQVAE(vocab_size=16, embedding_dim=64)
        >>> reconstruction, loss, indices = vqvae(torch.randn(1, 3, 64, 64))
        >>> reconstruction.shape, loss.shape, indices.shape
        (torch.Size([1, 3, 64, 64]), torch.Size([]), torch.Size([256]))

    Source: van den Oord et al. (2017), arXiv 1711.00937, section 4.1. Deviation: `PixelUnshuffle` instead of two
    strided convolutions, and its inverse at the end.
    """

    def __init__(self, vocab_size: int = 16, embedding_dim: int = 64, *, in_channels: int = 3, hidden: int = 64,
                 blocks: int = 2, quantizer: nn.Module | None = None, patch_nums: Sequence[int] | None = None,
                 context: TokenContext | None = None):
        super().__init__()
        if in_channels not in (1, 3):
            raise ValueError(f"expected in_channels 1 or 3, got {in_channels}")
        if quantizer is not None and patch_nums is not None:
            raise ValueError(f"expected a quantizer or patch_nums, got both: {type(quantizer).__name__} and "
                             f"{patch_nums}")
        if patch_nums is not None:
            quantizer = MultiScaleQuantizer(vocab_size, embedding_dim, patch_nums)
        self.encoder = Encoder(in_channels, hidden, blocks, embedding_dim)
        self.quantize = VectorQuantizer2(vocab_size, embedding_dim) if quantizer is None else quantizer
        self.decoder = Decoder(embedding_dim, hidden, blocks, in_channels)
        size = (self.quantize.num_embeddings, self.quantize.embedding_dim)
        if size != (vocab_size, embedding_dim):
            raise ValueError(f"expected a quantizer of ({vocab_size}, {embedding_dim}), got {size}")
        if context is not None and (context.num_embeddings != vocab_size or self.multi_scale):
            raise ValueError(f"expected a context of {vocab_size} codes and one scale, got {context.num_embeddings} "
                             f"codes and a {type(self.quantize).__name__}")
        self.context = context
        self.vocab_size, self.embedding_dim, self.in_channels = vocab_size, embedding_dim, in_channels
        self.config = dict(vocab_size=vocab_size, embedding_dim=embedding_dim, in_channels=in_channels,
                           hidden=hidden, blocks=blocks)

    def forward(self, images: Tensor) -> Quantized:
        """There and back.

        Args:
            images: (B, C, H, W) float32 in [-1, 1], H and W divisible by 4.

        Returns:
            (reconstruction, loss, indices): (B, C, H, W); the quantizer's scalar loss; its indices. The
            reconstruction loss is the caller's choice, mean squared error in `vqlab.fit`.

        Raises:
            TypeError, ValueError: see `check_images`.
        """
        self.check_images(images)
        quantized, loss, indices = self.quantize(self.encoder(images))
        return Quantized(self.decoder(quantized), loss, indices)

    @torch.no_grad()
    def img_to_idxBl(self, images: Tensor) -> list[Tensor]:
        """The tokens of pictures, deterministic: (B, number of tokens) int64 a scale, coarse to fine.

        One scale: a list of one (B, H/4 · W/4) entry.

        Raises:
            TypeError, ValueError: see `check_images`.
        """
        self.check_images(images)
        tokens = self.quantize.encode(self.encoder(images))
        return tokens if self.multi_scale else [tokens.flatten(1)]

    @torch.no_grad()
    def idxBl_to_img(self, idx_Bl: list[Tensor], *, size: tuple[int, int] | None = None,
                     cumulative: bool = False) -> Tensor | list[Tensor]:
        """Pictures from tokens alone.

        Args:
            idx_Bl: what `img_to_idxBl` returns.
            size: (H, W) in pixels; may be left out for square pictures, and with several scales, which know it.
            cumulative: return the list of pictures after each scale.

        Returns:
            (B, C, H, W), values not clipped to [-1, 1].

        Raises:
            TypeError, ValueError: another number of scales, of tokens or another dtype than the size asks for.
        """
        if self.multi_scale:
            height, width = (side * STRIDE for side in self.quantize.sizes[-1])
            if size not in (None, (height, width)):
                raise ValueError(f"expected size (H, W) = ({height}, {width}), the last scale's, got {size}")
            maps = self.quantize.decode(idx_Bl, cumulative=True)
        else:
            maps = [self.quantize.decode(self._token_map(idx_Bl, size))]
        return [self.decoder(f) for f in maps] if cumulative else self.decoder(maps[-1])

    @torch.no_grad()
    def idxBl_to_var_input(self, idx_Bl: list[Tensor]) -> Tensor:
        """What a next-scale prior reads to predict every scale after the first: see `MultiScaleQuantizer.var_input`.

        Returns:
            (B, L − L₀, D), with L tokens in all and L₀ in the first scale. One scale leaves nothing to predict:
            (B, 0, D).

        Raises:
            TypeError, ValueError: as `idxBl_to_img`.
        """
        if self.multi_scale:
            return self.quantize.var_input(idx_Bl)
        _one_scale(idx_Bl)
        return next(self.parameters()).new_empty(len(idx_Bl[0]), 0, self.embedding_dim)

    @property
    def multi_scale(self) -> bool:
        """Whether tokens come by scale."""
        return isinstance(self.quantize, MultiScaleQuantizer)

    def _token_map(self, idx_Bl: list[Tensor], size: tuple[int, int] | None) -> Tensor:
        """One scale's tokens (B, H/4 · W/4) -> (B, H/4, W/4)."""
        tokens = _one_scale(idx_Bl)
        side = round(tokens.shape[-1] ** 0.5) * STRIDE
        height, width = size or (side, side)
        if tokens.ndim != 2 or tokens.shape[1] * STRIDE**2 != height * width or height % STRIDE or width % STRIDE:
            raise ValueError(f"expected (B, {height // STRIDE * (width // STRIDE)}) tokens for a picture of "
                             f"{height} × {width} pixels, got {tuple(tokens.shape)}")
        return tokens.view(len(tokens), height // STRIDE, width // STRIDE)

    def check_images(self, images: Tensor) -> None:
        """Says what is wrong with a batch of images before it says something obscure deep inside.

        Raises:
            TypeError: not a tensor, or of another dtype than the model (uint8 pixels: see `vqlab.load_photo`).
            ValueError: rank, channels, an empty batch, a size not divisible by 4, NaN or Inf.
        """
        expected = f"expected images (B, {self.in_channels}, H, W) float32 in [-1, 1]"
        if not isinstance(images, Tensor):
            raise TypeError(f"{expected}, got {type(images).__name__}")
        dtype = next(self.parameters()).dtype
        if images.dtype != dtype and not torch.is_autocast_enabled(images.device.type):
            raise TypeError(f"{expected} (here {dtype}, the model's), got {images.dtype}")
        if images.ndim != 4 or images.shape[1] != self.in_channels:
            raise ValueError(f"{expected}, got shape {tuple(images.shape)}")
        if images.numel() == 0:
            raise ValueError(f"{expected} with at least one pixel, got shape {tuple(images.shape)}")
        if images.shape[2] % STRIDE or images.shape[3] % STRIDE:
            raise ValueError(f"{expected} with H and W divisible by {STRIDE}, got {tuple(images.shape)}")
        if not torch.isfinite(images).all():
            raise ValueError(f"{expected}, got NaN or Inf among the pixels")


def _one_scale(idx_Bl: list[Tensor]) -> Tensor:
    if not isinstance(idx_Bl, (list, tuple)) or len(idx_Bl) != 1:
        got = f"{len(idx_Bl)} entries" if isinstance(idx_Bl, (list, tuple)) else type(idx_Bl).__name__
        raise ValueError(f"expected a list with the tokens of 1 scale, got {got}")
    return idx_Bl[0]
