"""Training the prior: the same kind of loop for VAR, on pictures with labels.

    for record in fit_prior(var, batches, seconds=40):
        print(record.accuracy)
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vqlab.train import learning_rate
from vqlab.var import VAR


@dataclass(frozen=True)
class PriorRecord:
    """One training step of a prior, measured on its own batch.

    Attributes:
        step: 1, 2, 3, …
        seconds: since the start, plotting included.
        loss: cross-entropy, nats a token, all tokens of all scales alike.
        accuracy: how often the likeliest code is the true one, 0 to 1.
    """

    step: int
    seconds: float
    loss: float
    accuracy: float


def fit_prior(var: VAR, batches: Iterable[tuple[Tensor, Tensor]], *, seconds: float = math.inf,
              steps: float = math.inf, lr: float = 4e-3) -> Iterator[PriorRecord]:
    """Train the transformer in place, one batch a step, until `seconds` or `steps` are over or the batches end.

    The tokenizer stays as it is: it turns pictures into tokens. AdamW; the learning rate warms up and falls as in
    `fit`. Nothing happens until the first record is asked for. Between steps the model is in evaluation mode, so
    whoever looks at its samples meanwhile, or stops asking, has a usable model.

    Args:
        var: trained on the device it is on.
        batches: (images (B, C, H, W) float32 in [-1, 1], labels (B,) int64), from any device.
        seconds: wall clock budget.
        steps: budget in steps.
        lr: peak learning rate.

    Yields:
        A `PriorRecord` a step.

    Raises:
        ValueError: no budget or none left, or the loss is no longer finite (the model keeps its last finite step).
    """
    if not (0 < min(seconds, steps) < math.inf):
        raise ValueError(f"expected a positive budget in seconds or steps, got seconds={seconds}, steps={steps}")
    return _fit_prior(var, batches, seconds, steps, lr)


def _fit_prior(var, batches, seconds, steps, lr):
    device = var.position.device
    learning = [parameter for name, parameter in var.named_parameters() if not name.startswith("tokenizer.")]
    optimizer = torch.optim.AdamW(learning, lr=lr, betas=(0.9, 0.95), weight_decay=0.05, fused=True)
    start = time.perf_counter()
    try:
        for step, (images, labels) in enumerate(batches, start=1):
            progress = max((time.perf_counter() - start) / seconds, (step - 1) / steps)
            if progress >= 1:
                return
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(lr, step, progress)
            idx_Bl = var.tokenizer.img_to_idxBl(images.to(device))
            truth = torch.cat(idx_Bl, dim=1)  # (B, L)
            var.train()
            logits = var.logits(idx_Bl, labels.to(device))
            loss = F.cross_entropy(logits.flatten(0, 1), truth.flatten())
            if not torch.isfinite(loss):
                raise ValueError(f"expected a finite loss, got {loss.item()} at step {step}; lower lr={lr}?")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            var.eval()
            yield PriorRecord(step, time.perf_counter() - start, loss.item(),
                              (logits.argmax(dim=-1) == truth).float().mean().item())
    finally:
        var.eval()
