"""What a search costs: the memory it holds at once, its time beside the others'."""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from vqlab.classroom.figures import COLOURS

Search = Callable[[Tensor, Tensor], Tensor]  # z (N, D), codebook (K, D) -> indices (N,)


def peak_memory(search: Search, z: Tensor, codebook: Tensor) -> int:
    """The most bytes that ``search(z, codebook)`` held at once beyond its arguments, as torch's profiler counts."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as measured:
            search(z, codebook)
        trace = Path(folder) / "trace.json"
        measured.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    changes = sorted((event["ts"], event["args"]["Ev Idx"], event["args"]["Bytes"]) for event in events
                     if event.get("name") == "[memory]" and event["args"]["Device Type"] == 0)
    held = np.cumsum([change for *_, change in changes])
    return int(max(held, default=0))


class _quiet:
    """Nothing on stderr, not even what C++ writes: the profiler announces its start and stop there."""

    def __enter__(self):
        self.stderr = os.dup(2)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)

    def __exit__(self, *_):
        os.dup2(self.stderr, 2)
        os.close(self.stderr)


def time_ratios(searches: Mapping[str, Search], z: Tensor, codebook: Tensor, repeats: int = 5) -> dict[str, float]:
    """Each search's time as a multiple of the fastest one's: medians, taken in turn to share the noise."""
    seconds = {name: [] for name in searches}
    for search in searches.values():
        search(z, codebook)  # the first call also pays for setting up
    for _ in range(repeats):
        for name, search in searches.items():
            start = time.perf_counter()
            search(z, codebook)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(all_) for name, all_ in seconds.items()}
    return {name: median / min(medians.values()) for name, median in medians.items()}


def draw_price(memory: Mapping[str, float], times: Mapping[str, float],
               axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw what each search costs: memory in MiB, time as a multiple of the fastest, both on a log axis."""
    axes = plt.subplots(1, 2, figsize=(7.5, 2.6), sharey=True)[1] if axes is None else axes
    for ax, costs, label, colour, hatch in (
            (axes[0], memory, "内存 memory (MiB)", COLOURS["data"], "//"),
            (axes[1], times, "时间 time (× 最快 fastest)", COLOURS["z_e"], "..")):
        bars = ax.barh(list(costs), list(costs.values()), color="white", edgecolor=colour, hatch=hatch)
        ax.bar_label(bars, [f"{value:.3g}" for value in costs.values()], padding=3)
        ax.set(xscale="log", xlabel=label, xlim=(min(costs.values()) / 2, max(costs.values()) * 5))
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
    axes[0].set_ylim(len(memory) - 0.5, -0.5)
    return list(axes)
