"""Training in front of the reader: curves, progress, a preview, a stop that keeps what was learnt, and going on."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import traitlets
from IPython.display import display
from matplotlib.figure import Figure

from vqlab.classroom.figures import COLOURS, draw_images, pixels
from vqlab.classroom.widget import LessonWidget, binary

UPDATE_SECONDS = 0.15  # between two messages to the browser
PREVIEW_SECONDS = 3.0  # between two preview pictures, where nothing else is said
MOST_POINTS = 600  # of a curve; then every second one goes

AXES = {"seconds": ("时间（秒）", "time (seconds)"), "step": ("步", "step")}
LINES = [COLOURS[name] for name in ("data", "codes", "wrong", "other")]


class TrainingPanel(LessonWidget):
    """What a training loop does, while it does it.

    ::

        panel = TrainingPanel("训练", "Training", 60, {"psnr": ("峰值信噪比 (dB)", "PSNR (dB)")})
        for record in panel.watch(fit(model, batches, seconds=60)):
            pass

    Args:
        title_zh: the title, in Chinese.
        title_en: the same in English.
        seconds: how long the training takes; where the x axis ends.
        series: one curve each: name of the record's field -> its label (Chinese, English) with the unit.
        caption: of the preview picture, (Chinese, English).
    """

    script = "training.js"
    setup = traitlets.Dict().tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    points = binary()  # float32 rows: x, one value for each curve
    preview = binary()  # RGB
    preview_size = traitlets.List([0, 0]).tag(sync=True)  # width, height

    def __init__(self, title_zh: str, title_en: str, seconds: float, series: Mapping[str, tuple[str, str]],
                 caption: tuple[str, str] = ("现在", "now")):
        self.title, self.seconds, self.series, self.caption = (title_zh, title_en), seconds, dict(series), caption
        self.alt_zh = f"{title_zh}：{'、'.join(zh for zh, _ in self.series.values())}随时间变化的曲线。"
        self.alt_en = f"{title_en}: {', '.join(en for _, en in self.series.values())} over time, as curves."
        super().__init__()
        self._stop, self._resume = threading.Event(), None
        self._reset("seconds")
        self.on_msg(self._asked)

    def watch(self, records: Iterable[Any], x: str = "seconds", y: str | Sequence[str] | None = None,
              preview: Callable[[], Any] | None = None, preview_seconds: float = PREVIEW_SECONDS,
              resume: Callable[[], Iterable[Any]] | None = None) -> Iterator[Any]:
        """Show the panel, and pass on each record after drawing it.

        Ends early, without an error, when Stop or the notebook's interrupt button is pressed.

        Args:
            records: what training yields: objects with attributes, or dicts.
            x: the field for the x axis, from 0 to ``seconds``.
            y: the fields to draw, out of ``series``; all of them by default.
            preview: called now and then, and at the end; returns an image, uint8 (H, W, 3) or
                float (3, H, W) in [-1, 1].
            preview_seconds: between two of its calls.
            resume: makes the records that follow after a stop, such as ``lambda: fit(…, state=state)``. With it a
                stopped panel offers Continue, as often as one likes; those records are drawn, but go to no loop.

        Yields:
            Each record.

        Raises:
            ValueError: ``y`` names a field that ``series`` does not.
        """
        names = [y] if isinstance(y, str) else list(self.series if y is None else y)
        if unknown := set(names) - set(self.series):
            raise ValueError(f"expected y out of {list(self.series)}, got {sorted(unknown)}")
        self._reset(x, names, resume)
        follow = partial(self._follow, x=x, preview=preview, preview_seconds=preview_seconds,
                         handle=display(self, display_id=True))
        self._resume = resume and (lambda: follow(resume()))
        yield from follow(records)

    def _follow(self, records: Iterable[Any], x: str, preview: Callable[[], Any] | None, preview_seconds: float,
                handle: Any) -> Iterator[Any]:
        """Draw each record and pass it on, from where the panel stands."""
        self._stop.clear()
        state, fresh, step = "finished", [], self.progress["step"]
        updated = pictured = -np.inf
        self._push("running", step)
        try:
            with _interrupt_sets(self._stop):
                for step, record in enumerate(records, step + 1):  # noqa: B007, B020
                    fresh.append([float(_field(record, name)) for name in (x, *self._names)])
                    now = time.monotonic()
                    if now - updated >= UPDATE_SECONDS:
                        if preview and now - pictured >= preview_seconds:
                            self._show(preview())
                            pictured = time.monotonic()
                        self._add(fresh)
                        self._push("running", step)
                        fresh, updated = [], time.monotonic()
                    yield record
                    if self._stop.is_set():
                        state = "stopped"
                        break
        except (GeneratorExit, KeyboardInterrupt) as early:  # `break` in the lesson's loop; an interrupt
            state = "stopped"
            if isinstance(early, GeneratorExit):
                raise
        except BaseException:
            state = "failed"
            raise
        finally:
            if hasattr(records, "close"):
                records.close()
            if preview and state != "failed":
                self._show(preview())
            self._add(fresh)
            self._push(state, step)
            if handle:  # the stored output gets the final picture
                handle.update(self)

    def figure(self) -> Figure:
        """Draw the curves so far, and the last preview."""
        shown = [*self._names, "preview"] if self._image is not None else self._names
        fig = Figure(figsize=(7.5, 2.3 if self._image is None else 2.5))
        axes = fig.subplots(1, len(shown), squeeze=False)[0]
        rows = np.array(self._rows).reshape(-1, 1 + len(self._names))
        for number, (ax, name) in enumerate(zip(axes, self._names, strict=False)):
            ax.plot(rows[:, 0], rows[:, 1 + number], color=LINES[number % len(LINES)])
            ax.set(title=" ".join(self.series[name]), xlabel=" ".join(self._axis), xlim=(0, self.seconds))
        if self._image is not None:
            draw_images([self._image], ["\n".join(self.caption)], axes[-1:])
        return fig

    def _reset(self, x: str, names: Sequence[str] | None = None, resume: Callable | None = None) -> None:
        self._names = list(names or self.series)
        self._axis = AXES.get(x, (x, x))
        self._rows, self._image = [], None
        self.progress = {"at": 0, "step": 0, "state": "ready"}
        self.setup = {
            "title": list(self.title), "end": self.seconds, "axis": list(self._axis), "timed": x == "seconds",
            "caption": list(self.caption), "resumes": resume is not None,
            "series": [{"zh": self.series[name][0], "en": self.series[name][1], "colour": LINES[i % len(LINES)]}
                       for i, name in enumerate(self._names)],
        }
        self.preview_size, self.preview = [0, 0], b""

    def _add(self, fresh: list[list[float]]) -> None:
        """Add one point: the mean of what came since the last."""
        if fresh:
            self._rows.append(list(np.mean(fresh, axis=0)))
        if len(self._rows) > MOST_POINTS:
            self._rows = self._rows[1::2]

    def _show(self, image: Any) -> None:
        self._image = pixels(image)
        with self.hold_sync():
            self.preview = self._image.tobytes()
            self.preview_size = [self._image.shape[1], self._image.shape[0]]

    def _push(self, state: str, step: int) -> None:
        at = float(self._rows[-1][0]) if self._rows else 0
        with self.hold_sync():
            self.points = np.array(self._rows, np.float32).tobytes()
            self.progress = {"at": at, "step": step, "state": state}

    def _asked(self, _, content, buffers) -> None:
        if content.get("stop"):  # may come on another thread, while the cell is busy
            self._stop.set()
        elif content.get("resume") and self._resume and self.progress["state"] == "stopped":
            for _ in self._resume():
                pass


def _field(record: Any, name: str) -> Any:
    return record[name] if isinstance(record, Mapping) else getattr(record, name)


@contextmanager
def _interrupt_sets(event: threading.Event) -> Iterator[None]:
    """Let the first interrupt set ``event``, so that no step is left half done; the second one raises."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(number, frame):
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
