"""Lesson 4 in a real JupyterLab: stop the minute, tick remedies, run, stop, by mouse and by keyboard."""

import pytest

pytestmark = pytest.mark.browser


def cell_with(lesson, text):
    return next(number for number, cell in enumerate(lesson.cells())
                if cell["cell_type"] == "code" and text in "".join(cell["source"]))


@pytest.fixture(scope="module")
def lesson(open_lesson):
    """The lesson, run from top to bottom, with its minute of training stopped by the button."""
    lesson = open_lesson("notebooks/04_collapse.ipynb")
    minute = cell_with(lesson, "seconds=60")
    lesson.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")  # not awaited
    lesson.scroll_to(minute)
    cell = lesson.notebook.locator(f'[data-windowed-list-index="{minute}"]')
    stop = cell.locator(".vq-widget button").filter(has_text="Stop")
    stop.wait_for(timeout=180_000)
    lesson.page.wait_for_function("e => e.querySelector('progress').value > 2", arg=cell.element_handle(),
                                  timeout=60_000)
    stop.click()
    lesson.page.wait_for_function(  # a notebook whose last cell has run
        "jupyterapp.shell.currentWidget.context.model.toJSON().cells"
        ".filter(cell => cell.cell_type === 'code').every(cell => cell.execution_count)", timeout=50_000)
    assert lesson.errors() == []
    lesson.show_answers()
    return lesson


@pytest.fixture(scope="module")
def bench(lesson):
    found = lesson.scroll_to(cell_with(lesson, "RemedyBench(")).locator(".vq-widget")
    found.wait_for()
    found.scroll_into_view_if_needed()
    return found


def wait_state(lesson, bench, state, seconds=60):
    lesson.page.wait_for_function("([e, state]) => e.dataset.state === state",
                                  arg=[bench.element_handle(), state], timeout=1000 * seconds)


def test_a_minute_stopped_early_keeps_its_codes(lesson):
    said = "".join(each["data"]["text/plain"] for each in lesson.outputs(cell_with(lesson, "minute = lesson.score"))
                   if each["output_type"] == "display_data")
    assert "default three" in said and "no remedy" in said


def test_a_run_with_two_remedies_by_mouse(lesson, bench):
    charts, plane = bench.locator(".vq-chart canvas").all(), bench.locator(".vq-plane canvas")
    before = [lesson.pixels(canvas) for canvas in (*charts, plane)]
    rows = int(bench.get_attribute("data-rows"))
    bench.locator("input[value=ema]").check()
    bench.locator("input[value=restart]").check()
    run, stop = bench.locator("button").all()
    assert run.is_enabled() and stop.is_disabled()
    run.click()
    wait_state(lesson, bench, "finished")
    assert int(bench.get_attribute("data-rows")) == rows + 1 and int(bench.get_attribute("data-step")) == 80
    last = bench.locator("tbody tr").last.inner_text()
    assert "EMA, restart" in last and "%" in last and "/ 256" in last
    for canvas, pixels in zip((*charts, plane), before, strict=True):
        lesson.wait_pixels_change(canvas, pixels)
    assert run.is_enabled() and stop.is_disabled()


def test_every_box_by_keyboard_then_stop(lesson, bench):
    cells = [cell["id"] for cell in lesson.cells()]
    for box in bench.locator("input[type=checkbox]").all():
        before = box.is_checked()
        lesson.press(box, "Space")
        assert box.is_checked() != before
        if before:
            lesson.press(box, "Space")
    assert bench.locator("input:checked").count() == 6
    run, stop = bench.locator("button").all()
    rows = int(bench.get_attribute("data-rows"))
    lesson.press(run, "Enter")
    wait_state(lesson, bench, "running")
    lesson.press(stop, "Enter")
    wait_state(lesson, bench, "stopped")
    assert 0 < int(bench.get_attribute("data-step")) < 80
    assert int(bench.get_attribute("data-rows")) == rows + 1
    assert "entropy term" in bench.locator("tbody tr").last.inner_text()
    assert [cell["id"] for cell in lesson.cells()] == cells and lesson.errors() == []


def test_another_run_after_the_stop(lesson, bench):
    for box in bench.locator("input[type=checkbox]").all():
        box.uncheck()
    bench.locator("button").first.click()
    wait_state(lesson, bench, "finished")
    assert "no remedy" in bench.locator("tbody tr").last.inner_text()


def test_nothing_on_the_console(lesson):
    assert lesson.console_errors == []
