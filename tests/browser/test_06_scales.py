"""Lesson 6 in a real JupyterLab: every control by mouse and by keyboard; the training is stopped after seconds."""

import pytest
from lab import widget

pytestmark = pytest.mark.browser

SIZES = (1, 2, 4, 8, 16)


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson("notebooks/06_scales.ipynb")
    lesson.run_all_stopping_trainings()
    lesson.show_answers()
    assert lesson.errors() == []
    yield lesson
    assert lesson.console_errors == []


def test_stop_keeps_what_was_learnt_and_every_exercise_answers(lesson):
    texts = str([cell.get("outputs") for cell in lesson.cells()])
    assert "提前停止" in lesson.scroll_to(next(n for n, cell in enumerate(lesson.cells())
                                           if "TrainingPanel(" in "".join(cell["source"]))).inner_text()
    assert all(f"○ 06.{name}" in texts and f"✗ 06.{name}" not in texts for name in ("encode", "decode", "var_input"))


def test_speller_by_keyboard_and_by_drag(lesson):
    speller = widget(lesson, "ScaleSpeller(")
    cells = [cell["id"] for cell in lesson.cells()]
    bar, canvases = speller.locator("input[type=range]"), speller.locator("canvas").all()
    assert len(canvases) == 7
    pictures, numbers = [[lesson.pixels(canvas) for canvas in canvases]], [speller.locator("dl").inner_text()]
    for scale in range(1, 6):
        lesson.press(bar, "ArrowRight")
        lesson.page.wait_for_function("([e, n]) => e.dataset.scale === n", arg=[speller.element_handle(), str(scale)])
        pictures.append([lesson.pixels(canvas) for canvas in canvases])
        numbers.append(speller.locator("dl").inner_text())
        assert f"{SIZES[scale - 1]} × {SIZES[scale - 1]}" in numbers[-1]
        assert str(sum(n * n for n in SIZES[:scale])) in numbers[-1]
    assert len(set(numbers)) == 6
    for column in range(7):
        assert len({state[column].tobytes() for state in pictures}) == 6
    assert (pictures[0][1][..., :3] == 128).all()  # nothing added yet: mid-grey
    # so far + remains is the original, whatever the scale; both differ from it by a rounding each, and clip
    whole = [state[0][..., :3].astype(float) + state[2][..., :3] for state in pictures]
    assert abs(whole[5] - whole[4]).mean() < 3
    lesson.drag(bar, -300)
    assert int(bar.input_value()) < 5
    lesson.press(bar, "Home")
    assert bar.input_value() == "0" and (lesson.pixels(canvases[0]) == pictures[0][0]).all()
    lesson.press(bar, "End")
    speller.locator("input[type=radio]").nth(1).check()
    assert (lesson.pixels(canvases[0]) != pictures[5][0]).any()
    lesson.press(speller.locator("input[type=radio]").nth(1), "ArrowUp")
    assert (lesson.pixels(canvases[0]) == pictures[5][0]).all()
    assert [cell["id"] for cell in lesson.cells()] == cells


def test_map_of_inputs_by_click_drag_and_keyboard(lesson):
    found = widget(lesson, "VarInputMap(")
    canvas, (scale, place) = found.locator("canvas"), found.locator("input[type=range]").all()
    seen = set()
    lesson.press(scale, "Home")
    for k, size in enumerate(SIZES):
        assert found.get_attribute("data-scale") == str(k) and place.get_attribute("max") == str(size * size - 1)
        assert found.get_attribute("data-inputs") == str(sum(n * n for n in SIZES[:k + 1]))
        assert found.get_attribute("data-tokens") == str(sum(n * n for n in SIZES[:k]))
        seen.add(lesson.pixels(canvas).tobytes())
        lesson.press(scale, "ArrowRight")
    assert len(seen) == 5 and "85" in found.locator("dl").inner_text()  # what the last scale is predicted from
    before = lesson.pixels(canvas)
    lesson.press(place, "ArrowRight", "ArrowRight")
    assert found.get_attribute("data-place") == "2" and (lesson.pixels(canvas) != before).any()
    lesson.drag(place, 100)
    assert int(place.input_value()) > 100
    box = canvas.bounding_box()
    side = min((box["width"] - 12 * 6) / 5, (box["height"] - 2 * 22 - 34) / 2)
    x, y = box["x"] + 12 + 2 * (side + 12), box["y"] + 22 + side + 34 + 22  # the targets of 4 × 4
    lesson.page.mouse.move(x + 1.5 * side / 4, y + 2.5 * side / 4)
    lesson.page.mouse.down()
    assert (found.get_attribute("data-scale"), found.get_attribute("data-place")) == ("2", "9")
    lesson.page.mouse.move(x + 3.5 * side / 4, y + 3.5 * side / 4, steps=5)
    lesson.page.mouse.up()
    assert found.get_attribute("data-place") == "15" and place.input_value() == "15"


def test_swap_by_keyboard_and_by_drag(lesson):
    explorer = widget(lesson, "PictureExplorer(")
    bar, (left, right) = explorer.locator("input[type=range]"), explorer.locator("canvas").all()
    lesson.press(bar, "Home")
    lesson.page.wait_for_timeout(500)
    cat, flower = lesson.pixels(left), lesson.pixels(right)
    lesson.press(bar, "End")
    lesson.wait_pixels_change(left, cat)
    lesson.page.wait_for_timeout(500)
    assert (lesson.pixels(left) == flower).all() and (lesson.pixels(right) == cat).all()  # all tokens swapped
    lesson.drag(bar, -200)
    lesson.wait_pixels_change(left, flower)


def test_predictions_and_quiz_take_answers(lesson):
    prediction = widget(lesson, "guess_alone = ")
    prediction.locator("input").nth(1).check()
    prediction.locator("button").click()
    assert prediction.locator("input:not([disabled])").count() == 0
    quiz = widget(lesson, "classroom.Quiz(")
    for group in quiz.locator("[role=group]").all():
        for option in group.locator("button").all():
            option.click()
        assert group.locator(".vq-right").count() == 1
