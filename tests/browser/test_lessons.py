"""Every lesson in a real JupyterLab: it runs, gives no answer away, says nothing on the console, obeys the switch."""

import subprocess
import sys
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


SEEN = """page => [...page.querySelectorAll('.vq-truth')].filter(truth => truth.checkVisibility())
                   .map(truth => truth.innerText).filter(text => text)"""
HELD = """page => [...page.querySelectorAll(
    '.jp-OutputArea-child:has(details.vq-answer:not([open])) ~ .jp-OutputArea-child')]
    .filter(output => output.checkVisibility()).length"""


def reasons(lesson):
    """What the answers say: of each reveal the beginning, in Chinese, and the end, in English."""
    texts = ["".join(output["data"]["text/plain"]) for cell in lesson.cells() for output in cell.get("outputs", [])
             if "vq-truth" in "".join(output.get("data", {}).get("text/html", ""))]
    return [(text[:len(text) // 6], text[-len(text) // 3:]) for text in texts]


def commit_first(lesson):
    """Commit something, right or wrong, to the lesson's first question."""
    number = next(number for number, cell in enumerate(lesson.cells())
                  if cell["cell_type"] == "code" and "Predict(" in "".join(cell["source"]))
    cell = lesson.scroll_to(number)
    choice = cell.locator(".vq-widget input").first
    choice.fill(choice.get_attribute("min")) if choice.get_attribute("type") == "number" else choice.check()
    cell.get_by_role("button", name="commit").click()
    cell.get_by_text("Committed.").wait_for()


def seen_truths(lesson):
    return {truth for _ in lesson.each_screen() for truth in lesson.notebook.evaluate(SEEN)}


def test_run_all_gives_no_answer_away_a_commitment_gives_its_own_and_show_me_all(lesson):
    expected = reasons(lesson)
    assert len(expected) >= 3
    for _ in lesson.each_screen():
        assert lesson.notebook.evaluate(SEEN) == [] and lesson.notebook.evaluate(HELD) == 0
        text = lesson.notebook.inner_text()
        assert not [part for reason in expected for part in reason if part in text]
    commit_first(lesson)
    committed = seen_truths(lesson)
    assert 0 < len(committed) < len(expected) and all("Your prediction" in truth for truth in committed)
    lesson.show_answers()
    seen = seen_truths(lesson)
    for part in (part for reason in expected for part in reason):
        assert any(part in text for text in seen), part


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


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: Path(path).stem)
def test_exported_html_keeps_answers_folded_and_needs_no_kernel(path, chromium, tmp_path):
    subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", tmp_path, ROOT / path],
                   check=True, capture_output=True)
    page = chromium.new_page()
    page.goto((tmp_path / f"{Path(path).stem}.html").as_uri())
    body, truths = page.locator("body"), page.locator(".vq-truth").count()
    assert truths >= 3
    assert body.evaluate(SEEN) == [] and body.evaluate(HELD) == 0 and ".reveal(" not in body.inner_text()
    page.locator("details.vq-answer > summary").first.click()
    page.wait_for_function("() => document.querySelectorAll('details.vq-answer[open]').length > 1")
    assert 0 < len(body.evaluate(SEEN)) < truths  # this question's answer, no other's
    page.close()
