"""Every lesson in a real JupyterLab: it runs, says nothing on the console, obeys the language switch."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
LESSONS = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]


@pytest.fixture(scope="module", params=LESSONS, ids=lambda path: Path(path).stem)
def lesson(request, open_lesson):
    """The lesson, run from top to bottom, its trainings cut short by their button."""
    lesson = open_lesson(request.param, height=2400)  # fewer screens to scroll through
    lesson.run_all_stopping_trainings()
    return lesson


def test_runs_without_an_error(lesson):
    assert lesson.errors() == []
    code = [cell for cell in lesson.cells() if cell["cell_type"] == "code" and "".join(cell["source"])]
    assert code and all(cell["execution_count"] for cell in code)


def test_language_switch_hides_the_other_language(lesson):
    for language, visible in (("zh", {"zh"}), ("en", {"en"}), ("both", {"zh", "en"})):
        lesson.choose_language(language)
        assert set.union(*[lesson.visible_languages() for _ in lesson.each_screen()]) == visible


def test_keys_pressed_in_a_control_leave_the_notebook_alone(lesson):
    """`b` inserts a cell, `x` cuts one, `m` makes it text: only where the notebook itself has the focus."""
    before = [(cell["id"], cell["cell_type"]) for cell in lesson.cells()]
    pressed = set()
    for _ in lesson.each_screen():
        for control in lesson.controls().all():
            key = control.evaluate("e => e.dataset.pressed ? null : (e.dataset.pressed = '1')")
            if key:
                lesson.press(control, "b", "m", "x")
                pressed.add(control.evaluate("e => e.tagName"))
    assert pressed  # every lesson has at least its language switch
    assert [(cell["id"], cell["cell_type"]) for cell in lesson.cells()] == before


def test_says_nothing_on_the_console(lesson):
    """Last, so that it hears what the tests above provoked."""
    assert lesson.console_errors == []
