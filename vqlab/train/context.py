"""Teaching a context beside the tokenizer whose tokens it guesses."""

import torch
from torch import Tensor

from vqlab.context import TokenContext
from vqlab.train.ranks import average_gradients


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
