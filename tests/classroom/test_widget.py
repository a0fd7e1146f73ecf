"""The widgets' Python side: what is saved, what arrives, how training is watched and stopped."""

import os
import re
import signal
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from vqlab import lessons
from vqlab.classroom import LessonWidget, PictureExplorer, Slider, TrainingPanel, binary, training

GREY = np.full((4, 6, 3), 9, np.uint8)


class Dot(LessonWidget):
    script = Path(training.__file__).with_name("explorer.js")
    alt_zh, alt_en = "一点。", "A dot."
    sent = binary()

    def figure(self):
        return Figure(figsize=(1, 1))


def test_the_saved_output_holds_a_picture_and_no_address():
    (first, _), (second, _) = Dot()._repr_mimebundle_(), Dot()._repr_mimebundle_()
    view = "application/vnd.jupyter.widget-view+json"
    assert first.pop(view)["model_id"] != second.pop(view)["model_id"]
    assert first == second
    assert first["text/plain"] == "一点。 A dot."
    assert first["text/html"].startswith('<img alt="一点。 A dot." src="data:image/')


def test_the_shared_prelude_stands_before_the_widgets_own_script():
    script = Dot()._esm
    assert script.index("function keepEvents") < script.index("function render") and "export default" in script
    assert ".vq-widget" in Dot()._css


DEFINED = re.compile(r"^(?:export )?(?:async )?(?:function\*?|const|let|class) +(\w+)", re.MULTILINE)
EXPORTED = re.compile(r"^export (?:(?:async )?(?:function\*?|const|let|class) +(\w+)|{([^}]*)})", re.MULTILINE)


