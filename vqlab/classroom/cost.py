"""What a computation costs on this machine: the memory it holds at once, its time beside the others'."""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile


def peak_memory(function: Callable[..., Any], *arguments: Any) -> int:
    """The most bytes that ``function(*arguments)`` held at once beyond its arguments, as torch's profiler counts."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as measured:
            function(*arguments)
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


def seconds_in_turn(calls: Mapping[str, Callable[[], Any]], repeats: int = 5) -> dict[str, float]:
    """The median seconds of each call, after one to warm up; they take turns, so that they share the noise.

    A GPU works on while Python goes ahead: it is waited for before the clock is read.
    """
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    seconds = {name: [] for name in calls}
    for call in calls.values():
        call()  # the first call also pays for setting up
    for _ in range(repeats):
        for name, call in calls.items():
            wait()
            start = time.perf_counter()
            call()
            wait()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(all_) for name, all_ in seconds.items()}
