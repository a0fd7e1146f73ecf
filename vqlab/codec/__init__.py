"""A picture as a file: its tokens, entropy coded by their context. 把一张图存成文件：对 token 做熵编码。

    picture --tokens_of--> tokens (h, w) --pack--> bytes --unpack--> tokens (h, w) --decoder--> picture

The file, numbers little-endian:

    bytes   what
    4       b"vqt1"
    4       which model: the first bytes of `fingerprint`
    2, 2    height and width in pixels
    4       CRC-32 of all other bytes
    12      colour correction, (3, 4) int8 row by row (grey: 2 bytes, (1, 2)); see `fit_colours`
    rest    the tokens by a range coder, diagonal by diagonal (see `vqlab.context`), each at about
            −log₂ p(token | neighbours) bits
"""

import hashlib
import struct
import zlib

import constriction
import numpy as np
import torch
from torch import Tensor

from vqlab.codec.colours import correct_colours, fit_colours
from vqlab.codec.search import context_of, tokens_of
from vqlab.data import MAX_PIXELS
from vqlab.vqvae import STRIDE, SimpleVQVAE

HEADER = struct.Struct("<4s4sHH")
MAGIC = b"vqt1"
CHECKSUM = struct.Struct("<I")


@torch.no_grad()
def compress(model: SimpleVQVAE, picture: Tensor, *, rate_weight: float = 0.0) -> bytes:
    """A picture of any size as a file's bytes.

    Args:
        model: with one scale and a `context`; whoever reads the file needs the same.
        picture: (1, C, H, W) float32 in [-1, 1].
        rate_weight: λ, see `tokens_of`: 0 for the nearest codes, larger for a smaller file.

    Raises:
        TypeError, ValueError: a model that has no context, or another kind of picture.
    """
    tokens, (height, width) = tokens_of(model, picture, rate_weight=rate_weight), picture.shape[2:]
    drawn = _draw(model, tokens)[:, :, :height, :width]
    return pack(model, tokens, (height, width), fit_colours(drawn, picture))


@torch.no_grad()
def decompress(model: SimpleVQVAE, data: bytes) -> Tensor:
    """The picture in a file's bytes.

    Returns:
        (1, C, H, W) on the model's device, values not clipped to [-1, 1].

    Raises:
        ValueError: a file that is damaged or none of ours, or that another model wrote.
    """
    tokens, (height, width), colours = _read(model, data)
    return correct_colours(_draw(model, tokens)[:, :, :height, :width], colours)


def pack(model: SimpleVQVAE, tokens: Tensor, size: tuple[int, int] | None = None,
         colours: Tensor | None = None) -> bytes:
    """Tokens as a file's bytes.

    Args:
        model: with a context.
        tokens: (h, w) int64.
        size: (H, W) of the picture in pixels, by default all that the tokens cover.
        colours: what `fit_colours` returns, by default no correction.

    Raises:
        ValueError: tokens or a size that fit neither the model nor each other.
    """
    context = context_of(model)
    height, width = size or (STRIDE * side for side in tokens.shape)
    _check_tokens(tokens, context.num_embeddings)
    if _map_size(height, width) != tuple(tokens.shape):
        raise ValueError(f"expected {' × '.join(map(str, _map_size(height, width)))} tokens for {height} × {width} "
                         f"pixels, got {' × '.join(map(str, tokens.shape))}")
    coder = constriction.stream.queue.RangeEncoder()
    margined = context.margined(tokens)
    for places, frequencies in context.wave(margined):
        _encode(coder, margined.ravel()[places], frequencies)
    if colours is None:
        colours = torch.zeros(model.in_channels, model.in_channels + 1, dtype=torch.int8)
    payload = colours.cpu().numpy().tobytes() + coder.get_compressed().astype("<u4").tobytes()
    header = HEADER.pack(MAGIC, fingerprint(model)[:4], height, width)
    return header + CHECKSUM.pack(zlib.crc32(header + payload)) + payload


def unpack(model: SimpleVQVAE, data: bytes) -> tuple[Tensor, tuple[int, int]]:
    """The tokens in a file's bytes, without the decoder.

    Returns:
        tokens (h, w) int64, on the CPU; (H, W) of the picture in pixels.

    Raises:
        ValueError: as `decompress`.
    """
    return _read(model, data)[:2]