def widget_classes():
    """Every widget of the frame and of all rooms."""
    for module in walk_packages(lessons.__path__, "vqlab.lessons."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    found, waiting = [], [LessonWidget]
    while waiting:
        waiting += (kinds := waiting.pop().__subclasses__())
        found += [kind for kind in kinds if kind.__module__.startswith("vqlab.") and "script" in vars(kind)]
    return found


@pytest.mark.parametrize("widget", widget_classes(), ids=lambda widget: widget.__name__)
def test_the_modules_of_a_widget_share_no_name(widget):
    """They stand in one scope: a name defined twice would be a syntax error in the browser, and nowhere else."""
    names = DEFINED.findall(widget._esm)
    assert "render" in names and "widgetRoot" in names
    assert [name for name in set(names) if names.count(name) > 1] == []
    exported = re.findall(r"\w+", " ".join(map(" ".join, EXPORTED.findall(widget._esm))))
    assert [name for name in set(exported) if exported.count(name) > 1] == []


def test_binary_from_javascript_becomes_bytes():
    dot = Dot()
    dot.set_state({"sent": memoryview(b"\x00\xff")})
    assert dot.sent == b"\x00\xff" and isinstance(dot.sent, bytes)


def explorer(compute, **slider):
    slider = {"min": 1, "max": 9, "step": 1, "value": 2, **slider}
    return PictureExplorer(compute, sliders=[Slider("k", "级数", "levels", **slider)],
                           pictures=[("图", "picture")], alt_zh="一张图。", alt_en="A picture.")


def ask(widget, k, request=1):
    widget._handle_custom_msg({"values": {"k": k}, "request": request}, [])


def test_an_explorer_starts_with_its_pictures():
    numbers = {("误差", "error"): 0.123456, ("评语", "remark"): ("好", "good")}
    widget = explorer(lambda k: ([GREY + k], {("码字", "codes"): k, **numbers}))
    assert widget.pixels == bytes([11]) * 4 * 6 * 3
    assert widget.answer["sizes"] == [(6, 4, 50)]  # a picture 6 wide, about 300 pixels on the screen
    assert widget.answer["numbers"] == [(("码字", "codes"), ("2", "2")), (("误差", "error"), ("0.1235", "0.1235")),
                                        (("评语", "remark"), ("好", "good"))]


def test_an_explorer_computes_what_is_asked():
    widget = explorer(lambda k: ([GREY * k], {("码字", "codes"): k}))
    ask(widget, 5, request=7)
    assert widget.pixels == bytes([45]) * 72 and widget.answer["request"] == 7 and widget.answer["values"] == {"k": 5}
    floats = explorer(lambda k: ([np.full((3, 4, 6), float(k))], {}), min=0, max=1, step=0.5, value=1)
    ask(floats, 0)
    assert floats.pixels == bytes([128]) * 72


@pytest.mark.parametrize("slider, kind", [({}, int), ({"step": 0.5}, float)])
def test_whole_numbered_sliders_give_ints(slider, kind):
    seen = []
    widget = explorer(lambda k: (seen.append(k), ([GREY], {}))[1], **slider)
    ask(widget, 3.0)
    assert type(seen[-1]) is kind


def test_an_error_is_said_and_the_widget_goes_on():
    def compute(k):
        if k == 7:
            raise ValueError("7 is too odd")
        return [GREY * k], {}

    widget = explorer(compute)
    ask(widget, 7, 1)
    assert widget.answer["error"] == "ValueError: 7 is too odd" and widget.answer["request"] == 1
    ask(widget, 3, 2)
    assert "error" not in widget.answer and widget.pixels == bytes([27]) * 72


def test_an_explorer_counts_its_pictures():
    with pytest.raises(ValueError, match="expected 1 images, one for each caption, got 2"):
        explorer(lambda k: ([GREY, GREY], {}))


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, and how often the display is updated."""
    events = []
    handle = SimpleNamespace(update=lambda widget: events.append(("update", widget.progress["state"])))

    def display(widget, display_id):
        events.append(("display", widget.progress["state"]))
        return handle

    monkeypatch.setattr(training, "display", display)
    monkeypatch.setattr(training, "UPDATE_SECONDS", 0)  # a point for each record
    return events


def records(count, log=None):
    try:
        for step in range(count):
            yield {"seconds": step / 2, "psnr": 20.0 + step, "loss": 1.0}
    finally:
        if log is not None:
            log.append("closed")


def panel():
    return TrainingPanel("训练", "Training", 5, {"psnr": ("峰值信噪比", "PSNR"), "loss": ("损失", "loss")})


def points(widget, columns):
    return np.frombuffer(widget.points, np.float32).reshape(-1, columns).tolist()


def test_watch_passes_every_record_on_and_keeps_the_final_picture(shown):
    widget = panel()
    assert [record["psnr"] for record in widget.watch(records(3), y="psnr")] == [20, 21, 22]
    assert points(widget, 2) == [[0, 20], [0.5, 21], [1, 22]]
    assert widget.progress == {"at": 1.0, "step": 3, "state": "finished"}
    assert shown == [("display", "ready"), ("update", "finished")]  # one output, whose picture is the last


def test_watch_reads_attributes_too(shown):
    widget = panel()
    list(widget.watch([SimpleNamespace(seconds=1, psnr=2, loss=3)]))
    assert points(widget, 3) == [[1, 2, 3]]


@pytest.mark.parametrize("x, axis", [("seconds", ["时间（秒）", "time (seconds)"]), ("step", ["步", "step"])])
def test_the_axis_is_named_in_both_languages(shown, x, axis):
    widget = panel()
    list(widget.watch([SimpleNamespace(seconds=1, step=1, psnr=2, loss=3)], x))
    assert widget.setup["axis"] == axis


def test_stop_ends_the_loop_normally(shown):
    widget, log, seen = panel(), [], []
    source = records(100, log)  # the lesson still holds it, so only watch() can close it
    for record in widget.watch(source):
        seen.append(record)
        if len(seen) == 4:
            widget._handle_custom_msg({"stop": True}, [])
    assert len(seen) == 4 and log == ["closed"]
    assert widget.progress["state"] == "stopped" and shown[-1] == ("update", "stopped")
    assert len(list(widget.watch(records(3)))) == 3  # and it can be used again


def test_an_interrupt_ends_the_loop_normally_wherever_it_comes(shown):
    before = signal.getsignal(signal.SIGINT)
    widget, seen = panel(), []
    for record in widget.watch(records(100)):
        seen.append(record)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGINT)
    assert len(seen) == 2 and widget.progress["state"] == "stopped"
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_ends_a_step_that_hangs(shown):
    def hangs():
        yield {"seconds": 0, "psnr": 1, "loss": 1}
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("still running")

    widget = panel()
    assert len(list(widget.watch(hangs()))) == 1
    assert widget.progress["state"] == "stopped"


def training_run(total, log):
    """A function that makes the records from where the training stands, as `fit` does with a state."""
    state = {"step": 0}

    def fit():
        try:
            while state["step"] < total:
                state["step"] += 1
                yield {"seconds": float(state["step"]), "psnr": 20.0 + state["step"], "loss": 1.0}
        finally:
            log.append(state["step"])

    return fit


def test_continue_goes_on_from_the_stop_and_draws_the_rest_to_the_same_curve(shown):
    widget, log, passed = panel(), [], []
    fit = training_run(9, log)
    for record in widget.watch(fit(), resume=fit, y="psnr"):
        passed.append(record["psnr"])
        if len(passed) == 3:
            widget._handle_custom_msg({"stop": True}, [])
    assert passed == [21, 22, 23] and widget.progress == {"at": 3.0, "step": 3, "state": "stopped"}
    assert widget.setup["resumes"]
    widget._handle_custom_msg({"stop": True}, [])  # pressed twice; the second came late
    widget._handle_custom_msg({"resume": True}, [])
    assert log == [3, 9] and widget.progress == {"at": 9.0, "step": 9, "state": "finished"}
    drawn = np.array(points(widget, 2))
    assert (drawn[0] == [1, 21]).all() and (drawn[-1] == [9, 29]).all() and (np.diff(drawn[:, 0]) > 0).all()
    assert shown == [("display", "ready"), ("update", "stopped"), ("update", "finished")]  # in the one output
    widget._handle_custom_msg({"resume": True}, [])  # nothing is left to do
    assert log == [3, 9]


def test_a_continued_training_can_be_stopped_and_continued_again(shown, monkeypatch):
    monkeypatch.setattr(training, "UPDATE_SECONDS", 0)  # the preview comes with every step
    widget, log, stops = panel(), [], {2, 5}
    fit = training_run(7, log)

    def preview():
        if widget.progress["step"] in stops:
            stops.discard(widget.progress["step"])
            widget._handle_custom_msg({"stop": True}, [])
        return np.ones((3, 4, 6), np.float32)

    list(widget.watch(fit(), resume=fit, preview=preview, preview_seconds=0))
    reached = [widget.progress["step"]]
    while widget.progress["state"] == "stopped":
        widget._handle_custom_msg({"resume": True}, [])
        reached.append(widget.progress["step"])
    assert reached == [3, 6, 7] and widget.preview_size == [6, 4]


def test_only_a_stopped_training_that_knows_how_offers_to_continue(shown):
    widget, log = panel(), []
    for number, _ in enumerate(widget.watch(records(9))):
        if number == 1:
            widget._handle_custom_msg({"stop": True}, [])
    widget._handle_custom_msg({"resume": True}, [])
    assert widget.progress["state"] == "stopped" and not widget.setup["resumes"]
    fit = training_run(3, log)
    for _ in widget.watch(fit(), resume=fit):
        widget._handle_custom_msg({"resume": True}, [])  # while it runs: not twice at once
    assert log == [3] and widget.progress["step"] == 3


def test_break_counts_as_stopped(shown):
    widget, log = panel(), []
    watched = widget.watch(records(9, log))
    next(watched)
    watched.close()
    assert widget.progress["state"] == "stopped" and log == ["closed"]


def test_an_error_in_training_is_not_swallowed(shown):
    def fails():
        yield {"seconds": 0, "psnr": 1, "loss": 1}
        raise RuntimeError("no memory")

    widget = panel()
    with pytest.raises(RuntimeError, match="no memory"):
        list(widget.watch(fails()))
    assert widget.progress["state"] == "failed"


def test_watch_names_an_unknown_curve(shown):
    with pytest.raises(ValueError, match=r"expected y out of \['psnr', 'loss'\], got \['fps'\]"):
        list(panel().watch(records(2), y="fps"))


def test_the_preview_is_shown_and_saved(shown):
    widget = panel()
    list(widget.watch(records(2), preview=lambda: np.ones((3, 4, 6), np.float32)))
    assert widget.preview == bytes([255]) * 72 and widget.preview_size == [6, 4]
    with_picture = widget.picture()
    list(widget.watch(records(2)))
    assert widget.preview_size == [0, 0] and widget.picture() != with_picture


def test_a_long_training_keeps_few_points(shown, monkeypatch):
    monkeypatch.setattr(training, "MOST_POINTS", 10)
    widget = panel()
    list(widget.watch(records(100)))
    assert len(points(widget, 3)) <= 10 and points(widget, 3)[-1][0] == 49.5


def test_every_state_has_words_in_both_languages():
    script = TrainingPanel._esm
    for state in ("ready", "running", "finished", "stopped", "failed"):
        zh, en = re.search(rf'{state}: \["(.*?)", "(.*?)"\]', script).groups()
        assert re.search("[\u4e00-\u9fff]", zh) and re.fullmatch("[ -~]+", en)
