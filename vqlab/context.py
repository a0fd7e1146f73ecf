"""The context: how likely each code is, given the tokens above and to the left. What a codec's files are short by.

    tokens (B, H, W) --TokenContext--> (B, H, W, K) bits each code would cost

A token map is read along its diagonals, all tokens of one at a time, as a wave runs over the picture:

    0 1 2 3 4        the number of the diagonal is column + 2 · row: a token's neighbours to the left and above, up
    2 3 4 5 6        to the one above and right, lie on earlier ones
    4 5 6 7 8
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (rows up, columns right) from a token to each neighbour that it is guessed from; all on earlier diagonals.
NEIGHBOURS = ((0, -1), (1, 0), (1, -1), (1, 1), (0, -2), (2, 0), (2, -1), (2, 1), (1, -2), (2, 2), (2, -2), (0, -3))
UP, LEFT, RIGHT = (max(side) for side in zip(*((up, -right, right) for up, right in NEIGHBOURS), strict=True))

LN2 = math.log(2)
ONE = 2**10  # how the whole numbers hold a 1
LIMIT = 2**20  # no weight and no activation is larger, so that no sum comes near 2⁵³


class TokenContext(nn.Module):
    """Guesses every token of a map from its neighbours above and to the left: −log₂ p(token | neighbours).

    Each code has an embedding, each of the 12 neighbours a matrix; their sum goes through two small layers. Outside
    of the picture lies one more token of its own.

    A codec must come to the same probabilities wherever a file is read, to the last bit, so there they are computed
    by `integer`, in whole numbers alone.

    Args:
        num_embeddings: K, the number of codes.
        embedding: length of a code's embedding.
        hidden: width of the two layers.

    Raises:
        ValueError: a size below 1.

    Example:
        >>> import torch
        >>> from vqlab import TokenContext
        >>> context = TokenContext(num_embeddings=16)
        >>> context(torch.randint(16, (2, 5, 7))).shape
        torch.Size([2, 5, 7, 16])

    Source: after van den Oord et al. (2016), "Conditional Image Generation with PixelCNN Decoders", arXiv
    1606.05328. Deviation: it sees 12 neighbours, not all that came before, so that a whole diagonal is guessed at
    once.
    """

    def __init__(self, num_embeddings: int, embedding: int = 32, hidden: int = 64):
        super().__init__()
        if min(num_embeddings, embedding, hidden) < 1:
            raise ValueError(f"expected sizes of at least 1, got num_embeddings={num_embeddings}, "
                             f"embedding={embedding}, hidden={hidden}")
        self.config = dict(num_embeddings=num_embeddings, embedding=embedding, hidden=hidden)
        self.num_embeddings = num_embeddings
        self.embedding = nn.Embedding(num_embeddings + 1, embedding)  # the last: outside of the picture
        self.near = nn.Linear(len(NEIGHBOURS) * embedding, hidden)
        self.middle = nn.Linear(hidden, hidden)
        self.far = nn.Linear(hidden, num_embeddings)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, H, W) int64 -> (B, H, W, K) float32: log₂ of each code's probability, but for a constant a token."""
        outside = self.num_embeddings
        padded = F.pad(tokens, (LEFT, RIGHT, UP, 0), value=outside)
        height, width = tokens.shape[1:]
        embedded = self.embedding(padded)
        near = torch.cat([embedded[:, UP - up:UP - up + height, LEFT + right:LEFT + right + width]
                          for up, right in NEIGHBOURS], dim=-1)
        return self.far(F.relu(self.middle(F.relu(self.near(near)))))

    def loss(self, tokens: Tensor) -> Tensor:
        """Mean bits a token costs, scalar; tokens (B, H, W) int64."""
        return F.cross_entropy(self(tokens).flatten(0, 2) * LN2, tokens.flatten()) / LN2

    def integer(self) -> "IntegerContext":
        """The same in whole numbers, rounded from the weights as they are now."""
        return IntegerContext(self)


