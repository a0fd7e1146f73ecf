"""Training: one loop that reports every step, for the lessons' live plots and for the command line.

    for record in fit(model, crops(photos()), seconds=60):
        print(record.psnr)
"""

import math
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vqlab.metrics import perplexity, psnr, usage
from vqlab.train.context import ContextTeacher
from vqlab.train.muon import Muon
from vqlab.train.ranks import furthest, many
from vqlab.train.state import TrainingState
from vqlab.vqvae import STRIDE, SimpleVQVAE


@dataclass(frozen=True)
class Record:
    """One training step, measured on its own batch.

    Attributes:
        step: 1, 2, 3, …
        seconds: since the start, plotting included, pauses not.
        loss: reconstruction + quantization.
        reconstruction: mean squared error, pixels in [-1, 1].
        quantization: the quantizer's loss.
        psnr: mean over the batch, dB.
        perplexity: of the batch's indices, 1 to K.
        usage: fraction of the K codes in the batch, 0 to 1.
    """

    step: int
    seconds: float
    loss: float
    reconstruction: float
    quantization: float
    psnr: float
    perplexity: float
    usage: float


def fit(model: SimpleVQVAE, batches: Iterable[Tensor], *, seconds: float = math.inf, steps: float = math.inf,
        lr: float = 1.5e-3, optimizer: str = "muon", records_per_second: float = math.inf,
        state: TrainingState | None = None) -> Iterator[Record]:
    """Train in place, one batch a step, until `seconds` or `steps` are over or the batches end.

    Muon for the convolutions between wide layers and Adam for all else; the learning rate warms up and then falls to
    zero along half a cosine over the budget, whichever of the two is nearer its end. Nothing happens until the first
    record is asked for. Whoever stops asking keeps a usable model: after the loop, however it ends, the model is in
    evaluation mode. Whoever gave a `state` can go on later: the same call with it goes on from there, after `save`
    and `load` too.

    A model's `context` learns along, from the tokens alone: see `vqlab.train.context`.

    Under `torch.distributed` every process calls it with its own batches, of one size: gradients are averaged
    (`DistributedDataParallel`), all start from rank 0's weights and stop after the same step, so that the models
    stay the same. A record is of its own process's batch.

    Args:
        model: trained on the device it is on.
        batches: (B, C, H, W) float32 in [-1, 1], from any device; `crops(photos())` for instance.
        seconds: wall clock budget.
        steps: budget in steps.
        lr: peak learning rate of Adam; Muon's is `MUON_LR` times as high.
        optimizer: "muon", or "adam" for Adam alone.
        records_per_second: at most so many; the steps between them yield nothing, and a GPU is not waited for to
            read their numbers.
        state: where the training stands, by default at its start. Steps and seconds it has spent count, of the budget
            and in the records.

    Yields:
        A `Record` a step, or fewer, see above.

    Raises:
        ValueError: no budget, an optimizer of another name, the state of another model, or the loss is no longer
            finite (the model keeps its last finite step if every step is recorded; otherwise this is seen at the
            next record).
    """
    if not (0 < min(seconds, steps) < math.inf):
        raise ValueError(f"expected a positive budget in seconds or steps, got seconds={seconds}, steps={steps}")
    if not records_per_second > 0:
        raise ValueError(f"expected more than 0 records_per_second, got {records_per_second}")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"expected an optimizer out of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    state = TrainingState() if state is None else state
    state.check(model)
    # a generator of its own, so that the checks above are not put off to the first record
    return _fit(model, batches, seconds, steps, lr, OPTIMIZERS[optimizer], records_per_second, state)