def _read(model: SimpleVQVAE, data: bytes) -> tuple[Tensor, tuple[int, int], Tensor]:
    """A file's tokens, size and colour correction; raises as `decompress`."""
    context = context_of(model)
    payload, (height, width) = _open(model, data)
    numbers = model.in_channels * (model.in_channels + 1)
    if len(payload) < numbers or (len(payload) - numbers) % 4:
        raise ValueError(f"expected {numbers} bytes and a multiple of 4 after the header, got {len(payload)}")
    colours = torch.from_numpy(np.frombuffer(payload, np.int8, numbers).copy()).view(model.in_channels, -1)
    coder = constriction.stream.queue.RangeDecoder(np.frombuffer(payload, "<u4", offset=numbers).astype(np.uint32))
    margined = context.blank(*_map_size(height, width))
    try:
        for places, frequencies in context.wave(margined):
            margined.ravel()[places] = _decode(coder, frequencies)
    except AssertionError as error:
        raise ValueError(f"expected a file of vqlab.compress, got one that no encoder writes: {error}") from None
    return torch.from_numpy(context.inside(margined).copy()), (height, width), colours


def _open(model: SimpleVQVAE, data: bytes) -> tuple[bytes, tuple[int, int]]:
    """What follows the header, and the picture's size, once both are known to be whole and this model's."""
    start = HEADER.size + CHECKSUM.size
    if len(data) < start or data[:len(MAGIC)] != MAGIC:
        raise ValueError(f"expected a file of vqlab.compress, which starts with {MAGIC!r}, got {len(data)} bytes "
                         f"that start with {bytes(data[:len(MAGIC)])!r}")
    header, payload = data[:HEADER.size], data[start:]
    (expected,), checksum = CHECKSUM.unpack_from(data, HEADER.size), zlib.crc32(header + payload)
    if checksum != expected:
        raise ValueError(f"expected a whole file of vqlab.compress with checksum {expected:08x}, got {len(data)} "
                         f"bytes with {checksum:08x}: it is damaged or cut off")
    _, writer, height, width = HEADER.unpack(header)
    if writer != fingerprint(model)[:4]:
        raise ValueError(f"expected a file of model {fingerprint(model)[:4].hex()}, got one of {writer.hex()}")
    if not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"expected 1 to {MAX_PIXELS:,} pixels, got {height} × {width}")
    return payload, (height, width)


def _draw(model: SimpleVQVAE, tokens: Tensor) -> Tensor:
    """(h, w) tokens -> (1, C, 4 h, 4 w), as the decoder draws them."""
    return model.decoder(model.quantize.decode(tokens.to(next(model.parameters()).device)[None]))


def bits(model: SimpleVQVAE, tokens: Tensor) -> Tensor:
    """(h, w) int64 tokens -> (h, w) float64: what each costs in a file, −log₂ p(token | neighbours) bits.

    Raises:
        ValueError: a model without context, or tokens that are none of its.
    """
    context = context_of(model)
    _check_tokens(tokens, context.num_embeddings)
    margined = context.margined(tokens)
    cost = np.zeros(margined.shape)
    for places, frequencies in context.wave(margined):
        chosen = np.take_along_axis(frequencies, margined.ravel()[places][:, None], axis=1)[:, 0]
        cost.ravel()[places] = np.log2(frequencies.sum(axis=1) / chosen)
    return torch.from_numpy(context.inside(cost).copy())


def fingerprint(model: SimpleVQVAE) -> bytes:
    """32 bytes that name what reading a file depends on: decoder, codes and context, but not the encoder."""
    codes = model.quantize.decode(torch.arange(model.vocab_size, device=next(model.parameters()).device)[None, None])
    digest = hashlib.sha256()
    for name, tensor in [("codes", codes), *model.decoder.state_dict().items(), *model.context.state_dict().items()]:
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.digest()


# It adds up whole numbers, which is exact, then divides once and multiplies, as IEEE 754 defines to the bit.
FAMILY = constriction.stream.model.Categorical(perfect=False)


def _encode(coder: constriction.stream.queue.RangeEncoder, symbols: np.ndarray, frequencies: np.ndarray) -> None:
    if frequencies.shape[1] > 1:  # where there is one code alone, there is nothing to say
        coder.encode(symbols.astype(np.int32), FAMILY, frequencies)


def _decode(coder: constriction.stream.queue.RangeDecoder, frequencies: np.ndarray) -> np.ndarray | int:
    return coder.decode(FAMILY, frequencies) if frequencies.shape[1] > 1 else 0


def _map_size(height: int, width: int) -> tuple[int, int]:
    """(H, W) in pixels -> (h, w) in tokens."""
    return -(-height // STRIDE), -(-width // STRIDE)


def _check_tokens(tokens: Tensor, num_embeddings: int) -> None:
    if tokens.ndim != 2 or not tokens.numel() or tokens.dtype != torch.int64:
        raise ValueError(f"expected tokens (h, w) int64, not empty, got {tuple(tokens.shape)} {tokens.dtype}")
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= num_embeddings:
        raise ValueError(f"expected tokens in 0..{num_embeddings - 1}, got {low}..{high}")
