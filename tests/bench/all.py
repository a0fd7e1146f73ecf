"""Speed beside the peers and the limit, in one table: ``python tests/bench/all.py --picture growth.png``

Search: `nearest_code` beside the seed's formula, `torch.cdist`, FAISS' exact index, scikit-learn, and as the limit
the product alone, by `torch.mm` and as the search makes it (none of the peers is exact when two codes nearly tie, see
lesson 1). Training step: the EMA quantizer, forward and backward, beside vector-quantize-pytorch's with the same
settings. All of a row run in turn, after a warm-up; the table has medians, how many times as long as ours, and peak
memory beyond the inputs. FAISS serves nothing else here: ``pip install -e .[bench]``.

``--device cuda`` measures a million vectors instead, beside `torch.cdist` and the product in chunks, and the steps.
"""

import argparse
import ctypes
import os
import random
import statistics
import sys
import time
from pathlib import Path

import torch
from sklearn.metrics import pairwise_distances_argmin
from vector_quantize_pytorch import VectorQuantize

from vqlab import EMACodebook, EMAVectorQuantizer, nearest_code
from vqlab.codebook import _CHUNK, _Scores

try:
    import faiss
except ImportError:
    faiss = None

MILLION = (2**20, 16384, 32, 5)  # on a GPU
SEARCHES = [(4096, 512, 8, 31), (4096, 512, 64, 31), (16384, 1024, 64, 9), (65536, 8192, 32, 5)]  # N, K, D, runs
STEPS = [((4, 32, 32), 512, 64, 15), ((16, 32, 32), 1024, 64, 7), ((4, 32, 32), 8192, 32, 5)]  # (B, H, W), K, D, runs
BASE = dict(N=8192, K=1024, D=32)
GROWTH = dict(N=[1024, 4096, 16384, 65536], K=[64, 256, 1024, 4096, 16384], D=[2, 8, 32, 128, 512])


def seed_formula(z, codebook):
    return (z.square().sum(1, keepdim=True) + codebook.square().sum(1) - 2 * z @ codebook.T).argmin(1)


def by_cdist(z, codebook):
    return torch.cdist(z, codebook).argmin(1)


def by_faiss(z, codebook):
    index = faiss.IndexFlatL2(z.shape[1])
    index.add(codebook.numpy())
    return index.search(z.numpy(), 1)[1]


def by_sklearn(z, codebook):
    return pairwise_distances_argmin(z.numpy(), codebook.numpy())


