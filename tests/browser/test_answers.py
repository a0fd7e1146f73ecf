"""Answers after questions, in a real JupyterLab and in exported HTML: hidden by "Run all", there once asked for."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytestmark = pytest.mark.browser

ASK, HELD, REASON, OTHER, OTHERS, TEXT, FAILS = 1, 2, 3, 4, 5, 6, 8
CELLS = [
    "from vqlab.classroom import Predict, Slider, PictureExplorer, show, start\nimport torch\nstart()",
    """winner = Predict(("谁会赢？", "Who wins?"), [("欧氏距离", "Euclid"), ("余弦", "cosine"),
                                                      ("点积", "dot product")])
winner""",
    """winner.hold()
import matplotlib.pyplot as plt
print("the number is 42")
show(plt.figure(figsize=(2, 1)), "一幅图。", "A figure.")
from IPython.display import display
display(PictureExplorer(lambda power: ([torch.zeros(3, 4, 4)], {("词数", "tokens"): power}),
    sliders=[Slider("power", "几次方", "power", 0, 9, 1, 9)], pictures=[("图", "picture")],
    alt_zh="一片灰。", alt_en="Grey."))
winner.reveal(1, because=("码字不等长。", "The codes differ in length."))""",
    'winner.reveal(1, because=("再说一遍。", "Said again."))\nprint("after all")',
    """number = Predict(("多少？", "How many?"), minimum=0, maximum=512, unit=("个", "codes"))
number""",
    'number.reveal(252, because=("只看了 256 个。", "Only 256 were seen."))',
    "concluded", None,
    "number.hold()\nprint(7 * 11)\n1 / 0",
]


def write(server, name):
    texts = {"concluded": "Only few were seen.\n\n## Next\n\nOn we go.\n" + "<br>" * 60, None: "<br>" * 120}
    cells = [new_markdown_cell(texts[cell]) if cell in texts else new_code_cell(cell) for cell in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), server.files / name)
    return name


@pytest.fixture
def lesson(open_lesson, start_lab):
    lesson = open_lesson(write(start_lab(), "answers.ipynb"))
    lesson.run_all(60)
    yield lesson
    assert lesson.console_errors == []


def seen(lesson, number):
    """What can be read in a cell's outputs, and what else is seen there."""
    area = lesson.scroll_to(number).locator(".jp-OutputArea").first
    area.filter(has_text="答案").wait_for()
    lesson.page.wait_for_function("area => area.innerText.trim()", arg=area.element_handle())  # empty out of view
    parts = [name for name, what in (("figure", "img"), ("widget", ".vq-widget"))
             if area.locator(what).first.is_visible()]
    return area.inner_text(), parts


def assert_hidden(lesson):
    for number in (HELD, REASON):
        text, parts = seen(lesson, number)
        assert "show me" in text and parts == []
        assert not any(word in text for word in ("cosine", "42", "Answer:", "length", "again", "after all"))


def assert_shown(lesson):
    text, parts = seen(lesson, HELD)
    assert "the number is 42" in text and "The codes differ in length." in text and parts == ["figure", "widget"]
    text, _ = seen(lesson, REASON)
    assert "Said again." in text and "after all" in text
    assert "Only 256" not in seen(lesson, OTHERS)[0]  # another question's answer is not given away


def commit(lesson, option):
    cell = lesson.scroll_to(ASK)
    cell.locator("label", has_text=option).click()
    cell.get_by_role("button", name="commit").click()
    cell.get_by_text("Committed.").wait_for()


def scroll_away_and_back(lesson):
    for _ in lesson.each_screen():
        lesson.page.wait_for_timeout(200)


def test_run_all_shows_no_answer_but_every_error(lesson):
    assert_hidden(lesson)
    text = lesson.scroll_to(TEXT).inner_text()
    assert "Next" in text and "On we go." in text and "Only few" not in text  # the conclusion waits, too
    text, _ = seen(lesson, FAILS)
    assert "ZeroDivisionError" in text and "77" not in text


def test_committed_all_of_it_is_seen_beside_the_prediction_and_stays(lesson):
    commit(lesson, "dot product")
    assert_shown(lesson)
    for number in (HELD, REASON):
        text, _ = seen(lesson, number)
        assert "Your prediction: dot product" in " ".join(text.split()).replace("点积 ", "")
        assert "≠" in text and "No prediction" not in text
    scroll_away_and_back(lesson)
    assert_shown(lesson)
    for number in (HELD, REASON):
        lesson.run_cell(number)
    lesson.wait_idle()
    assert_shown(lesson)
    assert seen(lesson, REASON)[0].count("Your prediction") == 1


