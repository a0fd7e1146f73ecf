"""The same model without one of its parts, trained on the same batches from the same start."""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vqlab.train.prior import fit_prior
from vqlab.var import VAR
from vqlab.vqvae import SimpleVQVAE

PARTS = ("nothing", "mask", "level")


def ablated(tokenizer: SimpleVQVAE, without: str, *, num_classes: int = 10, seed: int = 0, **settings) -> VAR:
    """An untrained VAR that lacks one part, on the tokenizer's device; the weights are alike for all.

    Args:
        tokenizer: trained.
        without: "nothing", "mask" (every token sees every input) or "level" (no scale has a vector of its own).
        num_classes, settings: of `VAR`.
        seed: of its weights; torch's global generator is left as it was.

    Raises:
        ValueError: another part.
    """
    if without not in PARTS:
        raise ValueError(f"expected one of {PARTS}, got {without!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        var = VAR(tokenizer, num_classes, **settings)
    if without == "mask":
        var.mask.fill_(True)
    if without == "level":
        torch.nn.init.zeros_(var.level).requires_grad_(False)
    return var.to(next(tokenizer.parameters()).device)


@torch.no_grad()
def writing_loss(var: VAR, idx_Bl: Sequence[Tensor], labels: Tensor) -> float:
    """The loss as the model writes: the coarser scales are true, the finer ones not there to be looked at.

    With the mask this is the loss of training, whatever the model looks at; without, it is what the peeking hid.

    Args:
        var: the model.
        idx_Bl: the true tokens.
        labels: (B,) int64.

    Returns:
        Mean cross-entropy, nats a token.
    """
    f_hat, scale_input, cache, losses = None, None, None, []
    for scale, tokens in enumerate(idx_Bl):
        logits, cache = var.next_logits(scale, labels, scale_input, cache)
        losses.append(F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none"))
        f_hat, scale_input = var.tokenizer.quantize.next_input(scale, f_hat, tokens)
    return torch.cat(losses).mean().item()


def compare(tokenizer: SimpleVQVAE, batches: Callable[[], Iterable[tuple[Tensor, Tensor]]], steps: int,
            **settings) -> dict[str, tuple[VAR, float]]:
    """Train each of `PARTS` for as many steps on the same batches.

    Args:
        tokenizer: trained; it stays as it is.
        batches: gives the same (images, labels) each time it is called.
        steps: of training.
        settings: of `VAR`.

    Returns:
        part -> (the model without it, its loss at the end: the mean of the last tenth of the steps, nats a token).
    """
    results = {}
    for part in PARTS:
        var = ablated(tokenizer, part, **settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the labels dropped
            losses = [record.loss for record in fit_prior(var, batches(), steps=steps)]
        last = losses[-max(1, len(losses) // 10):]
        results[part] = var, sum(last) / len(last)
    return results
