"""Tick remedies, run, watch: a small training in front of the reader."""

import time
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.widget import LessonWidget
from vqlab.lessons.collapse.plane import SPAN, codes_plane, draw_codes
from vqlab.lessons.collapse.runs import REMEDIES, STEPS, WORDS, SmallRun, remedied
from vqlab.train import Record

CHUNK_SECONDS = 0.1  # of training between two pictures of `RemedyBench`


class RemedyBench(LessonWidget):
    """Tick remedies, run, watch: a small training in front of the reader, beside those that went before.

    The page asks for a tenth of a second of training at a time, so Stop is heard at once.

    Args:
        runs: label (Chinese, English) -> finished run, listed from the start.
        steps: of a run started here.
    """

    script = "bench.js"
    setup = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    alt_zh = "勾选补救办法并运行：使用率、困惑度和分贝随步数变化的曲线，码字在平面上的位置，以及每次运行的成绩。"
    alt_en = ("Tick remedies and run: usage, perplexity and decibels over the steps, where the codes are on a plane, "
              "and each run's results.")

    def __init__(self, runs: Mapping[tuple[str, str], SmallRun], *, steps: int = STEPS):
        self.steps, self.run, self.running = steps, None, False
        self.rows = [{"label": list(label), **run.score._asdict()} for label, run in runs.items()]
        super().__init__()
        self.setup = {"steps": steps, "words": WORDS, "span": SPAN, "alt": f"{self.alt_zh} {self.alt_en}",
                      "remedies": [[name, *text] for name, text in REMEDIES.items()],
                      "before": [_curve(run.records) for run in runs.values()]}
        last = list(runs.values())[-1]
        self.shown = codes_plane(last.model)
        self.answer = self._answer("ready", 0, _curve(last.records))
        self.on_msg(self._asked)

    def start(self, remedies: Collection[str]) -> None:
        """Begin a run with these remedies; `advance` trains it."""
        self.chosen = [name for name in REMEDIES if name in remedies]
        self.run, self.shown = SmallRun(lambda: remedied(remedies), steps=self.steps), None
        self._records, self.running = iter(self.run), True

    def advance(self, seconds: float = CHUNK_SECONDS) -> bool:
        """Train a little; returns whether the run is over."""
        until = time.monotonic() + seconds
        for _ in self._records:
            if time.monotonic() >= until:
                break
        over = len(self.run.records) >= self.steps
        if over:
            self.stop()
        return over

    def stop(self) -> None:
        """End the run, early or not, and write its results down."""
        self.run.close()
        self.running = False
        names = [REMEDIES[name] for name in self.chosen] or [("没有补救", "no remedy")]
        label = ["、".join(zh for zh, _ in names), ", ".join(en for _, en in names)]
        self.rows.append({"label": label, "steps": len(self.run.records), **self.run.score._asdict()})

    def _asked(self, _, content: dict[str, Any], buffers) -> None:
        request, state = content["request"], "running"
        try:
            if "start" in content:
                self.start(content["start"])
            if not self.running:  # asked twice: it is over
                state = self.answer["state"]
            elif content.get("stop"):
                state = "stopped"
                self.stop()
            elif self.advance():
                state = "finished"
            model = self.run.model
            training = model.training
            self.shown = codes_plane(model.eval(), None if self.shown is None else self.shown.axes)
            model.train(training)
            self.answer = self._answer(state, request, _curve(self.run.records))
        except Exception as error:  # the learner reads it, and the widget goes on
            self.answer = {**self.answer, "state": "failed", "request": request,
                           "error": f"{type(error).__name__}: {error}"}

    def _answer(self, state: str, request: int, curve: list) -> dict[str, Any]:
        return {"state": state, "request": request, "curve": curve, "rows": self.rows,
                "z_e": _rounded(self.shown.z_e), "codes": _rounded(self.shown.codes.clamp(-SPAN, SPAN)),
                "used": self.shown.used.int().tolist()}

    def figure(self) -> Figure:
        """Draw the last run's curve, its plane and all results."""
        fig = Figure(figsize=(4.9, 2))
        left, right = fig.subplots(1, 2, width_ratios=[1.6, 1])
        curve = np.array(self.answer["curve"])
        for before in self.setup["before"]:
            left.plot(*np.array(before).T[:2], color=COLOURS["dead"], linewidth=0.8)
        left.plot(curve[:, 0], curve[:, 1], color=COLOURS["data"])
        left.set(xlabel="步 step", title="使用率 usage (%)", ylim=(0, 103))
        draw_codes(self.shown, right)
        return fig


def _curve(records: list[Record]) -> list[list[float]]:
    """Rows of step, usage in %, perplexity, dB; at most about 60 of them, each the mean of its steps."""
    size = max(1, len(records) // 60)
    groups = [records[start:start + size] for start in range(0, len(records), size)]
    return [[group[-1].step, *(round(float(np.mean([getattr(record, name) for record in group])) * factor, 2)
                               for name, factor in (("usage", 100), ("perplexity", 1), ("psnr", 1)))]
            for group in groups]


def _rounded(points: Tensor) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in points.tolist()]
