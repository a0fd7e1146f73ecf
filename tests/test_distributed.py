"""Two processes on half a batch each must learn what one process learns on the whole."""

import gc
import itertools
import os
import socket
import subprocess
import sys
import warnings
import weakref

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from vqlab import (
    EMACodebook,
    EMAVectorQuantizer,
    MultiScaleQuantizer,
    SimpleVQVAE,
    TokenContext,
    crops,
    fit,
    load,
    photos,
)
from vqlab.train.ranks import ranks


def train(quantizer, rank, world_size, steps=10):
    """Some steps on this rank's share of the batch, drawn alike on all; returns what was learnt."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
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


def train_model(rank, world_size, steps=50):
    """Fifty steps of a whole network on this rank's share of real crops, which end after them for the last rank."""
    torch.manual_seed(7 + rank)  # the start of rank 0 is that of the single process; the others must take it over
    codebook = EMACodebook(16, 4, kmeans_start=True, restart_below=0.5, decay=0.5)
    model = SimpleVQVAE(16, 4, hidden=8, blocks=1, quantizer=EMAVectorQuantizer(16, 4, codebook=codebook),
                        context=TokenContext(16, 4, 8))
    whole = crops(photos(), 8, 16, generator=torch.Generator().manual_seed(3))
    shares = (batch.chunk(world_size)[rank] for batch in whole)
    torch.manual_seed(5 + rank)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        records = list(fit(model, itertools.islice(shares, steps) if rank + 1 == world_size else shares, steps=999))
    return {"steps": torch.tensor(len(records)), **model.state_dict()}


def run(rank, world_size, port, folder):
    torch.set_num_threads(1)
    os.environ |= dict(TORCHELASTIC_RUN_ID="test", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank),
                       LOCAL_RANK=str(rank), WORLD_SIZE=str(world_size))  # as torchrun does
    with ranks("cpu"):
        group = weakref.ref(dist.group.WORLD)
        results = []
        for quantizer in quantizers():
            torch.manual_seed(5 + rank)  # rank 0 draws as the single process does, the others otherwise
            results.append(train(quantizer, rank, world_size))
        results.append(train_model(rank, world_size))
        torch.save(results, f"{folder}/{rank}.pt")
    gc.collect()
    assert group() is None, "something keeps the group: its threads outlive it and can abort Python's end"


@pytest.mark.skipif(not dist.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_learn_the_codebook_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(run, args=(2, port, str(tmp_path)), nprocs=2)
    both = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    torch.set_num_threads(1)
    alone = []
    for quantizer in quantizers():
        torch.manual_seed(5)
        alone.append(train(quantizer, 0, 1))
    alone.append(train_model(0, 1))
    for single, first, second in zip(alone, *both, strict=True):
        for name in single:
            assert torch.equal(first[name], second[name]), name  # identical on every rank
            # to rounding: a sum of two halves is not the sum of the whole
            assert torch.allclose(first[name].float(), single[name].float(), atol=1e-5, rtol=0), name
    assert alone[-1]["steps"] == 50  # one rank's batches were at an end: all stopped


def test_torchrun_trains_and_rank_0_alone_reports(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "vqlab.train", "photos",
               "--seconds", "2", "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout.count("the held-out cat comes back") == 1
    assert result.stderr.count("2.0/2.0 s") >= 1 and "Warning" not in result.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"model.safetensors", "rebuilt.png"}
    assert load(tmp_path / "model.safetensors").vocab_size == 512
