"""One codebook learnt in several processes: each sees its share of every batch, and all must hold the same codes."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.distributed as dist
from matplotlib.axes import Axes
from safetensors.torch import load_file
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.codebook import EMACodebook, nearest_code
from vqlab.data import photos

CODES, STEPS, BATCH = 64, 50, 2048
WAIT_SECONDS = 120


@cache
def _colours() -> Tensor:
    """(N, 3) pixels of the training photographs in whole multiples of 1/128: float32 sums are exact in any order."""
    pixels = torch.cat([photo.flatten(1)[:, ::97].t() for photo in photos().values()])
    return (pixels * 128).round() / 128


def batch_of_colours(step: int) -> Tensor:
    """The batch of one step, the same in every process: (BATCH, 3) pixels of the training photographs."""
    generator = torch.Generator().manual_seed(step)
    return _colours()[torch.randint(len(_colours()), (BATCH,), generator=generator)]


def learn(rank: int = 0, world_size: int = 1) -> Tensor:
    """Train an `EMACodebook` on this process's share of each batch; the codes after each step, (STEPS, K, 3).

    k-means start and restarts included. Where a process group has been started, the codebook shares counts, sums,
    start and restarts with the others; without one it learns alone, from a start that all have in common: only what
    it learns is its own. Torch's global random numbers are left as they were.
    """
    grouped = dist.is_available() and dist.is_initialized()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rank if grouped else 0)
        codebook = EMACodebook(CODES, 3, kmeans_start=True, restart_below=0.3, decay=0.9)
        history = []
        for step in range(STEPS):
            share = batch_of_colours(step).chunk(world_size)[rank]
            if not grouped:
                codebook.start(batch_of_colours(0))
                if step == 0 and rank:
                    torch.manual_seed(rank)  # from here on each draws for itself
            codebook.start(share)
            codebook.observe(share, codebook.search(share))
            history.append(codebook.weight.clone())
    return torch.stack(history)


def learn_in_processes(world_size: int = 2) -> list[dict[str, Tensor]]:
    """Start ``python -m vqlab.lessons.large.ranks`` once a rank, as torchrun would, and collect what each learnt.

    Returns:
        For each rank "together" and "apart", (STEPS, K, 3): with a process group, and without one.

    Raises:
        RuntimeError: a process failed, or took longer than two minutes; with what it said.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world_size),
                   "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}  # a core each, gloo on CPU
        processes = [subprocess.Popen([sys.executable, "-m", "vqlab.lessons.large.ranks", folder],
                                      env={**os.environ, **meeting, "RANK": str(rank)}, text=True, encoding="utf-8",
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                     for rank in range(world_size)]
        try:
            for rank, process in enumerate(processes):
                said = process.communicate(timeout=WAIT_SECONDS)[1]
                if process.returncode:
                    raise RuntimeError(f"rank {rank} of {world_size} failed:\n{said[-2000:]}")
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"rank {rank} of {world_size} still running after {WAIT_SECONDS} s") from None
        finally:
            for process in processes:
                process.kill()
                process.communicate()
        return [load_file(Path(folder) / f"{rank}.safetensors") for rank in range(world_size)]


def codebook_gap(first: Tensor, second: Tensor) -> Tensor:
    """The largest difference of two codebooks' numbers after each step: (STEPS, K, D) twice -> (STEPS,)."""
    return (first - second).abs().amax(dim=(1, 2))


def read_by_other(picture: Tensor, writer: Tensor, reader: Tensor) -> Tensor:
    """A picture (3, H, W) spelled with one rank's codes (K, 3), a token a pixel, and read with another's."""
    tokens = nearest_code(picture.flatten(1).t(), writer)
    return reader[tokens].t().reshape(picture.shape)


def draw_reading(decibels: Mapping[str, Sequence[float]], ax: Axes | None = None) -> Axes:
    """Draw, step by step, how well one rank reads what another wrote: label -> dB after each step."""
    ax = ax or plt.subplots(figsize=(6, 2.2))[1]
    for (label, values), colour, line in zip(decibels.items(), ("codes", "wrong"), ("-", "--"), strict=False):
        ax.plot(range(1, len(values) + 1), values, line, color=COLOURS[colour], label=label)
    ax.set(xlabel="步 step", ylabel="PSNR (dB)")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
