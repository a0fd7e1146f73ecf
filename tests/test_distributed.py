"""Two processes on half a batch each must learn what one process learns on the whole."""

import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from vqlab import EMACodebook, EMAVectorQuantizer, MultiScaleQuantizer

STEPS = 3


def train(quantizer, rank, world_size):
    """A few steps on this rank's share of the batch, drawn alike on all; returns what was learnt."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        batch = torch.randn(8, 4, 4, 4, generator=generator)
        quantizer(batch.chunk(world_size)[rank])
    return {name: tensor.clone() for name, tensor in quantizer.embedding.state_dict().items()}


def quantizers():
    torch.manual_seed(0)
    settings = dict(kmeans_start=True, restart_below=0.5, decay=0.5)
    return [EMAVectorQuantizer(32, 4, codebook=EMACodebook(32, 4, **settings)),
            MultiScaleQuantizer(32, 4, (4,), codebook=EMACodebook(32, 4, **settings)),
            # by scales the vectors of all ranks come in another order than those of one process, and k-means and
            # restarts draw vectors by their place: so averages alone
            MultiScaleQuantizer(32, 4, (1, 2, 4), codebook=EMACodebook(32, 4, decay=0.5))]


def run(rank, world_size, port, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world_size)
    results = []
    for quantizer in quantizers():
        torch.manual_seed(5 + rank)  # rank 0 draws as the single process does, the others otherwise
        results.append(train(quantizer, rank, world_size))
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_learn_the_codebook_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(run, args=(2, port, str(tmp_path)), nprocs=2)
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for quantizer, first, second in zip(quantizers(), *ranks, strict=True):
        torch.manual_seed(5)
        alone = train(quantizer, 0, 1)
        for name in alone:
            assert torch.equal(first[name], second[name]), name  # identical on every rank
            # to rounding: a sum of two halves is not the sum of the whole
            assert torch.allclose(first[name].float(), alone[name].float(), atol=1e-5), name
