"""Lesson 5 in a real JupyterLab: painting, looking, uploading by mouse and keyboard; trainings are cut short."""

import io

import numpy as np
import pytest
from lab import answered, data, widget
from PIL import Image

from vqlab.lessons.photographs import TokenPainter

pytestmark = pytest.mark.browser

ROWS, COLUMNS = 75, 112  # tokens of the cat


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson("notebooks/05_photographs.ipynb")
    lesson.run_all_stopping_trainings(400)
    lesson.show_answers()
    assert lesson.errors() == []
    yield lesson
    assert lesson.console_errors == []


def rest(lesson, found):
    """Wait until the painter has weighed its tokens and asks no more."""
    lesson.page.wait_for_function("e => e.dataset.more && !e.hasAttribute('aria-busy')", arg=found.element_handle())
    return int(data(found, "answered"))


def place(board, row, column, size=(ROWS, COLUMNS)):
    """The middle of a token on the screen."""
    box = board.bounding_box()
    return box["x"] + (column + 0.5) * box["width"] / size[1], box["y"] + (row + 0.5) * box["height"] / size[0]


def stroke(lesson, board, *places):
    """Press at the first place, drag over the others, let go."""
    mouse = lesson.page.mouse
    mouse.move(*place(board, *places[0]))
    mouse.down()
    for each in places[1:]:
        mouse.move(*place(board, *each))
    mouse.up()


@pytest.mark.parametrize("start, end", [((3, 4), (3, 4)), ((3, 4), (4, 3)), ((0, 0), (7, 2)), ((9, 1), (2, 30))])
def test_no_token_on_the_way_is_left_out(in_javascript, start, end):
    first, last = ({"row": row, "column": column} for row, column in (start, end))
    way = in_javascript(TokenPainter, "(js, [first, last]) => js.between(first, last)", [first, last])
    assert len(way) == max(abs(start[0] - end[0]), abs(start[1] - end[1]))
    assert not way or way[-1] == last
    for before, after in zip([first, *way], way, strict=False):
        assert max(abs(before[name] - after[name]) for name in first) == 1


def test_pieces_lie_side_by_side(in_javascript):
    way = [{"row": 5, "column": column} for column in range(10, 22)]
    laid = in_javascript(TokenPainter, "(js, way) => js.sideBySide(way, way[0], 3, 4)", way)
    assert laid == [{"row": 5, "column": column} for column in (14, 18, 22)]  # from half way on: 12, 16, 20
    back = in_javascript(TokenPainter, "(js, way) => js.sideBySide(way.slice(0, 2), way[0], 3, 4)", way)
    assert back == []  # it has not moved by half its width


def painter_parts(lesson):
    """The painter, its picture and the picture's canvas, its map and the map's canvas, its palette."""
    found = widget(lesson, "TokenPainter(")
    picture, map_, palette = found.locator("canvas[role=slider]").all()
    return found, picture, map_, palette, *found.locator("canvas[aria-hidden]").all()


def test_a_stroke_changes_its_surroundings_and_undo_takes_it_back(lesson):
    found, picture, _, _, pixels, map_pixels = painter_parts(lesson)
    cells = [cell["id"] for cell in lesson.cells()]
    at, before, map_before = rest(lesson, found), lesson.pixels(pixels), lesson.pixels(map_pixels)
    assert before.shape[:2] == (4 * ROWS, 4 * COLUMNS) and map_before.shape[:2] == (ROWS, COLUMNS)
    lesson.press(found.locator("input[type=range]"), "Home")  # one token
    stroke(lesson, picture, (20, 30), (20, 50))  # a fast one: no token on the way is left out
    at = answered(lesson, found, at)
    assert 15 <= int(data(found, "changed")) <= 21
    after, map_after = lesson.pixels(pixels), lesson.pixels(map_pixels)
    rows, columns = np.nonzero((map_after != map_before).any(axis=2))
    assert set(rows) == {20} and 30 <= columns.min() and columns.max() <= 50
    rows, columns = np.nonzero((after != before).any(axis=2))
    # a window was drawn anew: the decoder's reach, and no more
    assert rows.min() < 80 and rows.max() > 83 and columns.min() >= 0
    assert 80 - rows.min() <= 32 and rows.max() - 83 <= 32
    weighed = rest(lesson, found)
    assert weighed > at  # a question of its own, after the stroke's
    undo, redo, reset = found.locator("button").all()
    lesson.press(undo, "Enter")
    at = answered(lesson, found, weighed)
    assert data(found, "changed") == "0" and undo.is_disabled() and not redo.is_disabled()
    assert np.abs(lesson.pixels(pixels).astype(int) - before).max() <= 1
    assert (lesson.pixels(map_pixels) == map_before).all()
    picture.focus()
    for keys, changed in (("Control+y", True), ("Control+z", False), ("Control+Shift+Z", True)):
        picture.press(keys)
        at = answered(lesson, found, at)
        assert (data(found, "changed") != "0") is changed
    assert (lesson.pixels(map_pixels) == map_after).all()
    reset.click()
    at = answered(lesson, found, at)
    assert data(found, "changed") == "0" and (lesson.pixels(map_pixels) == map_before).all()
    assert [cell["id"] for cell in lesson.cells()] == cells


