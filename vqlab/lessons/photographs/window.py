"""Decoding a part of a picture: only the tokens that can reach it, so that painting need not wait for the rest."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from vqlab.lessons.photographs.reach import Box
from vqlab.vqvae import STRIDE, SimpleVQVAE

FAR = 16  # tokens; what reaches further is taken to reach everywhere


def radius(network: nn.Module, channels: int, cell: int = 1) -> int:
    """How many cells away an encoder or decoder can look, whatever its weights: found by asking its layers.

    In a copy all weights are positive, so that no ReLU is ever closed and nothing cancels: then the slope of the
    middle output is above 0 exactly where the input can have a say.

    Args:
        network: (1, channels, n · cell, n · cell) -> a map of n × n cells.
        channels: of its input.
        cell: pixels of the input a token's side: `STRIDE` for an encoder, 1 for a decoder.

    Returns:
        Cells to each side of a token's own; more than any picture has if it is above `FAR`.
    """
    positive = deepcopy(network).float()
    for weights in positive.parameters():
        nn.init.constant_(weights, 1 / weights[0].numel())  # a mean over what comes in, so that nothing overflows
    side = 2 * FAR + 3
    device = next(positive.parameters()).device
    with torch.enable_grad():
        given = torch.ones(1, channels, side * cell, side * cell, device=device, requires_grad=True)
        out = positive(given)
        size = out.shape[2] // side
        middle = slice(size * (FAR + 1), size * (FAR + 2))
        slope, = torch.autograd.grad(out[:, :, middle, middle].sum(), given)
    rows = slope.ne(0).any(dim=(0, 1, 3)).nonzero() // cell - (FAR + 1)
    away = int(rows.abs().max())
    return away if away <= FAR else 1_000_000


def around(row: int, column: int, height: int, width: int, margin: int, size: tuple[int, int]) -> Box:
    """A rectangle of cells grown by a margin on each side, as far as the map of (H, W) cells goes."""
    top, left = max(row - margin, 0), max(column - margin, 0)
    bottom, right = min(row + height + margin, size[0]), min(column + width + margin, size[1])
    return Box(top, left, bottom - top, right - left)


@torch.no_grad()
def decode_window(model: SimpleVQVAE, tokens: Tensor, window: Box, reach: int) -> Tensor:
    """A window of what `SimpleVQVAE.idxBl_to_img` gives; only the tokens that reach it are decoded.

    Args:
        model: of one scale.
        tokens: (B, H/4, W/4) int64, the whole map.
        window: in tokens.
        reach: of the decoder, from `radius`.

    Returns:
        (B, C, 4 · height, 4 · width), equal but for the rounding of sums.
    """
    needed = around(*window, reach, tuple(tokens.shape[1:]))
    part = tokens[:, needed.top:needed.top + needed.height, needed.left:needed.left + needed.width]
    device = next(model.parameters()).device
    picture = model.decoder(model.quantize.decode(part.to(device))).to(tokens.device)
    top, left = STRIDE * (window.top - needed.top), STRIDE * (window.left - needed.left)
    return picture[:, :, top:top + STRIDE * window.height, left:left + STRIDE * window.width]


@torch.no_grad()
def code_patches(model: SimpleVQVAE, reach: int) -> Tensor:
    """What each code looks like among its like: (K, C, 4, 4), the middle of a map of nothing but that code.

    Args:
        model: of one scale.
        reach: of the decoder, from `radius`.
    """
    reach = min(reach, FAR)
    middle = slice(STRIDE * reach, STRIDE * (reach + 1))
    device = next(model.parameters()).device
    codes = torch.arange(model.vocab_size, device=device)[:, None, None].expand(-1, 2 * reach + 1, 2 * reach + 1)
    return torch.cat([model.decoder(model.quantize.decode(some))[:, :, middle, middle].cpu()
                      for some in codes.split(64)])
