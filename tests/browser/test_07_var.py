"""Lesson 7 in a real JupyterLab: every control by mouse and by keyboard; the trainings are stopped after seconds."""

import pytest
from lab import answered, data, widget

pytestmark = pytest.mark.browser

SIDES = (1, 2, 3, 4)
SCALE_OF = [k for k, n in enumerate(SIDES) for _ in range(n * n)]


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson("notebooks/07_var.ipynb")
    lesson.run_all_stopping_trainings(400)
    assert lesson.errors() == []
    yield lesson
    assert lesson.console_errors == []


def test_stop_keeps_what_was_learnt_and_every_exercise_answers(lesson):
    texts = str([cell.get("outputs") for cell in lesson.cells()])
    for source in ("训练分词器", "训练先验"):
        cell = next(n for n, cell in enumerate(lesson.cells()) if source in "".join(cell["source"]))
        assert "提前停止" in lesson.scroll_to(cell).inner_text()
    assert all(f"○ 07.{name}" in texts and f"✗ 07.{name}" not in texts for name in ("mask", "guidance", "top_p"))


def test_the_mask_asks_and_judges(lesson):
    found = widget(lesson, "MaskMap(")
    matrix = found.locator("canvas").first
    yes, no, ask = (found.locator(f"button.vq-{name}") for name in ("yes", "no", "next"))
    assert data(found, "open") == "true" and data(found, "allowed") == ""  # a question from the start
    for number in range(1, 9):
        may = SCALE_OF[int(data(found, "who"))] >= SCALE_OF[int(data(found, "whom"))]
        before = lesson.pixels(matrix)
        right = number % 2 == 1  # now the right answer, now the wrong one
        button = yes if may == right else no
        if number == 1:
            lesson.press(button, "Enter")
        else:
            button.click()
        assert data(found, "allowed") == str(may).lower() and data(found, "asked") == str(number)
        assert data(found, "right") == str((number + 1) // 2)
        assert ("✓" if right else "✗") in found.locator(".vq-status").inner_text()
        assert (lesson.pixels(matrix) != before).any() and yes.is_disabled() and no.is_disabled()
        lesson.press(ask, "Enter") if number % 2 else ask.click()
        assert data(found, "open") == "true"


def test_the_mask_by_sliders_and_clicks(lesson):
    found = widget(lesson, "MaskMap(")
    cells = [cell["id"] for cell in lesson.cells()]
    who, whom = found.locator("input[type=range]").all()
    matrix, grids = found.locator("canvas").all()
    lesson.press(who, "Home")
    lesson.press(whom, "End")
    assert (data(found, "who"), data(found, "whom"), data(found, "allowed")) == ("0", "29", "false")
    lesson.press(whom, "Home")
    assert data(found, "allowed") == "true"
    lesson.drag(who, 120)
    assert int(data(found, "who")) == int(who.input_value()) > 14
    before = lesson.pixels(matrix)
    found.locator("input[type=checkbox]").check()
    whole = lesson.pixels(matrix)
    assert (whole != before).any()
    for rule in found.locator("input[type=radio]").all()[1:]:
        rule.check()
        now = lesson.pixels(matrix)
        assert (now != whole).any()
        whole = now
    assert data(found, "rule") == "all"
    for number in (2, 1):
        lesson.press(found.locator("input[type=radio]").nth(number), "ArrowUp")
    assert data(found, "rule") == "scale"
    box = matrix.bounding_box()
    size = (300 - 26) / 30
    lesson.page.mouse.click(box["x"] + 26 + 20.5 * size, box["y"] + 26 + 7.5 * size)
    assert (data(found, "who"), data(found, "whom"), data(found, "allowed")) == ("7", "20", "false")
    assert "更细" in found.locator(".vq-status").inner_text()
    box = grids.bounding_box()
    side = min((box["width"] - 12 * 5) / 4, box["height"] / 2 - 20 - 6)
    x = box["x"] + 12 + 3 * (side + 12)  # the grids of 4 × 4
    lesson.page.mouse.click(x + 2.5 * side / 4, box["y"] + 20 + 1.5 * side / 4)
    assert data(found, "who") == str(14 + 4 + 2)
    lesson.page.mouse.click(x + 0.5 * side / 4, box["y"] + box["height"] / 2 + 20 + 3.5 * side / 4)
    assert (data(found, "who"), data(found, "whom"), data(found, "allowed")) == ("20", "26", "true")
    assert [cell["id"] for cell in lesson.cells()] == cells


def test_every_knob_of_the_studio_writes_anew(lesson):
    found = widget(lesson, "DigitStudio(")
    cells = [cell["id"] for cell in lesson.cells()]
    knobs = found.locator("input[type=range]").all()
    assert len(knobs) == 7 and len(found.locator("canvas").all()) == 9
    digit = found.locator("canvas").nth(6)  # the picture after the last scale
    at = int(data(found, "answered"))
    pictures = {lesson.pixels(digit).tobytes()}
    for knob, key in ((0, "Home"), (0, "ArrowRight"), (1, "ArrowRight"), (1, "End"), (2, "End"), (3, "End")):
        lesson.press(knobs[knob], key)
        at = answered(lesson, found, at)
        pictures.add(lesson.pixels(digit).tobytes())
    assert len(pictures) >= 6  # seven digits; two may agree, if the knob changed no draw
    # one code is possible at every token with top-k 1: another seed writes the same digit
    lesson.press(knobs[4], "Home")
    at = answered(lesson, found, at)
    safest = data(found, "tokens")
    lesson.press(knobs[1], "Home")
    at = answered(lesson, found, at)
    assert data(found, "tokens") == safest
    lesson.press(knobs[4], "End")
    at = answered(lesson, found, at)
    lesson.press(knobs[5], "Home")  # top-p 0.05
    at = answered(lesson, found, at)
    lesson.drag(knobs[1], 150)
    at = answered(lesson, found, at)
    assert knobs[1].input_value() != "0"
    lesson.page.wait_for_timeout(300)
    assert "0.00" in found.locator("dl").inner_text()  # one code possible, no surprise
    assert [cell["id"] for cell in lesson.cells()] == cells


def test_a_token_is_looked_at_by_click_and_by_keyboard(lesson):
    found = widget(lesson, "DigitStudio(")
    belief, which = found.locator("canvas").last, found.locator("input[type=range]").last
    at, before = int(data(found, "answered")), lesson.pixels(belief)
    grid = found.locator("canvas").nth(5)  # the tokens of 3 × 3
    box = grid.bounding_box()
    lesson.page.mouse.click(box["x"] + 1.5 * 104 / 3, box["y"] + 2.5 * 104 / 3)
    at = answered(lesson, found, at)
    assert data(found, "token") == str(5 + 2 * 3 + 1) == which.input_value()
    now = lesson.pixels(belief)
    assert now.shape != before.shape or (now != before).any()
    tokens = data(found, "tokens").split()
    lesson.page.wait_for_timeout(300)
    assert tokens[12] in found.locator("dl").inner_text().split()
    lesson.press(which, "Home")
    answered(lesson, found, at)
    assert data(found, "token") == "0" and data(found, "tokens").split() == tokens  # only looked at, not written anew


def test_completing_by_keyboard_and_by_drag(lesson):
    found = widget(lesson, "PictureExplorer(")
    digit, given, asked, seed = found.locator("input[type=range]").all()
    real, coarse, *completed = found.locator("canvas").all()
    at = int(data(found, "answered"))
    states = []
    for slider, keys in ((given, ["Home"]), (given, ["ArrowRight"]), (asked, ["ArrowLeft"]), (seed, ["ArrowRight"]),
                         (digit, ["ArrowRight", "ArrowRight"]), (given, ["End"])):
        lesson.press(slider, *keys)
        at = answered(lesson, found, at)
        states.append([lesson.pixels(canvas).tobytes() for canvas in (real, coarse, *completed)])
    assert len({state[2] for state in states}) >= 5 and len({state[0] for state in states}) == 2
    assert states[0][1] != states[1][1]
    assert len(set(states[-1][1:])) == 1  # all scales given: nothing left to write, four times the same
    lesson.drag(digit, 120)
    answered(lesson, found, at)
    assert lesson.pixels(real).tobytes() != states[-1][0]


def test_predictions_hold_answers_back_and_the_quiz_takes_answers(lesson):
    prediction = widget(lesson, "guess_cost = ")
    prediction.locator("input").nth(2).check()
    prediction.locator("button").first.click()
    assert prediction.locator("input:not([disabled])").count() == 0
    quiz = widget(lesson, "classroom.Quiz(")
    for group in quiz.locator("[role=group]").all():
        for option in group.locator("button").all():
            option.click()
        assert group.locator(".vq-right").count() == 1
