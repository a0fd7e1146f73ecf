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
SHARE = 2.0**16  # what a token counts, when it is shared out among the codes


class TokenContext(nn.Module):
    """Guesses every token of a map from its neighbours above and to the left: −log₂ p(token | neighbours).

    Each code has an embedding, each of the 12 neighbours a matrix; their sum, rectified, goes through one more layer.
    Outside of the picture lies one more token of its own.

    A codec must come to the same probabilities wherever a file is read, to the last bit, so there they are computed
    by `integer`, in whole numbers alone.

    Args:
        num_embeddings: K, the number of codes.
        embedding_dim: length of a code's embedding here, which is not the code.
        hidden: width of the layer between.

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

    def __init__(self, num_embeddings: int, embedding_dim: int = 32, hidden: int = 64):
        super().__init__()
        if min(num_embeddings, embedding_dim, hidden) < 1:
            raise ValueError(f"expected sizes of at least 1, got num_embeddings={num_embeddings}, "
                             f"embedding_dim={embedding_dim}, hidden={hidden}")
        self.config = dict(num_embeddings=num_embeddings, embedding_dim=embedding_dim, hidden=hidden)
        self.num_embeddings = num_embeddings
        self.embedding = nn.Embedding(num_embeddings + 1, embedding_dim)  # the last: outside of the picture
        nn.init.normal_(self.embedding.weight, std=0.3)
        self.near = nn.Linear(len(NEIGHBOURS) * embedding_dim, hidden)
        self.far = nn.Linear(hidden, num_embeddings)

    def forward(self, tokens: Tensor, rows: slice = slice(None)) -> Tensor:
        """Bits in favour of each code, which are log₂ p but for a constant a token.

        Args:
            tokens: (B, H, W) int64.
            rows: of the map, those to guess; by default all.

        Returns:
            (B, number of rows, W, K) float32.
        """
        height, width = tokens.shape[1:]
        padded = F.pad(tokens, (LEFT, RIGHT, UP, 0), value=self.num_embeddings)
        near = torch.stack([padded[:, UP - up:UP - up + height, LEFT + right:LEFT + right + width][:, rows]
                            for up, right in NEIGHBOURS], dim=-1)  # (B, rows, W, 12)
        return self.far(F.relu(self.near(self.embedding(near).flatten(3))))

    def loss(self, tokens: Tensor, rows: slice = slice(None)) -> Tensor:
        """Mean bits that a token costs, scalar; arguments as `forward`'s."""
        return F.cross_entropy(self(tokens, rows).flatten(0, 2) * LN2, tokens[:, rows].flatten()) / LN2

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
        # (12, K + 1, hidden): what each code adds to the hidden layer, as each of the neighbours; times ONE²
        self.tables = np.stack([embedding @ matrix.T for matrix in near.transpose(1, 0, 2)])
        self.near_bias = _whole(context.near.bias) * ONE
        self.far, self.far_bias = _whole(context.far.weight).T, _whole(context.far.bias) * ONE

    def blank(self, height: int, width: int) -> np.ndarray:
        """A map of no tokens yet with a margin: (UP + height, LEFT + width + RIGHT) int64, all outside."""
        return np.full((UP + height, LEFT + width + RIGHT), self.num_embeddings)

    def margined(self, tokens: Tensor) -> np.ndarray:
        """(h, w) int64 tokens -> the same with a margin, (UP + h, LEFT + w + RIGHT)."""
        margined = self.blank(*tokens.shape)
        self.inside(margined)[:] = tokens.cpu().numpy()
        return margined

    @staticmethod
    def inside(margined: np.ndarray) -> np.ndarray:
        """(UP + h, LEFT + w + RIGHT) -> a view of it without the margin, (h, w)."""
        return margined[UP:, LEFT:-RIGHT]

    def wave(self, margined: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Run over a map diagonal by diagonal. What is yielded depends on earlier diagonals alone, so a reader may
        write each one's tokens only once it has their frequencies.

        The guesses adapt to the picture: a code that came more often so far than they said is raised by as much.

        Args:
            margined: `blank` with tokens in it, (UP + height, LEFT + width + RIGHT) int64.

        Yields:
            places (n,) of a diagonal's tokens in the flattened map; frequencies (n, K) of the codes there, whole
            numbers of at least 1 that are as their probabilities; float64.
        """
        tokens, stride = margined.ravel(), margined.shape[1]
        height, width = self.inside(margined).shape
        offsets = neighbour_offsets(stride)
        came = np.full(self.num_embeddings, SHARE)  # how often each code came so far, and once more; times SHARE
        expected = came.copy()  # and how often it should have
        for diagonal in range(2 * height + width - 2):
            rows = np.arange(max(0, (diagonal - width) // 2 + 1), min(height, diagonal // 2 + 1))
            if not len(rows):
                continue
            places = (UP + rows) * stride + LEFT + diagonal - 2 * rows
            guessed = frequencies(self.logits(tokens[places[:, None] + offsets]))
            raised = np.floor(came * SHARE / expected)
            yield places, np.maximum(np.floor(guessed * raised / SHARE), 1)
            came += SHARE * np.bincount(tokens[places], minlength=self.num_embeddings)
            expected += np.floor(guessed * (SHARE / guessed.sum(axis=1, keepdims=True))).sum(axis=0)

    def logits(self, neighbours: np.ndarray) -> np.ndarray:
        """(n, 12) codes, K outside of the picture -> (n, K) bits, in whole multiples of ONE⁻²; float64."""
        sums = self.near_bias + sum(table[codes] for table, codes in zip(self.tables, neighbours.T, strict=True))
        hidden = np.clip(np.floor(sums / ONE), 0, LIMIT)  # ReLU
        return hidden @ self.far + self.far_bias


def frequencies(logits: np.ndarray) -> np.ndarray:
    """(n, K) bits in multiples of ONE⁻² -> (n, K) whole numbers from 1 to 2²⁰ that are as the probabilities."""
    steps = (logits.max(axis=1, keepdims=True) - logits) * (64 / ONE**2)  # exact: times a power of two
    return POWERS[np.minimum(steps, len(POWERS) - 1).astype(np.int64)]


def bits_of(frequencies: np.ndarray) -> np.ndarray:
    """(n, K) frequencies -> (n, K): what each code costs, −log₂ p."""
    return np.log2(frequencies.sum(axis=1, keepdims=True)) - np.log2(frequencies)


def neighbour_offsets(stride: int) -> np.ndarray:
    """(12,) from a token's place to its neighbours', in a flattened map of rows of `stride` places."""
    return np.array([right - up * stride for up, right in NEIGHBOURS])


def _whole(weights: Tensor) -> np.ndarray:
    """Weights as multiples of 1 / ONE: whole numbers, in float64."""
    return (weights.detach().cpu().double() * ONE).round().clamp(-LIMIT, LIMIT).numpy()


def _root_64(number: int) -> int:
    """⌊number^(1/64)⌋ for numbers below 2^(64 · 21), by bisection."""
    low, high = 0, 2**21
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**64 <= number else (low, middle)
    return low


# ⌊2^(20 − i/64)⌋, i = 0, 1, … until it is 1: made of whole numbers, since a power might round differently elsewhere
POWERS = np.array([_root_64(2**(64 * 20 - i)) for i in range(64 * 20 + 1)], dtype=np.float64)