def chunks(z, codebook):
    """z, as many rows at once as nearest_code takes, without what it must know beforehand."""
    return z.split(max(1, _CHUNK[z.device.type] // len(codebook)))


def matmul_alone(z, codebook):
    first, *rest = chunks(z, codebook)
    scores = torch.mm(first, codebook.T)
    for chunk in rest:
        torch.mm(chunk, codebook.T, out=scores[:len(chunk)])


def by_chunked_cdist(z, codebook):
    return torch.cat([torch.cdist(chunk, codebook).argmin(1) for chunk in chunks(z, codebook)])


def product_alone(z, codebook):
    scores_of = _Scores(z, codebook)
    for chunk in z.split(scores_of.step):
        scores_of(chunk)


PEERS = {"nearest_code": nearest_code, "seed formula": seed_formula, "torch.cdist": by_cdist, "FAISS exact": by_faiss,
         "scikit-learn": by_sklearn, "matmul alone": matmul_alone, "our product alone": product_alone}
if faiss is None:
    del PEERS["FAISS exact"]
GPU_PEERS = {"nearest_code": nearest_code, "torch.cdist in chunks": by_chunked_cdist, "matmul alone": matmul_alone,
             "our product alone": product_alone}


def measure(functions, runs, device="cpu"):
    """{name: (median seconds, peak MiB or None)} of functions without arguments, in turn."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    seconds = {name: [] for name in functions}
    order, generator = list(functions), random.Random(0)
    for run in range(runs + 2):
        generator.shuffle(order)  # each inherits cache and memory from whoever ran before it: not always the same one
        for name in order:
            wait()
            start = time.perf_counter()
            functions[name]()
            wait()
            if run >= 2:  # the first two warm up
                seconds[name].append(time.perf_counter() - start)
    measured = peak_on_cuda if device == "cuda" else peak
    return {name: (statistics.median(seconds[name]), measured(function)) for name, function in functions.items()}


def peak_on_cuda(function):
    """MiB of tensors that live at once while the function runs, beyond those that lived before it."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    function()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def peak(function):
    """MiB by which the process grows while the function runs, from the kernel's high-water mark; None off Linux."""
    if not sys.platform.startswith("linux"):
        return None

    def status(field):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    ctypes.CDLL(None).malloc_trim(0)  # what earlier calls freed counts again
    Path("/proc/self/clear_refs").write_text("5")  # the mark falls to the present size
    before = status("VmRSS")
    function()
    return status("VmHWM") - before


def show(title, results):
    ours = next(iter(results.values()))[0]
    print(f"\n{title}")
    for name, (seconds, mebibytes) in results.items():
        memory = "" if mebibytes is None else f"{mebibytes:8.0f} MiB"
        print(f"  {name:24}{seconds * 1e3:10.2f} ms  {seconds / ours:7.2f} × ours{memory}", flush=True)
    if "FAISS exact" in results:
        print(f"  -> nearest_code takes {ours / results['FAISS exact'][0]:.2f} × FAISS, "
              f"{ours / results['our product alone'][0]:.2f} × its product alone")


def searches(n, k, d, runs, names=tuple(PEERS), device="cpu"):
    z, codebook = (torch.randn(rows, d, generator=torch.Generator().manual_seed(rows)).to(device) for rows in (n, k))
    peers = GPU_PEERS if device == "cuda" else PEERS
    calls = {name: lambda peer=peers[name]: peer(z, codebook) for name in names if name in peers}
    return measure(calls, runs, device)


def training_steps(shape, k, d, runs, device="cpu"):
    torch.manual_seed(0)
    b, height, width = shape
    z_e = torch.randn(b, d, height, width, device=device, requires_grad=True)
    ours = EMAVectorQuantizer(k, d, codebook=EMACodebook(k, d, restart_below=0.1)).to(device)
    theirs = VectorQuantize(dim=d, codebook_size=k, decay=0.99, commitment_weight=1.0, accept_image_fmap=True,
                            threshold_ema_dead_code=0.1 * b * height * width / k).to(device)  # 0.1 of the share, too

    def step(quantizer):
        quantized, *rest = quantizer(z_e)
        loss = next(value for value in rest if value.is_floating_point())
        (quantized.square().mean() + loss.sum()).backward()
        z_e.grad = None

    return measure({"vqlab": lambda: step(ours), "vector-quantize-pytorch": lambda: step(theirs)}, runs, device)


def show_steps(device):
    for shape, k, d, runs in STEPS:
        results = training_steps(shape, k, d, runs, device)
        show(f"training step, N × K × D = {torch.Size(shape).numel()} × {k} × {d}", results)
        seconds, theirs = (each[0] for each in results.values())
        print(f"  -> vqlab takes {seconds / theirs:.3f} of its time, {1 / seconds:.0f} steps a second")


def draw_growth(path):
    """How the time grows with N, K and D, the other two fixed: three log–log plots in one picture."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
    for axes, (letter, values) in zip(panels, GROWTH.items(), strict=True):
        times = {}
        for value in values:
            sizes = {**BASE, letter: value}
            results = searches(sizes["N"], sizes["K"], sizes["D"], 5,
                               ("nearest_code", "seed formula", "FAISS exact", "our product alone"))
            print(f"  {letter} = {value:6}: "
                  + ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, (seconds, _) in results.items()), flush=True)
            for name, (seconds, _) in results.items():
                times.setdefault(name, []).append(seconds * 1e3)
        for name, milliseconds in times.items():
            axes.loglog(values, milliseconds, marker="o", label=name, linestyle=":" if "alone" in name else "-")
        axes.set_xlabel(letter)
        axes.set_title(", ".join(f"{name} = {size}" for name, size in BASE.items() if name != letter))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("ms")
    panels[0].legend()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--picture", type=Path, help="also measure how time grows with N, K, D; draw it here")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    if options.device == "cuda":
        if not torch.cuda.is_available():
            parser.error(f"no CUDA device for torch {torch.__version__}")
        print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
        show("search, N × K × D = {} × {} × {}".format(*MILLION[:3]), searches(*MILLION, tuple(GPU_PEERS), "cuda"))
        show_steps("cuda")
        return
    # glibc's malloc adapts to the largest block it has seen freed; without this, whoever runs first pays page faults
    torch.empty(6 * 2**20)
    if faiss is None:
        print("faiss is not installed: pip install -e .[bench]")
    else:
        faiss.omp_set_num_threads(torch.get_num_threads())
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()} cores")
    for n, k, d, runs in SEARCHES:
        show(f"search, N × K × D = {n} × {k} × {d}", searches(n, k, d, runs))
    show_steps("cpu")
    if options.picture:
        print("\ngrowth")
        draw_growth(options.picture)


if __name__ == "__main__":
    main()