def test_a_right_number_is_told_so(lesson):
    lesson.press(lesson.scroll_to(OTHER).locator("input[type=number]"), *"252", "Enter")
    lesson.scroll_to(OTHERS).locator("details[open]").get_by_text("Only 256 were seen.").wait_for()
    text, _ = seen(lesson, OTHERS)
    assert "✓" in text and text.count("252 codes") == 2
    assert "Only few were seen." in lesson.scroll_to(TEXT).inner_text()
    assert_hidden(lesson)


def test_show_me_by_keyboard_shows_all_of_it_and_stays(lesson):
    lesson.press(lesson.scroll_to(HELD).locator("summary").first, "Enter")
    lesson.page.wait_for_timeout(200)
    assert_shown(lesson)
    assert "No prediction this time" in seen(lesson, HELD)[0]
    scroll_away_and_back(lesson)
    assert_shown(lesson)
    lesson.run_cell(HELD)
    assert_shown(lesson)
    commit(lesson, "cosine")  # still possible, and then said
    assert "✓ As you predicted." in seen(lesson, REASON)[0]
    assert len(lesson.cells()) == len(CELLS)  # no key went through to the notebook


def test_without_a_kernel_it_can_still_be_committed(lesson):
    lesson.page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
    commit(lesson, "cosine")
    assert_shown(lesson)
    assert "✓ As you predicted." in seen(lesson, HELD)[0]
    # Lab itself complains of the missing debugger, and that the kernel cannot be told
    lesson.console_errors[:] = [error for error in lesson.console_errors
                                if "debugger state" not in error and "widget sync message" not in error]


def test_another_notebook_beside_it_keeps_its_answers(lesson, open_lesson, start_lab):
    lesson.page.evaluate("""path => { jupyterapp.shell.mode = 'multiple-document'; jupyterapp.commands.execute(
        'docmanager:open', {path, options: {mode: 'split-right'}}) }""", write(start_lab(), "beside.ipynb"))
    lesson.page.wait_for_function("document.querySelectorAll('.jp-Notebook').length === 2")
    lesson.page.wait_for_function(
        "jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel?.status === 'idle'", timeout=60_000)
    lesson.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    second = lesson.page.locator(".jp-Notebook").last
    second.locator(".vq-widget").first.wait_for()
    first = lesson.page.locator(".jp-Notebook").first
    first.locator("details.vq-answer summary").first.click()
    lesson.page.wait_for_timeout(500)
    for notebook, opened in ((first, True), (second, False)):
        count = notebook.locator("details.vq-answer").count()
        assert count and (notebook.locator("details.vq-answer[open]").count() > 0) == opened
    lesson.page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")


def test_the_summary_obeys_the_switch_in_both_themes(open_lesson, start_lab):
    for theme in ("light", "dark"):
        lesson = open_lesson(write(start_lab(), "answers.ipynb"), theme=theme)
        lesson.run_all(60)
        for language, word in (("zh", "直接看答案"), ("en", "show me")):
            lesson.choose_language(language)
            text, _ = seen(lesson, HELD)
            assert word in text and any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")
        summary = lesson.scroll_to(HELD).locator("summary").first
        ink, paper = (summary.evaluate(f"e => getComputedStyle({element}).{style}") for element, style in
                      (("e", "color"), ("document.querySelector('.jp-Notebook')", "backgroundColor")))
        brightness = [sum(int(part) for part in colour[colour.index("(") + 1:-1].split(",")[:3])
                      for colour in (ink, paper)]
        assert abs(brightness[0] - brightness[1]) > 300


def export(path, folder):
    subprocess.run([sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", folder, path], check=True,
                   capture_output=True)
    return (Path(folder) / f"{Path(path).stem}.html").as_uri()


def test_exported_html_opens_without_a_kernel(lesson, chromium, start_lab, tmp_path):
    lesson.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page = chromium.new_page()
    page.goto(export(start_lab().files / "answers.ipynb", tmp_path))
    cells = page.locator(".jp-Cell")
    text = page.locator("body").inner_text()
    assert "show me" in text and "ZeroDivisionError" in text
    assert not any(word in text for word in ("The codes differ", "Said again.", "the number is 42\n", "Only few"))
    assert "On we go." in text
    assert not cells.nth(HELD).locator("img").first.is_visible()
    cells.nth(HELD).locator("summary").first.click()
    page.wait_for_timeout(200)
    for word in ("The codes differ in length.", "the number is 42", "Said again."):
        assert word in page.locator("body").inner_text()
    assert "Only 256" not in page.locator("body").inner_text()
    assert cells.nth(HELD).locator("img").first.is_visible()
    page.close()


def test_the_reason_is_folded_where_no_rule_is_known(lesson, chromium):
    """As on GitHub: neither style nor script."""
    page = chromium.new_page()
    page.set_content("".join(lesson.outputs(REASON)[0]["data"]["text/html"]).replace("ontoggle", "data-none"))
    assert not page.get_by_text("Said again.").is_visible()
    page.locator("summary").click()
    assert page.get_by_text("Said again.").is_visible()
    page.close()
