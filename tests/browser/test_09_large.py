"""Lesson 9 in a real JupyterLab: every control by mouse and by keyboard, numbers and pictures beside Python's."""

import json

import pytest
import torch

from vqlab import nearest_code
from vqlab.lessons.large import CellSearch, GroupedRow, MatrixMemory, bytes_said, inverted_lists, memory_of
from vqlab.lessons.large.groups import opened_groups, slow_work
from vqlab.lessons.large.memory import CHUNK

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson("notebooks/09_large.ipynb")
    lesson.run_all()
    assert lesson.errors() == []
    lesson.page.evaluate("() => document.querySelectorAll('details.vq-answer').forEach(e => { e.open = true; })")
    yield lesson
    assert lesson.console_errors == []


def widget(lesson, source):
    """The widget of the first cell whose source holds ``source``, on screen, its answer opened."""
    number = next(n for n, cell in enumerate(lesson.cells()) if source in "".join(cell["source"]))
    cell = lesson.scroll_to(number)
    for answer in cell.locator("details.vq-answer:not([open]) > summary").all():
        answer.click()
    found = cell.locator(".vq-widget")
    found.wait_for()
    found.scroll_into_view_if_needed()
    return found


def test_memory_in_javascript_is_python_s(in_javascript):
    for arguments in ((4096, 512, 64, 4), (2**18, 2**14, 32, 2), (8, 2**22, 2, 8), (64, 16, 2, 4)):
        there = in_javascript(MatrixMemory, "(js, x) => js.memoryOf(...x)", [*arguments, CHUNK])
        assert there == memory_of(*arguments)
    for number in (5, 1023, 1536, 8 * 2**20, 3.5 * 2**40, 2.0**63):
        assert in_javascript(MatrixMemory, "(js, x) => js.bytesSaid(x)", number) == bytes_said(number)


def test_two_levels_in_javascript_are_python_s(in_javascript):
    rows = torch.rand(6, 64, generator=torch.Generator().manual_seed(0))
    for row, groups, slack in zip(rows, (1, 4, 8, 16, 64, 8), (0, 0.01, 0.1, 0.3, 0.05, 0), strict=True):
        there = in_javascript(GroupedRow, "(js, [row, groups, slack]) => js.twoLevels(row, groups, slack)",
                              [row.tolist(), groups, slack])
        assert there["opened"] == opened_groups(row, groups, slack).tolist()
        assert there["work"] == slow_work(row, groups, slack) and there["winner"] == int(row.argmin())


def test_cells_in_javascript_are_python_s(in_javascript):
    generator = torch.Generator().manual_seed(1)
    codes, query = torch.rand(80, 2, generator=generator) * 2 - 1, torch.rand(2, generator=generator) * 2 - 1
    centres, lists = inverted_lists(codes, 6)
    for probes in (1, 2, 6):
        there = in_javascript(CellSearch, "(js, x) => js.searchCells(...x)", [
            query.tolist(), codes.tolist(), centres.tolist(), [each.tolist() for each in lists], probes])
        cells = torch.cdist(query[None], centres)[0].argsort()[:probes]
        compared = torch.cat([lists[cell] for cell in cells])
        assert sorted(there["compared"]) == sorted(compared.tolist())
        assert there["found"] == int(compared[nearest_code(query[None], codes[compared])])
        assert there["nearest"] == int(nearest_code(query[None], codes))


def test_calculator_by_keyboard_drag_and_radio(lesson):
    found = widget(lesson, "MatrixMemory(")
    canvas, (n, k, d) = found.locator("canvas"), found.locator("input[type=range]").all()
    numbers, picture = found.locator("dl").inner_text(), lesson.pixels(canvas)
    assert found.get_attribute("data-scores") == str(2**14 * 2**10 * 4) and "64 MiB" in numbers
    lesson.press(n, "ArrowRight")
    assert found.get_attribute("data-n") == "32768" and "128 MiB" in found.locator("dl").inner_text()
    picture = lesson.wait_pixels_change(canvas, picture)
    lesson.press(k, "ArrowRight", "ArrowRight")
    assert found.get_attribute("data-scores") == str(2**15 * 2**12 * 4)
    picture = lesson.wait_pixels_change(canvas, picture)
    lesson.press(d, "ArrowLeft")  # the matrix does not mind, the inputs do
    assert found.get_attribute("data-scores") == str(2**15 * 2**12 * 4)
    picture = lesson.wait_pixels_change(canvas, picture)
    found.locator("input[type=radio]").nth(2).check()
    assert found.get_attribute("data-scores") == str(2**15 * 2**12 * 2)
    lesson.press(found.locator("input[type=radio]").nth(2), "ArrowUp")
    assert found.get_attribute("data-itemsize") == "4"
    for bar in (n, k):
        lesson.press(bar, "End")
    assert "none of them" in found.locator("dl").inner_text()  # 2^24 × 2^20 × 4 bytes
    lesson.drag(n, -250)
    assert int(found.get_attribute("data-n")) < 2**24


