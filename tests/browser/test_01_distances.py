"""Lesson 1 in a browser: its planes are dragged and keyed, its numbers are vqlab's."""

import pytest
import torch

from vqlab.lessons.distances import DistancePlane, winners
from vqlab.lessons.distances.measures import expansion_terms
from vqlab.lessons.distances.rounding import METHODS, OFFSETS, PRECISIONS

pytestmark = pytest.mark.browser

TEXTS = 200  # ms: a widget writes its texts 80 ms after the picture


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson("notebooks/01_distances.ipynb")
    lesson.run_all(300)
    lesson.show_answers()
    return lesson


def widget(lesson, call):
    """The output of the cell that makes this widget, scrolled into the page."""
    number = next(n for n, cell in enumerate(lesson.cells())
                  if cell["cell_type"] == "code" and call in "".join(cell["source"]))
    cell = lesson.scroll_to(number)
    cell.locator(".vq-widget").first.wait_for()
    return cell.locator(".vq-widget").first


def test_the_numbers_are_those_of_vqlab(in_javascript):
    """winner() and expansionTerms() of the JavaScript against nearest_code and torch, on random configurations."""
    generator = torch.Generator().manual_seed(0)
    for codes in (7, 1, 30):
        queries = torch.rand(200, 2, generator=generator, dtype=torch.float64) * 1.5 - 0.75
        book = torch.rand(codes, 2, generator=generator, dtype=torch.float64) * 1.5 - 0.75
        found = in_javascript(DistancePlane, """({ winner, expansionTerms }, [queries, codes]) =>
            queries.map(query => ({ terms: expansionTerms(query, codes),
                                    best: ['euclid', 'cosine', 'dot'].map(each => winner(each, query, codes)) }))""",
            [queries.tolist(), book.tolist()])
        expected = torch.stack(list(winners(queries, book).values()), dim=1)
        assert torch.equal(torch.tensor([each["best"] for each in found]), expected)
        for query, each in zip(queries, found, strict=True):
            torch.testing.assert_close(torch.tensor(each["terms"], dtype=torch.float64), expansion_terms(query, book))


def test_ties_go_to_the_lowest_index(in_javascript):
    codes = [[0.5, 0], [0, 0.25], [0.25, 0], [0, -0.25]]
    assert in_javascript(DistancePlane, "({ winner }, codes) => winner('euclid', [0, 0], codes)", codes) == 1


def test_the_query_is_dragged_and_keyed(lesson):
    plane = widget(lesson, "lesson.DistancePlane(")
    assert plane.get_attribute("data-winners") == "2,3,1"  # three different ones at the start
    canvas, handles = plane.locator("canvas").first, plane.locator(".vq-handle")
    assert handles.count() == 8  # seven codes and the query
    before, table = lesson.pixels(canvas), plane.locator("table").inner_text()
    lesson.drag(handles.last, dx=-150, dy=120)
    before = lesson.wait_pixels_change(canvas, before)
    lesson.page.wait_for_timeout(TEXTS)
    assert plane.locator("table").inner_text() != table
    assert plane.get_attribute("data-winners").split(",")[0] != "2"
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        lesson.press(handles.last, key)
        before = lesson.wait_pixels_change(canvas, before)


def test_every_code_moves(lesson):
    plane = widget(lesson, "lesson.DistancePlane(")
    canvas, handles = plane.locator("canvas").first, plane.locator(".vq-handle")
    for k in range(7):
        before = lesson.pixels(canvas)
        lesson.press(handles.nth(k), "ArrowUp")
        before = lesson.wait_pixels_change(canvas, before)
        lesson.press(handles.nth(k), "ArrowDown")
        lesson.wait_pixels_change(canvas, before)


def test_regions_and_equal_norms(lesson):
    plane = widget(lesson, "lesson.DistancePlane(")
    canvas, query = plane.locator("canvas").first, plane.locator(".vq-handle").last
    before = lesson.pixels(canvas)
    for measure in ("euclid", "cosine", "dot", "none"):
        plane.locator(f"input[value={measure}]").check()
        before = lesson.wait_pixels_change(canvas, before)
    plane.get_by_role("checkbox").check()
    lesson.wait_pixels_change(canvas, before)
    lesson.page.wait_for_timeout(TEXTS)
    assert "100%" in plane.inner_text()
    for _ in range(12):  # wherever the query goes, the three agree
        lesson.press(query, "ArrowRight", "ArrowRight", "ArrowUp")
        lesson.page.wait_for_timeout(60)
        assert len(set(plane.get_attribute("data-winners").split(","))) == 1
    plane.locator(".vq-handle").first.press("ArrowUp")  # a code stays on the circle
    plane.get_by_role("checkbox").uncheck()
    lesson.page.wait_for_timeout(TEXTS)
    assert "100%" not in plane.inner_text()


def test_terms_are_added_one_by_one(lesson):
    terms = widget(lesson, "lesson.ExpansionPlane(")
    bars, steps = terms.locator("canvas").nth(1), terms.locator("input[type=range]")
    lowest, said, before = [], set(), lesson.pixels(bars)
    lowest.append(terms.get_attribute("data-lowest"))
    for _ in range(2):
        lesson.press(steps, "ArrowRight")
        before = lesson.wait_pixels_change(bars, before)
        lowest.append(terms.get_attribute("data-lowest"))
        lesson.page.wait_for_timeout(TEXTS)
        said.add(terms.locator("p.vq-legend").inner_text())
    assert lowest == ["1", "2", "2"]  # the dot product's winner, then Euclid's, twice
    assert len(said) == 2
    lesson.drag(terms.locator(".vq-handle").last, dx=-100, dy=60)
    lesson.wait_pixels_change(bars, before)
    lesson.drag(steps, dx=-150)
    assert steps.input_value() == "1"


def test_rounding_in_every_precision_and_method(lesson):
    rounding = widget(lesson, "lesson.RoundingPlane(")
    offset = rounding.locator("input[type=range]")
    wrong, asked = {}, 0

    def answered():
        lesson.page.wait_for_function(
            "([root, asked]) => Number(root.dataset.answered) > asked", arg=[rounding.element_handle(), asked])
        return int(rounding.get_attribute("data-answered")), float(rounding.get_attribute("data-wrong"))

    for precision in PRECISIONS:
        for method in METHODS:
            for name in (precision, method):
                button = rounding.locator(f"input[value={name}]")
                if not button.is_checked():
                    button.check()
                    asked, _ = answered()
            for _ in OFFSETS[1:]:
                lesson.press(offset, "ArrowRight")
                asked, wrong[precision, method] = answered()
            lesson.press(offset, "Home")
            asked, _ = answered()
    for precision in PRECISIONS:
        assert wrong[precision, "formula"] > 0.3
        assert wrong[precision, "nearest_code"] == 0
        assert wrong[precision, "centred"] < 0.05
    assert wrong["fp32", "centred"] < 0.002 < wrong["bf16", "centred"]
    before = lesson.pixels(rounding.locator("canvas"))
    rounding.locator("input[value=formula]").check()
    lesson.drag(offset, dx=200)
    lesson.wait_pixels_change(rounding.locator("canvas"), before)


def test_nothing_on_the_console(lesson):
    assert lesson.console_errors == [] and lesson.errors() == []
