"""Teaching a context beside the tokenizer whose tokens it guesses."""

import math
import time
from collections.abc import Iterable

import torch
from torch import Tensor

from vqlab.context import TokenContext
from vqlab.train.ranks import average_gradients, furthest
from vqlab.vqvae import SimpleVQVAE

SHARE = 0.05  # of a training's seconds, for `fit_context` at its end


class ContextTeacher:
    """Now and then the context guesses every fourth row of a batch's tokens: a twentieth of a training's time.

    Few tokens of many pictures teach it more than all tokens of few. It draws no random numbers, and no gradient
    reaches the tokenizer, which learns the same with and without.

    Args:
        context: trained on the device it is on.
        lr: peak learning rate.

    Attributes:
        lr: the peak.
        optimizer: Adam.
    """

    ROWS = 4

    def __init__(self, context: TokenContext, lr: float = 1e-2):
        self.context, self.lr = context, lr
        self.optimizer = torch.optim.Adam(context.parameters(), lr=lr, betas=(0.9, 0.99), fused=True)

    @staticmethod
    def is_due(step: int, progress: float) -> bool:
        """Every fourth step, and every other in the second half, when codes have settled; progress in [0, 1]."""
        return step % (4 if progress < 0.5 else 2) == 0

    def teach(self, tokens: Tensor, step: int, rate: float) -> None:
        """Learn at this rate from some rows of tokens (B, H/4, W/4) int64; which, the number of the step says."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        first = step // 2 % min(self.ROWS, tokens.shape[1])
        self.context.loss(tokens, slice(first, None, self.ROWS)).backward()
        average_gradients(self.context)
        self.optimizer.step()


def fit_context(model: SimpleVQVAE, batches: Iterable[Tensor], *, seconds: float = math.inf, steps: float = math.inf,
                lr: float = 1e-2) -> None:
    """Teach a model's context alone, after `vqlab.fit`: the tokens it guesses change no more.

    While codes still move and restart, a context learns what soon is no longer so; a few seconds on the final tokens
    are worth a tenth of a file. The learning rate falls to zero along half a cosine.

    Args:
        model: with a context, on any device.
        batches: (B, C, H, W) float32 in [-1, 1].
        seconds: wall clock budget.
        steps: budget in steps.
        lr: the rate it starts with.

    Raises:
        ValueError: no budget.
    """
    if not (0 < min(seconds, steps) < math.inf):
        raise ValueError(f"expected a positive budget in seconds or steps, got seconds={seconds}, steps={steps}")
    teacher, device = ContextTeacher(model.context, lr), next(model.parameters()).device
    start = time.perf_counter()
    for step, images in enumerate(batches):
        progress = furthest(max((time.perf_counter() - start) / seconds, step / steps), device)
        if progress >= 1:
            return
        with torch.no_grad():
            tokens = model.quantize.encode(model.encoder(images.to(device)))
        teacher.teach(tokens, 2 * step, lr * (0.5 + 0.5 * math.cos(math.pi * progress)))
