"""The tour in a real JupyterLab: Stop keeps what was learnt, the slider re-runs the model, memory stays small."""

import re

import psutil
import pytest

pytestmark = pytest.mark.browser


def cell_with(lesson, text):
    return next(number for number, cell in enumerate(lesson.cells())
                if cell["cell_type"] == "code" and text in "".join(cell["source"]))


@pytest.fixture(scope="module")
def lesson(open_lesson):
    """The tour, run from top to bottom, with the training stopped by its button after a few steps."""
    lesson = open_lesson("notebooks/00_start.ipynb")
    training = cell_with(lesson, "TrainingPanel(")
    lesson.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")  # not awaited
    lesson.scroll_to(training)
    stop = lesson.page.locator(".vq-widget button").filter(has_text="Stop").first
    stop.wait_for(timeout=120_000)
    lesson.page.wait_for_function(
        "() => [...document.querySelectorAll('progress')].some(bar => bar.value > 0.2 * bar.max)", timeout=120_000)
    stop.click()
    lesson.page.wait_for_function(  # a notebook whose last cell has run
        "jupyterapp.shell.currentWidget.context.model.toJSON().cells"
        ".filter(cell => cell.cell_type === 'code').every(cell => cell.execution_count)", timeout=45_000)
    return lesson


def test_stop_ends_training_early_and_the_rest_still_runs(lesson):
    """The fixture got there in 45 s, of 60 s of training: Stop was heard while the cell was busy."""
    assert lesson.errors() == []
    said, = (output["data"]["text/plain"] for output in lesson.outputs(cell_with(lesson, "after {after:.1f} dB"))
             if output["output_type"] == "display_data")
    before, after = map(float, re.findall(r"([\d.]+) dB", said.splitlines()[-1]))  # the English line
    assert after > before  # what was learnt is kept


def test_fewer_tokens_redraw_the_cat_by_keyboard_and_by_drag(lesson):
    """So early, her face may be spelled with fewer than 128 tokens: leaving out the others need not change it."""
    lesson.scroll_to(cell_with(lesson, "PictureExplorer("))
    slider = lesson.page.locator(".jp-OutputArea-output input[type=range]").first
    canvas = lesson.page.locator(".jp-OutputArea-output canvas").last
    tokens = lesson.page.locator(".vq-numbers div", has_text="different tokens").locator("dd")
    canvas.wait_for()
    slider.scroll_into_view_if_needed()
    picture = lesson.pixels(canvas)
    for key, number in (("ArrowLeft", "256"), ("ArrowLeft", "128"), ("Home", "1")):
        lesson.press(slider, key)
        tokens.filter(has_text=re.compile(f"^{number}$")).wait_for(timeout=10_000)
    picture = lesson.wait_pixels_change(canvas, picture)  # one token: one colour
    lesson.drag(slider, 120, 0)
    lesson.wait_pixels_change(canvas, picture)
    assert int(tokens.inner_text()) > 1
    assert lesson.console_errors == []


def test_the_kernel_stays_below_1_2_gigabytes(lesson):
    kernels = [process for process in psutil.process_iter(["cmdline"])
               if "ipykernel_launcher" in " ".join(process.info["cmdline"] or [])]
    assert kernels
    for process in kernels:
        with open(f"/proc/{process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        assert peak < 1.2e6  # kB
