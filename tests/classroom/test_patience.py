"""An answer that does not end is stopped, on the main thread, whatever it is doing; elsewhere one is told how."""

import threading
import time

import pytest

from vqlab.classroom import patience
from vqlab.classroom.patience import OutOfPatience, Patience


def endless():
    while True:
        pass


def deaf():
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass


@pytest.mark.parametrize("body", [endless, deaf, lambda: time.sleep(60)])
def test_what_does_not_end_is_stopped(body):
    with pytest.raises(OutOfPatience), Patience(0.2):
        body()


def test_what_ends_in_time_is_left_alone():
    before = threading.active_count()
    with Patience(30):
        pass
    with pytest.raises(ZeroDivisionError), Patience(30):
        1 / 0  # noqa: B018
    with pytest.raises(KeyboardInterrupt), Patience(30):  # by hand
        raise KeyboardInterrupt
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.01)
    assert threading.active_count() <= before  # nobody waits on


def test_what_cannot_be_stopped_says_how_to(monkeypatch):
    shown = []
    monkeypatch.setattr(patience, "display", lambda data, raw: shown.append(data["text/plain"]))
    rounds = 0
    with Patience(0.1, grace=0.1):
        while rounds < 3:
            try:
                time.sleep(5)
            except KeyboardInterrupt:
                rounds += 1
    assert len(shown) == 1 and "Interrupt" in shown[0] and "重启" in shown[0]


def test_another_thread_is_told_and_not_interrupted(monkeypatch):
    shown, ended = [], []
    monkeypatch.setattr(patience, "display", lambda data, raw: shown.append(data["text/plain"]))

    def body():
        with Patience(0.05, grace=0.05):
            while not shown:
                time.sleep(0.01)
        ended.append(True)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(10)
    assert ended and len(shown) == 1


def test_in_a_kernel_the_cell_goes_on():
    """As a notebook runs it: the verdict is the cell's output, and the kernel lives."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = ["from vqlab.lessons.distances.exercises import centre\ncentre.patience = 0.3",
             "def endless(z, codebook):\n    while True:\n        pass\ncentre.check(endless)\nprint('on')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = notebook.cells[1].outputs
    assert "⚠ 01.centre" in outputs[0].data["text/plain"] and "Stopped after 0.3" in outputs[0].data["text/html"]
    assert outputs[1].text == "on\n"
