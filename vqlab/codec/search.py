"""Which tokens a picture gets: the nearest codes, or codes that are near and cheap to write."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vqlab.context import LEFT, RIGHT, IntegerContext, bits_of, frequencies, neighbour_offsets
from vqlab.data import MAX_PIXELS
from vqlab.vqvae import STRIDE, SimpleVQVAE

LONGEST = 2**16 - 1  # a side, in pixels
SWEEPS = 2  # over the whole map
CANDIDATES = 4  # codes of a token whose consequences are looked at
LATER = 4  # for so many later tokens: those that this one lies left, above, above left and above right of


@torch.no_grad()
def tokens_of(model: SimpleVQVAE, picture: Tensor, *, rate_weight: float = 0.0) -> Tensor:
    """The tokens of one picture: the nearest codes, or those that are near and cheap to write.

        argmin over k of ‖z − e_k‖² − λ log₂ p(k | neighbours)

    diagonal by diagonal, each given what was decided before. The four best codes of a token are then compared with
    what each makes its next four neighbours cost, as these stand now; and all of it is done twice.

    Args:
        model: with a context.
        picture: (1, C, H, W) float32 in [-1, 1] of any size; its edges are repeated to fill the last patches.
        rate_weight: λ, what a bit may cost in squared distance between z and its code; 0: the nearest codes.

    Returns:
        (⌈H/4⌉, ⌈W/4⌉) int64 on the CPU.

    Raises:
        TypeError, ValueError: as `vqlab.compress`.

    Source: Chou, Lookabaugh and Gray (1989), "Entropy-constrained vector quantization", IEEE Trans. ASSP 37(1).
    Deviations: p depends on the neighbours, the codes were learnt without λ, and later tokens' bits count too.
    """
    context = context_of(model)
    if not 0 <= rate_weight < math.inf:
        raise ValueError(f"expected a rate_weight of 0 or more, got {rate_weight}")
    z_e = model.encoder(_whole_patches(model, picture))
    nearest = model.quantize.encode(z_e)[0].cpu()
    if not rate_weight:
        return nearest
    if getattr(model.quantize, "embedding", None) is None or model.quantize.embedding.metric != "euclidean":
        raise ValueError(f"expected a quantizer that chooses its codes by Euclidean distance, got {model.quantize}")
    margined = context.margined(nearest)
    tokens = margined.ravel()  # a view
    z = np.zeros((*margined.shape, z_e.shape[1]))
    context.inside(z)[:] = z_e[0].permute(1, 2, 0).cpu().numpy()
    z = z.reshape(len(tokens), -1)
    codes = model.quantize.embedding.weight.double().cpu().numpy()
    lengths = np.square(codes).sum(axis=1)
    candidates = min(CANDIDATES, len(codes))
    for _ in range(SWEEPS):  # at first later tokens are the nearest codes, then what the first sweep made of them
        for places, here in context.wave(margined):
            squares = lengths - 2 * z[places] @ codes.T  # ‖z − e‖² but for ‖z‖², which is the same for every code
            costs = squares + rate_weight * bits_of(here)  # (n, K)
            best = np.argpartition(costs, candidates - 1, axis=1)[:, :candidates]
            later = _later_bits(context, margined, places, best)
            chosen = (np.take_along_axis(costs, best, axis=1) + rate_weight * later).argmin(axis=1)
            tokens[places] = np.take_along_axis(best, chosen[:, None], axis=1)[:, 0]
    return torch.from_numpy(context.inside(margined).copy())


def _later_bits(context: IntegerContext, margined: np.ndarray, places: np.ndarray,
                candidates: np.ndarray) -> np.ndarray:
    """(n, M) bits: what later tokens, each as it stands, would cost after each of (n, M) codes at these places."""
    (rows, stride), tokens = margined.shape, margined.ravel()
    offsets, bits = neighbour_offsets(stride), np.zeros(candidates.shape)
    for number in range(LATER):
        row, column = np.divmod(places - offsets[number], stride)  # those that have these as this neighbour
        inside = (row < rows) & (column >= LEFT) & (column < stride - RIGHT)
        there = (row * stride + column)[inside]
        neighbours = np.repeat(tokens[there[:, None] + offsets], candidates.shape[1], axis=0)  # (n·M, 12)
        neighbours[:, number] = candidates[inside].ravel()
        guessed = frequencies(context.logits(neighbours))  # (n·M, K)
        token = np.repeat(tokens[there], candidates.shape[1])
        cost = np.log2(guessed.sum(axis=1) / guessed[np.arange(len(token)), token])
        bits[inside] += cost.reshape(-1, candidates.shape[1])
    return bits


def context_of(model: SimpleVQVAE) -> IntegerContext:
    """A model's context in whole numbers; ValueError for a model without."""
    if model.context is None:
        raise ValueError("expected a model with a context, SimpleVQVAE(…, context=TokenContext(K)), trained with it; "
                         "got one without")
    return model.context.integer()


def _whole_patches(model: SimpleVQVAE, picture: Tensor) -> Tensor:
    """A picture, checked, with its last row and column repeated until both sides divide by the stride."""
    if not isinstance(picture, Tensor) or picture.ndim != 4 or len(picture) != 1 or not picture.numel():
        got = tuple(picture.shape) if isinstance(picture, Tensor) else type(picture).__name__
        raise ValueError(f"expected one picture (1, {model.in_channels}, H, W), got {got}")
    height, width = picture.shape[2:]
    if max(height, width) > LONGEST or height * width > MAX_PIXELS:
        raise ValueError(f"expected a picture of at most {LONGEST} pixels a side and {MAX_PIXELS:,} in all, "
                         f"got {height} × {width}")
    whole = F.pad(picture.to(next(model.parameters()).device), (0, -width % STRIDE, 0, -height % STRIDE),
                  mode="replicate")
    model.check_images(whole)
    return whole