def test_painting_by_keyboard(lesson):
    found, picture, map_, palette, _, map_pixels = painter_parts(lesson)
    at = rest(lesson, found)
    lesson.press(found.locator("input[type=range]"), "Home", "ArrowRight")  # 2 × 2
    lesson.press(palette, "Home")
    darkest = data(found, "code")
    lesson.press(palette, "End", "ArrowLeft", "ArrowUp")
    assert data(found, "code") not in (darkest, None) and data(found, "mode") == "code"
    before = lesson.pixels(map_pixels)
    stroke(lesson, map_, (40, 60))  # the cursor stays where the pointer was
    at = answered(lesson, found, at)
    lesson.press(map_, "Shift+ArrowRight", "ArrowDown", "Space")
    at = answered(lesson, found, at)
    rows, columns = np.nonzero((lesson.pixels(map_pixels) != before).any(axis=2))
    assert {40, 41, 42} >= set(rows) and {60, 61, 68, 69} >= set(columns) and 4 < int(data(found, "changed")) <= 8
    found.locator("button").nth(2).click()
    answered(lesson, found, at)


def test_a_piece_is_picked_stamped_and_erased(lesson):
    found, picture, _, _, _, map_pixels = painter_parts(lesson)
    at, before = rest(lesson, found), lesson.pixels(map_pixels)
    lesson.press(found.locator("input[type=range]"), "Home", "ArrowRight", "ArrowRight", "ArrowRight")  # 4 × 4
    found.locator("input[value=pick]").check()
    stroke(lesson, picture, (31, 41))  # its upper left token lies one up and left
    at = answered(lesson, found, at)
    assert data(found, "mode") == "stamp" and data(found, "changed") == "0"
    stroke(lesson, picture, (61, 21), (61, 29))
    at = answered(lesson, found, at)
    now = lesson.pixels(map_pixels)
    for column in (20, 24, 28):  # side by side
        assert (now[60:64, column:column + 4] == before[30:34, 40:44]).all()
    found.locator("input[value=erase]").check()
    stroke(lesson, picture, (61, 21), (61, 29))
    answered(lesson, found, at)
    rest(lesson, found)
    assert data(found, "changed") == "0" and (lesson.pixels(map_pixels) == before).all()


def test_a_token_is_looked_at_by_click_and_by_keyboard(lesson):
    found = widget(lesson, "TokenInspector(")
    board, picture = found.locator("canvas[role=slider]"), found.locator("canvas[aria-hidden]").first
    for layer in found.locator("input[type=checkbox]").all():
        lesson.page.wait_for_timeout(300)
        marks = lesson.pixels(board)
        lesson.press(layer, "Space")
        lesson.wait_pixels_change(board, marks)
        marks = lesson.pixels(board)
        lesson.press(layer, "Space")
        lesson.wait_pixels_change(board, marks)
    at, marks = int(data(found, "answered")), lesson.pixels(board)
    stroke(lesson, board, (24, 44))
    at = answered(lesson, found, at)
    assert (data(found, "row"), data(found, "column")) == ("24", "44")
    marks = lesson.wait_pixels_change(board, marks)
    code, uses = data(found, "code"), int(data(found, "uses"))
    assert uses >= 1 and data(found, "marked") == code
    lesson.page.wait_for_timeout(300)
    said = found.locator("dl").inner_text()
    assert code in said and f"{uses} / {ROWS * COLUMNS}" in said
    lesson.press(board, "ArrowRight", "ArrowDown")
    lesson.page.wait_for_function("e => e.dataset.row === '25' && e.dataset.column === '45'",
                                  arg=found.element_handle())
    neighbours = found.locator("button").all()
    assert len(neighbours) == 8
    lesson.press(neighbours[0], "Enter")
    assert data(found, "marked") != data(found, "code")
    before = lesson.pixels(picture)
    found.locator("input[type=radio]").nth(1).check()
    rebuilt = lesson.pixels(picture)
    assert (rebuilt != before).any()
    found.locator("input[type=radio]").nth(0).check()
    assert (lesson.pixels(picture) == before).all()


