"""The training panel in a real JupyterLab: Stop and Continue by their buttons, heard by the kernel."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.browser

CELLS = [
    "from vqlab.classroom import TrainingPanel, start\nstart()",
    """import torch
from vqlab import EMAVectorQuantizer, SimpleVQVAE, TrainingState, crops, fit, photos
torch.set_num_threads(1)
model = SimpleVQVAE(16, 4, hidden=8, blocks=0, quantizer=EMAVectorQuantizer(16, 4))
state = TrainingState()
batches = crops(photos(), 2, 16, generator=state.generator)
training = lambda: fit(model, batches, seconds=6, state=state)
panel = TrainingPanel("训练", "Training", 6, {"psnr": ("峰值信噪比（dB）", "PSNR (dB)")})""",
    "for record in panel.watch(training(), resume=training):\n    pass",
    "print('stopped at', record.step, state.step)",
    "print('then', state.step, model.training)",
]


def test_stop_and_continue(open_lesson, start_lab):
    kernel = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in CELLS], metadata={"kernelspec": kernel}),
                   start_lab().files / "training.ipynb")
    lesson = open_lesson("training.ipynb")
    lesson.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")  # not awaited
    stop, again = (lesson.page.locator(".vq-widget button").filter(has_text=text) for text in ("Stop", "Continue"))
    steps = lesson.page.locator(".vq-widget output").first
    stop.wait_for(timeout=60_000)
    assert again.is_hidden()
    lesson.page.wait_for_function("() => document.querySelector('.vq-widget progress').value > 0.5", timeout=30_000)
    stop.click()
    again.wait_for(timeout=10_000)
    lesson.wait_output(3, "stopped at")
    reached = int(lesson.outputs(3)[0]["text"].split()[-1])
    assert f"step {reached}" in steps.inner_text() and stop.is_hidden()

    again.click()
    stop.wait_for(timeout=10_000)  # it runs again: and hears Stop again, with no cell running
    lesson.page.wait_for_timeout(500)
    stop.click()
    again.wait_for(timeout=10_000)
    later = int(steps.inner_text().split()[-1])
    assert later > reached

    again.click()
    lesson.page.locator(".vq-widget").get_by_text("Finished").wait_for(timeout=30_000)
    assert again.is_hidden() and stop.is_hidden()
    lesson.run_cell(4)
    word, last, training = lesson.outputs(4)[0]["text"].split()
    assert f"step {last}" in steps.inner_text() and int(last) > later and training == "False"
    assert lesson.errors() == [] and lesson.console_errors == []
