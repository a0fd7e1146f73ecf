"""Predictions, quizzes and checks in a real JupyterLab: by keyboard, locked, explained, in the chosen language."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.browser

PREDICT, NUMBER, QUIZ, REVEAL, CHECK = range(1, 6)
CELLS = [
    "from vqlab.classroom import Option, Predict, Question, Quiz, start\nstart()",
    """options = [("欧氏距离", "Euclid"), ("余弦", "cosine"), ("点积", "dot product")]
winner = Predict(("谁会赢？", "Who wins?"), options)
winner""",
    """number = Predict(("多少个码字？", "How many codes?"), minimum=0, maximum=512, unit=("个", "codes"))
number""",
    """Quiz([Question(("量化是什么？", "What is quantization?"), [
           Option(("排序", "sorting"), right=False, why=("排序不丢信息。", "Sorting loses nothing.")),
           Option(("取最近的码字", "taking the nearest code"), right=True, why=("正是。", "That is it."))]),
      Question(("K 是什么？", "What is K?"), [
           Option(("码字数", "the number of codes"), right=True, why=("没错。", "Indeed.")),
           Option(("维数", "the dimension"), right=False, why=("维数是 D。", "That is D."))])])""",
    """winner.reveal(1, because=("码字不等长。", "The codes differ in length."))
number.reveal(252, because=("只看了 256 个向量。", "Only 256 vectors were seen."))""",
    """from vqlab.classroom import Exercise, Mistake
square = Exercise("99.square", title=("平方", "square"), reference=lambda x: x * x,
    cases=lambda generator: [(2.0,), (3.0,), (-4.0,)],
    mistakes=[Mistake(lambda x: 2 * x, ("这是两倍", "that is twice x"))])
square.check(lambda x: None)
square.check(lambda x: 2 * x)
square.check(lambda x: x + 100)
square.check(lambda x: x / 0)
square.check(lambda x: x ** 2)""",
]


@pytest.fixture
def lesson(open_lesson, start_lab):
    kernel = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in CELLS], metadata={"kernelspec": kernel}),
                   start_lab().files / "machinery.ipynb")
    lesson = open_lesson("machinery.ipynb")
    lesson.run_all(60)
    yield lesson
    assert lesson.errors() == [] and lesson.console_errors == []
    assert len(lesson.cells()) == len(CELLS)  # no key went through to the notebook


def output(lesson, number):
    """The cell's output alone: its source holds the same words."""
    return lesson.scroll_to(number).locator(".jp-OutputArea").first


def html(lesson, number):
    return ["".join(output["data"]["text/html"]) for output in lesson.outputs(number)]


def test_run_all_passes_with_nothing_committed(lesson):
    for shown, truth in zip(html(lesson, REVEAL), ("cosine", "252 codes"), strict=True):
        assert "No prediction this time" in shown and truth in shown
    plain = ["".join(output["data"]["text/plain"]) for output in lesson.outputs(CHECK)]
    assert [text[0] for text in plain] == ["○", "✗", "✗", "⚠", "✓"]
    assert "that is twice x" in html(lesson, CHECK)[1] and "102" in html(lesson, CHECK)[2]
    assert "ZeroDivisionError" in html(lesson, CHECK)[3]


def test_a_prediction_by_keyboard_is_locked_and_revealed(lesson):
    cell = output(lesson, PREDICT)
    commit = cell.get_by_role("button", name="commit")
    lesson.press(commit, "Enter")  # nothing chosen yet
    cell.get_by_text("Choose one first.").wait_for()
    assert cell.locator("input").first.evaluate("input => input === document.activeElement")
    for key in ("Space", "ArrowDown", "ArrowDown", "b", "Enter"):  # to whichever button has the focus by then
        lesson.page.keyboard.press(key)
    cell.get_by_text("Committed.").wait_for()
    assert [radio.is_checked() for radio in cell.locator("input").all()] == [False, False, True]
    assert all(radio.is_disabled() for radio in cell.locator("input").all()) and commit.is_hidden()

    cell = output(lesson, NUMBER)
    box = cell.locator("input")
    lesson.press(box, *"5130", "Enter")
    cell.get_by_text("Type a number from 0 to 512.").wait_for()
    assert not box.is_disabled()
    box.fill("")
    lesson.press(box, *"252", "Enter")
    cell.get_by_text("Committed.").wait_for()
    assert box.is_disabled()

    missed, hit = (answer.inner_text() for answer in output(lesson, REVEAL).locator("details").all())
    assert "Your prediction:" in missed and "dot product" in missed and "cosine" in missed and "≠" in missed
    assert "✓" in hit and hit.count("252 codes") == 2


def test_a_second_view_of_a_committed_prediction_is_locked_too(lesson):
    cell = output(lesson, PREDICT)
    cell.get_by_text("cosine").click()
    cell.get_by_role("button", name="commit").click()
    lesson.page.evaluate("""() => { const cell = jupyterapp.shell.currentWidget.context.model.cells.get(4);
                                    cell.sharedModel.setSource('winner'); }""")
    lesson.run_cell(4)
    view = output(lesson, 4)
    view.get_by_text("Committed.").wait_for()
    assert [radio.is_checked() for radio in view.locator("input").all()] == [False, True, False]
    assert all(radio.is_disabled() for radio in view.locator("input").all())


def test_a_quiz_explains_wrong_and_right(lesson):
    cell = output(lesson, QUIZ)
    assert not cell.get_by_text("loses nothing").count() and not cell.get_by_text("That is it.").count()
    lesson.press(cell.get_by_role("button", name="sorting"), "Enter")
    cell.get_by_text("Sorting loses nothing.").wait_for()
    assert not cell.get_by_text("That is it.").count()  # a wrong answer does not give the right one away
    lesson.press(cell.get_by_role("button", name="nearest code"), "Space")
    cell.get_by_text("That is it.").wait_for()
    assert cell.get_by_text("Sorting loses nothing.").is_visible()
    assert not cell.get_by_text("All answered").count()
    cell.get_by_role("button", name="the number of codes").click()
    cell.get_by_text("All answered: 1 of 2 right at the first try.").wait_for()


def test_a_quiz_needs_no_kernel(lesson):
    cell = output(lesson, QUIZ)
    lesson.page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    cell.get_by_role("button", name="sorting").click()
    cell.get_by_text("Sorting loses nothing.").wait_for()
    # Lab itself complains of the missing debugger
    lesson.console_errors[:] = [error for error in lesson.console_errors if "debugger state" not in error]


def test_every_word_obeys_the_language_switch(lesson):
    lesson.show_answers()
    for language in ("zh", "en"):
        lesson.choose_language(language)
        for number in (PREDICT, NUMBER, QUIZ, REVEAL, CHECK):
            cell = output(lesson, number)
            texts = cell.inner_text()
            chinese = any("\u4e00" <= letter <= "\u9fff" for letter in texts)
            assert chinese == (language == "zh"), texts
            assert language == "en" or "What is" not in texts and "Who wins" not in texts