def test_the_slider_trades_bytes_for_decibels(lesson):
    found = widget(lesson, "OwnPhotograph(")
    bar = found.locator("input[type=range]")
    original, ours, _ = found.locator("canvas").all()
    states, shown, at = [], lesson.pixels(original), int(data(found, "answered"))
    for key in ("End", "Home"):
        lesson.press(bar, key)
        at = answered(lesson, found, at)
        states.append((int(data(found, "bytes")), float(data(found, "psnr")), lesson.pixels(ours)))
    assert states[0][0] < states[1][0] and states[0][1] < states[1][1] and (states[0][2] != states[1][2]).any()
    assert (lesson.pixels(original) == shown).all()
    lesson.press(bar, "ArrowRight", "ArrowRight")
    lesson.page.wait_for_function("e => e.dataset.at === '2'", arg=found.element_handle())
    lesson.drag(bar, 60)
    answered(lesson, found, at)
    assert data(found, "at") == bar.input_value()


def test_while_a_file_is_written_the_page_says_so(lesson):
    found = widget(lesson, "OwnPhotograph(")
    at, sign = int(data(found, "answered")), found.locator("p[role=status]")
    found.evaluate("""root => {
        root.said = [];
        new MutationObserver(() => root.said.push(root.querySelector("p[role=status]").textContent))
            .observe(root.querySelector("p[role=status]"), { childList: true });
    }""")
    assert sign.inner_text() == ""
    lesson.press(found.locator("input[type=range]"), "End", "ArrowLeft")  # one answer is awaited, another asked for
    answered(lesson, found, at)
    said = found.evaluate("root => root.said")
    assert "正在" in said[0] and "writing the file" in said[0] and said[-1] == "" and sign.inner_text() == ""
    assert data(found, "at") == found.locator("input[type=range]").input_value()


def test_ready_pictures_ones_own_and_a_damaged_one(lesson):
    found = widget(lesson, "OwnPhotograph(")
    original, ours, jpeg = found.locator("canvas").all()
    at, seen = int(data(found, "answered")), set()
    for choice in found.locator("input[type=radio]").all():
        if not choice.is_checked():
            choice.check()
            at = answered(lesson, found, at)
        seen.add(data(found, "name"))
    assert len(seen) == found.locator("input[type=radio]").count() >= 5
    colours = np.zeros((97, 1300, 3), np.uint8) + [20, 90, 200]
    Image.fromarray(colours.astype(np.uint8)).save(file := io.BytesIO(), "PNG")
    chooser = found.locator("input[type=file]")
    chooser.set_input_files({"name": "blue.png", "mimeType": "image/png", "buffer": file.getvalue()})
    at = answered(lesson, found, at)
    assert data(found, "name") == "blue.png" and lesson.pixels(original).shape[:2] == (36, 512)  # 97 · 512 / 1300
    assert (lesson.pixels(original)[..., :3] == [20, 90, 200]).all()
    assert found.locator("input[type=radio]:checked").count() == 0
    before = lesson.pixels(ours)
    chooser.set_input_files({"name": "holiday.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    answered(lesson, found, at)
    said = found.locator(".vq-error").inner_text()
    assert "holiday.jpg" in said and "原来的照片还在" in said and "still here" in said
    assert data(found, "name") == "blue.png" and (lesson.pixels(ours) == before).all()


def test_a_photograph_is_dropped(lesson):
    found = widget(lesson, "OwnPhotograph(")
    at = int(data(found, "answered"))
    Image.effect_noise((200, 120), 60).save(file := io.BytesIO(), "JPEG")
    found.evaluate("""(root, bytes) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", { type: "image/jpeg" }));
        for (const type of ["dragenter", "dragover", "drop"]) {
            root.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }
    }""", list(file.getvalue()))
    at = answered(lesson, found, at)
    assert data(found, "name") == "dropped.jpg"
    assert lesson.pixels(found.locator("canvas").first).shape[:2] == (120, 200)
    assert found.locator(".vq-error").inner_text() == ""
    found.locator("input[type=radio]").first.check()
    answered(lesson, found, at)
    assert data(found, "name") == "cat"
