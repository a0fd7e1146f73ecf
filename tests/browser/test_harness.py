"""The harness itself, on a tiny notebook: what it reads is what is there, and its checks can fail."""

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytestmark = pytest.mark.browser

SLIDER = """
import ipywidgets as widgets
from IPython.display import display
slider = widgets.IntSlider(value=3, description='K')
label = widgets.Label('K = 3')
slider.observe(lambda change: setattr(label, 'value', f'K = {change.new}'), 'value')
shown = display('K = 3', display_id=True)
slider.observe(lambda change: shown.update(f'K = {change.new}'), 'value')
display(slider, label)
"""
SWITCH = """
from IPython.display import HTML
HTML('''<form><input type="radio" name="l" class="vq-lang-zh"><input type="radio" name="l" class="vq-lang-en">
<input type="radio" name="l" class="vq-lang-both"></form><style>
.jp-Notebook:has(.vq-lang-zh:checked) [lang="en"], .jp-Notebook:has(.vq-lang-en:checked) [lang="zh"]
{display: none !important}</style>''')
"""
CANVAS = """
import anywidget
class Red(anywidget.AnyWidget):
    _esm = '''export default { render({ el }) {
        const canvas = Object.assign(document.createElement('canvas'), { width: 4, height: 2 });
        const context = canvas.getContext('2d');
        context.fillStyle = '#f00';
        setTimeout(() => context.fillRect(0, 0, 2, 2), 300);
        el.append(canvas);
    } }'''
Red()
"""
TEXT = '<div lang="zh">\n\n码本\n\n</div>\n<div lang="en">\n\ncodebook\n\n</div>'


def write(server, name, cells):
    kernel = {"name": "python3", "display_name": "Python 3"}  # without it Lab asks which one
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), server.files / name)
    return name


@pytest.fixture(scope="module")
def lesson(open_lesson, start_lab):
    cells = [new_code_cell(SWITCH), new_markdown_cell(TEXT), new_code_cell(SLIDER), new_code_cell(CANVAS)]
    cells += [new_markdown_cell(TEXT + "\n\n" + "<br>" * 60) for _ in range(3)]
    cells += [new_code_cell("print(6 * 7)")]
    lesson = open_lesson(write(start_lab(), "harness.ipynb", cells))
    lesson.run_all(60)
    return lesson


def test_outputs_come_from_the_model_also_off_screen(lesson):
    assert lesson.outputs(7) == [{"name": "stdout", "output_type": "stream", "text": "42\n"}]
    assert lesson.errors() == [] and lesson.console_errors == []


def test_nothing_is_saved_unasked(lesson):
    """A saved lesson is trusted, and opened again it complains that the widgets of its last kernel are gone."""
    assert lesson.page.evaluate("jupyterapp.commands.isToggled('docmanager:toggle-autosave')") is False


def test_a_slider_moves_by_keyboard_and_by_drag(lesson):
    cell = lesson.scroll_to(2)
    handle = cell.locator("[role=slider]")
    lesson.press(handle, "ArrowRight", "ArrowRight")
    lesson.wait_output(2, "'K = 5'")
    cell.get_by_text("K = 5", exact=True).wait_for()
    lesson.drag(handle, dx=60)
    lesson.page.wait_for_function("[...document.querySelectorAll('.widget-label')]"
                                  ".some(e => parseInt(e.textContent.slice(4)) > 10)")


def test_language_is_what_can_be_seen(lesson):
    seen = {}
    for language in ("zh", "en", "both"):
        lesson.choose_language(language)
        seen[language] = [lesson.visible_languages() for _ in lesson.each_screen()]
    assert set.union(*seen["zh"]) == {"zh"} and set.union(*seen["en"]) == {"en"}
    assert set.union(*seen["both"]) == {"zh", "en"}
    assert len(seen["zh"]) > 2  # several screens, so cells below the fold were looked at too


def test_canvas_pixels(lesson):
    canvas = lesson.scroll_to(3).locator("canvas")
    red = np.array([255, 0, 0, 255])
    pixels = lesson.wait_pixels_change(canvas, np.zeros((2, 4, 4), np.uint8))
    assert pixels.shape == (2, 4, 4)
    assert (pixels[:, :2] == red).all() and not pixels[:, 2:].any()
    with pytest.raises(TimeoutError):
        lesson.wait_pixels_change(canvas, pixels, seconds=0.2)


def test_a_key_on_a_widget_that_lets_it_through_adds_a_cell(lesson):
    """Why test_lessons.py looks for this: an ipywidgets slider alone does let it through."""
    before = len(lesson.cells())
    lesson.press(lesson.scroll_to(2).locator("[role=slider]"), "b")
    assert len(lesson.cells()) == before + 1


def test_errors_and_timeouts_are_seen(open_lesson, start_lab):
    cells = [new_code_cell("1 / 0"), new_code_cell("import time; time.sleep(60)"),
             new_code_cell("from IPython.display import Javascript\nJavascript('console.error(\"oh\")')")]
    lesson = open_lesson(write(start_lab(), "bad.ipynb", cells), theme="dark")
    assert lesson.page.evaluate("document.body.dataset.jpThemeLight") == "false"
    lesson.run_all()
    assert lesson.errors() == ["cell 0: ZeroDivisionError: division by zero"]
    lesson.run_cell(2)
    assert "oh" in lesson.console_errors[0]
    with pytest.raises(TimeoutError):
        lesson.run_cell(1, seconds=1)


def test_screenshots_show_the_whole_notebook(lesson, tmp_path):
    paths = lesson.screenshots(tmp_path, "harness")
    assert len(paths) > 2 and all(path.stat().st_size > 1000 for path in paths)
