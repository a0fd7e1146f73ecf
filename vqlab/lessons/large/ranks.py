"""One of several processes that learn one codebook: ``python -m vqlab.lessons.large.ranks FOLDER``.

Which one it is and where the others are met stands in the environment, as torchrun sets it: RANK, WORLD_SIZE,
MASTER_ADDR, MASTER_PORT. ``torchrun --nproc-per-node=2 -m vqlab.lessons.large.ranks FOLDER`` does the same.
"""

import os
import sys

import torch
import torch.distributed as dist
from safetensors.torch import save_file

from vqlab.lessons.large.training import learn


def main(folder: str) -> None:
    """Learn alone, then together with the others, and write both histories to ``folder/RANK.safetensors``."""
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(1)
    apart = learn(rank, world_size)  # no process group yet: nothing is shared
    dist.init_process_group("gloo")
    together = learn(rank, world_size)
    dist.destroy_process_group()
    save_file({"apart": apart, "together": together}, f"{folder}/{rank}.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