def _fit(model, batches, seconds, steps, lr, make_optimizers, records_per_second, state):
    device = next(model.parameters()).device
    if device.type == "cpu":
        model.to(memory_format=torch.channels_last)  # as oneDNN's convolutions want it: a tenth faster
    optimizers = make_optimizers(model, lr)
    teacher = None if model.context is None else ContextTeacher(model.context)
    forward = _distributed(model) if many() else model
    state.resume(model, optimizers if teacher is None else [*optimizers, teacher.optimizer])
    start = time.perf_counter() - state.seconds
    due = 0.0  # when the next record is
    batches = iter(batches)
    model.train()
    try:
        while True:
            step = state.step + 1
            progress = max((time.perf_counter() - start) / seconds, state.step / steps)
            images = next(batches, None) if progress < 1 else None  # no batch is drawn in vain
            progress = furthest(1.0 if images is None else progress, device)  # all stop together
            if progress >= 1:
                return
            for group in (group for optimizer in optimizers for group in optimizer.param_groups):
                group["lr"] = learning_rate(group["peak"], step, progress)
            images = images.to(device, non_blocking=True)
            output, quantization, indices = forward(images)
            reconstruction = F.mse_loss(output.float(), images)
            loss = reconstruction + quantization
            recorded = time.perf_counter() - start >= due
            if recorded and not torch.isfinite(loss):
                raise ValueError(f"expected a finite loss, got {loss.item()} at step {step}; lower lr={lr}?")
            model.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            if teacher is not None and teacher.is_due(step, progress):
                tokens = indices.view(len(images), -1, images.shape[3] // STRIDE)
                teacher.teach(tokens, step, learning_rate(teacher.lr, step, progress))
            state.advance(time.perf_counter() - start)
            if recorded:
                if isinstance(indices, list):  # tokens by scale
                    indices = torch.cat([tokens.flatten() for tokens in indices])
                numbers = torch.stack([loss.detach(), reconstruction.detach(), quantization.detach(),
                                       psnr(output.detach(), images).mean(),
                                       perplexity(indices, model.vocab_size), usage(indices, model.vocab_size)])
                record = Record(step, time.perf_counter() - start, *numbers.tolist())
                due = record.seconds + 1 / records_per_second
                yield record
    finally:
        model.eval().to(memory_format=torch.contiguous_format)  # as a loaded model is: the same bits


MUON_LR = 5.0  # times Adam's: how far a step moves each direction of a matrix, not each number
WIDE = 16  # channels in and out beyond which a convolution is Muon's: narrower ones have few directions


def _adam(model, lr, but=()):
    others = {id(parameter) for parameter in but}
    parameters = [p for name, p in model.named_parameters()
                  if p.requires_grad and id(p) not in others and not name.startswith("context.")]
    return [torch.optim.Adam([dict(params=parameters, peak=lr)], lr=lr, betas=(0.9, 0.99),
                             fused=True)]  # one kernel for all parameters


def _muon(model, lr):
    wide = [module.weight for part in (model.encoder, model.decoder) for module in part.modules()
            if isinstance(module, nn.Conv2d) and min(module.weight.shape[:2]) > WIDE]
    return _adam(model, lr, but=wide) + ([Muon([dict(params=wide, peak=MUON_LR * lr)], lr)] if wide else [])


OPTIMIZERS = {"muon": _muon, "adam": _adam}


def _distributed(model):
    """The model, its gradients averaged over all processes; the context's are its teacher's business."""
    if model.context is not None:
        model.context.requires_grad_(False)  # what needs no gradient now is made equal, and left alone
    # static_graph: a φ that no scale uses gets no gradient, in no step
    forward = DistributedDataParallel(model, static_graph=True)
    if model.context is not None:
        model.context.requires_grad_(True)
    return forward


def learning_rate(peak: float, step: int, progress: float) -> float:
    """The rate at a step (1, 2, …): it warms up over 50 steps and falls along half a cosine; progress in [0, 1]."""
    return peak * min(1.0, step / 50) * (0.5 + 0.5 * math.cos(math.pi * progress))


def pick_device() -> torch.device:
    """The device the lessons run on: the environment variable VQLAB_DEVICE, or cuda if there is one, or cpu.

    Raises:
        ValueError: VQLAB_DEVICE names no device, or one that this machine lacks.
    """
    name = os.environ.get("VQLAB_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"expected a device that this machine has in VQLAB_DEVICE, got {name!r}: {error}") from None
    return device
