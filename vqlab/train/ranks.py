"""The processes of one training, as ``torchrun`` starts them: who takes part, and what all decide together.

    torchrun --nproc-per-node=2 -m vqlab.train photos --out DIR
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def ranks(device: str | torch.device) -> Iterator[int]:
    """Within it the processes that torchrun started are one group; yields this one's rank, 0 if it is alone.

    Args:
        device: where the model will be. On "cuda" each process of a machine takes a GPU of its own and they talk
            by NCCL, otherwise by gloo.
    """
    if not (dist.is_available() and dist.is_torchelastic_launched()):
        yield 0
        return
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # DistributedDataParallel imports it, and some of its functions keep the group of that moment as a default: were
    # it imported later, gloo's threads would outlive the group, and one that still frees a tensor aborts Python's end
    importlib.import_module("torch._dynamo")
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield dist.get_rank()
    finally:
        dist.destroy_process_group()


def many() -> bool:
    """Whether this process trains together with others."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def furthest(progress: float, device: torch.device) -> float:
    """The largest of all processes' numbers, the same answer in each; alone, its own."""
    if not many():
        return progress
    largest = torch.tensor(progress, dtype=torch.float64, device=device)
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return largest.item()


def average_gradients(module: nn.Module) -> None:
    """Every parameter's gradient becomes its mean over all processes; for a module outside of their common graph."""
    if many():
        for parameter in module.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()