def test_bars_are_measured_again_by_button_and_radio(lesson):
    found = widget(lesson, "bars = lesson.StepTimes(")
    canvas, picture = found.locator("canvas"), lesson.pixels(found.locator("canvas"))
    for number, act in enumerate((lambda: found.locator("button").click(),
                                  lambda: lesson.press(found.locator("button"), "Enter"),
                                  lambda: found.locator("input[type=radio]").nth(2).check(),
                                  lambda: lesson.press(found.locator("input[type=radio]").nth(5), "ArrowRight")), 1):
        act()
        lesson.page.wait_for_function("([e, n]) => e.dataset.answered === n",
                                      arg=[found.element_handle(), str(number)])
        times = dict(json.loads(found.get_attribute("data-times")))
        assert list(times) == ["乘积 product", "argmin", "min", "amin"] and times["乘积 product"] == 1
    lesson.wait_pixels_change(canvas, picture)


def test_groups_by_keyboard_and_drag(lesson):
    found = widget(lesson, "GroupedRow(")
    canvas, (groups, slack, vector) = found.locator("canvas"), found.locator("input[type=range]").all()
    seen = set()
    lesson.press(groups, "Home")
    for power in range(11):
        assert found.get_attribute("data-groups") == str(2**power)
        # one group opened: G + K/G
        assert found.get_attribute("data-work") == str(2**power + 2 ** (10 - power))
        seen.add(lesson.pixels(canvas).tobytes())
        lesson.press(groups, "ArrowRight")
    assert len(seen) == 11
    lesson.press(groups, *["ArrowLeft"] * 5)
    winner, before = found.get_attribute("data-winner"), lesson.pixels(canvas)
    lesson.drag(slack, 100)
    assert int(found.get_attribute("data-opened")) > 1 and int(found.get_attribute("data-candidates")) > 1
    assert found.get_attribute("data-winner") == winner
    lesson.wait_pixels_change(canvas, before)
    lesson.press(slack, "Home")
    assert found.get_attribute("data-opened") == "1"
    lesson.press(vector, "ArrowRight")
    assert found.get_attribute("data-winner") != winner


def test_cells_by_slider_drag_and_arrow_keys(lesson):
    found = widget(lesson, "CellSearch(")
    canvas, bar, handle = (found.locator(each) for each in ("canvas", "input[type=range]", ".vq-handle"))
    said = "([e, name, value]) => e.dataset[name] === value"
    lesson.page.wait_for_function(said, arg=[found.element_handle(), "missed", "true"])  # it starts at a miss
    few, picture = int(found.get_attribute("data-compared")), lesson.pixels(canvas)
    lesson.press(bar, "End")
    lesson.page.wait_for_function(said, arg=[found.element_handle(), "missed", "false"])
    assert int(found.get_attribute("data-compared")) > few
    picture = lesson.wait_pixels_change(canvas, picture)
    lesson.press(bar, "Home")
    picture = lesson.wait_pixels_change(canvas, picture)
    lesson.press(handle, "ArrowLeft", "ArrowDown")
    picture = lesson.wait_pixels_change(canvas, picture)
    lesson.drag(handle, -60, 40)
    lesson.wait_pixels_change(canvas, picture)


def test_reading_the_other_s_tokens_step_by_step(lesson):
    found = widget(lesson, "classroom.PictureExplorer(")
    bar, (shared, apart) = found.locator("input[type=range]"), found.locator("canvas").all()
    late = lesson.pixels(shared), lesson.pixels(apart)
    assert (late[0] != late[1]).any()
    lesson.press(bar, "Home")
    lesson.wait_pixels_change(apart, late[1])
    lesson.drag(bar, 200)
    assert 1 < int(bar.input_value()) <= 50


def test_predictions_quiz_and_exercises_answer(lesson):
    for source in ("guess_matrix = ", "guess_half = ", "guess_apart = "):
        prediction = widget(lesson, source)
        prediction.locator("input").nth(1).check()
        prediction.locator("button").first.click()
        assert prediction.locator("input:not([disabled])").count() == 0
    number = widget(lesson, "guess_recall = ")
    number.locator("input").fill("50")
    lesson.press(number.locator("input"), "Enter")
    assert number.locator("input:not([disabled])").count() == 0
    quiz = widget(lesson, "classroom.Quiz(")
    for group in quiz.locator("[role=group]").all():
        for option in group.locator("button").all():
            option.click()
        assert group.locator(".vq-right").count() == 1
    texts = str([cell.get("outputs") for cell in lesson.cells()])
    assert all(f"○ 09.{name}" in texts for name in ("chunked", "two_levels", "merged"))