class IntegerContext:
    """A `TokenContext` in whole numbers: the same frequencies on every machine, on any number of threads.

    Weights are rounded to multiples of 1/1024, activations too. The products are taken in float64: a sum of whole
    numbers below 2⁵³ is exact in it, in whatever order it is added up, so fast matrix products may be used.
    """

    def __init__(self, context: TokenContext):
        self.num_embeddings = context.num_embeddings
        embedding = _whole(context.embedding.weight)  # (K + 1, E)
        near = _whole(context.near.weight).reshape(-1, len(NEIGHBOURS), embedding.shape[1])  # (hidden, 12, E)
        # (12, K + 1, hidden): what each code adds to the first layer, as each of the neighbours; times ONE²
        self.tables = np.stack([embedding @ matrix.T for matrix in near.transpose(1, 0, 2)])
        self.near_bias = _whole(context.near.bias) * ONE
        self.middle, self.middle_bias = _whole(context.middle.weight).T, _whole(context.middle.bias) * ONE
        self.far, self.far_bias = _whole(context.far.weight).T, _whole(context.far.bias) * ONE

    def blank(self, height: int, width: int) -> np.ndarray:
        """A map of no tokens yet with a margin: (UP + height, LEFT + width + RIGHT) int64, all outside."""
        return np.full((UP + height, LEFT + width + RIGHT), self.num_embeddings)

    def wave(self, margined: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Run over a map diagonal by diagonal. What is yielded depends on earlier diagonals alone, so a reader may
        write each one's tokens only once it has their frequencies.

        Args:
            margined: `blank` with tokens in it, (UP + height, LEFT + width + RIGHT) int64.

        Yields:
            places (n,) of a diagonal's tokens in the flattened map; frequencies (n, K) of the codes there, whole
            numbers from 1 to 2²⁰ that are as their probabilities; float64.
        """
        tokens, stride = margined.ravel(), margined.shape[1]
        height, width = margined.shape[0] - UP, stride - LEFT - RIGHT
        offsets = np.array([right - up * stride for up, right in NEIGHBOURS])
        for diagonal in range(2 * height + width - 2):
            rows = np.arange(max(0, (diagonal - width) // 2 + 1), min(height, diagonal // 2 + 1))
            places = (UP + rows) * stride + LEFT + diagonal - 2 * rows
            if len(places):
                yield places, frequencies(self.logits(tokens[places[:, None] + offsets]))

    def logits(self, neighbours: np.ndarray) -> np.ndarray:
        """(n, 12) codes, K outside of the picture -> (n, K) bits, in whole multiples of ONE⁻²; float64."""
        near = self.near_bias + sum(table[codes] for table, codes in zip(self.tables, neighbours.T, strict=True))
        return _activate(_activate(near) @ self.middle + self.middle_bias) @ self.far + self.far_bias


def frequencies(logits: np.ndarray) -> np.ndarray:
    """(n, K) bits in multiples of ONE⁻² -> (n, K) whole numbers from 1 to 2²⁰ that are as the probabilities."""
    steps = (logits.max(axis=1, keepdims=True) - logits) * (64 / ONE**2)  # exact: times a power of two
    return POWERS[np.minimum(steps, len(POWERS) - 1).astype(np.int64)]


def _whole(weights: Tensor) -> np.ndarray:
    """Weights as multiples of 1 / ONE: whole numbers, in float64."""
    return (weights.detach().cpu().double() * ONE).round().clamp(-LIMIT, LIMIT).numpy()


def _activate(sums: np.ndarray) -> np.ndarray:
    """ReLU, and back from multiples of ONE⁻² to multiples of ONE⁻¹."""
    return np.clip(np.floor(sums / ONE), 0, LIMIT)


def _root_64(number: int) -> int:
    """⌊number^(1/64)⌋ for numbers below 2^(64 · 21), by bisection."""
    low, high = 0, 2**21
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**64 <= number else (low, middle)
    return low


# ⌊2^(20 − i/64)⌋, i = 0, 1, … until it is 1: made of whole numbers, since a power might round differently elsewhere
POWERS = np.array([_root_64(2**(64 * 20 - i)) for i in range(64 * 20 + 1)], dtype=np.float64)
