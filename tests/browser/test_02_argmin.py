"""Lesson 2 in Chromium: JavaScript's argmin is vqlab's, codes are dragged, Lloyd never rises, the curve grows."""

import pytest
import torch

from vqlab import nearest_code
from vqlab.lessons.argmin import VoronoiPlane, distortion, lloyd_step

pytestmark = pytest.mark.browser

RUN = """(js, [points, codes]) => {
    const [p, c] = [Float32Array.from(points), Float32Array.from(codes)];
    const indices = js.nearestCode(p, c);
    return { indices: [...indices], distortion: js.distortion(p, c, indices), moved: [...js.lloydStep(p, c, indices)],
             cells: js.voronoiCells(c, [-4, -4], [4, 4]) };
}"""


@pytest.fixture(scope="module")
def computed(in_javascript):
    """A function (points (N, 2), codes (K, 2)) -> what plane.js computes of them."""
    return lambda *vectors: in_javascript(VoronoiPlane, RUN, [each.flatten().tolist() for each in vectors])


def configurations():
    """Random ones; then whole numbers, where ties abound; then codes that coincide."""
    generator = torch.Generator().manual_seed(0)
    for number in (1, 2, 3, 6, 16, 40):
        yield torch.randn(300, 2, generator=generator), torch.randn(number, 2, generator=generator)
        yield (torch.randint(-3, 4, (300, 2), generator=generator).float(),
               torch.randint(-3, 4, (number, 2), generator=generator).float())
    codes = torch.randn(3, 2, generator=generator)
    yield torch.randn(300, 2, generator=generator), codes[[0, 1, 0, 2, 1]]


@pytest.mark.parametrize("number", range(13))
def test_javascript_computes_what_vqlab_does(computed, number):
    points, codes = list(configurations())[number]
    found = computed(points, codes)
    assert found["indices"] == nearest_code(points, codes).tolist()
    assert found["distortion"] == pytest.approx(distortion(points, codes), rel=1e-12)
    assert torch.allclose(torch.tensor(found["moved"]).reshape(-1, 2), lloyd_step(points, codes), atol=1e-6)


@pytest.mark.parametrize("number", range(13))
def test_cells_are_where_their_code_is_nearest(computed, number):
    """The cells' areas fill the box, and each cell's inner points belong to its code."""
    points, codes = list(configurations())[number]
    area = 0
    for k, cell in enumerate(computed(points, codes)["cells"]):
        if not cell:
            continue
        corners = torch.tensor(cell, dtype=torch.float64)
        (x, y), (x1, y1) = corners.T, corners.roll(-1, 0).T
        area += float((x * y1 - x1 * y).sum()) / 2
        inner = corners.mean(dim=0) + 0.98 * (corners - corners.mean(dim=0))
        if float((x * y1 - x1 * y).sum()) > 1e-6:
            assert nearest_code(inner, codes.double()).tolist() == [k] * len(corners)
    assert area == pytest.approx(64)


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson("notebooks/02_argmin.ipynb")
    lesson.run_all(seconds=200)
    lesson.show_answers()
    assert lesson.errors() == []
    yield lesson
    assert lesson.console_errors == []


def widget(lesson, source):
    """The widget of the cell whose source contains ``source``."""
    number = next(n for n, cell in enumerate(lesson.cells()) if source in "".join(cell["source"])
                  and cell["cell_type"] == "code")
    found = lesson.scroll_to(number).locator(".vq-widget").first
    found.wait_for()
    return found


def wait_distortion(lesson, plane, before):
    lesson.page.wait_for_function("([e, before]) => e.dataset.distortion && e.dataset.distortion !== before",
                                  arg=[plane.element_handle(), before])
    return plane.get_attribute("data-distortion")


def test_every_code_moves_by_drag_and_by_keys(lesson):
    plane = widget(lesson, "playground = VoronoiPlane")
    canvas = plane.locator(".vq-plane canvas")
    assert plane.locator(".vq-code").count() == 6
    before = plane.get_attribute("data-distortion")
    cells = len(lesson.cells())
    for k in range(6):
        code = plane.locator(".vq-code").nth(k)
        for act in (lambda code=code: lesson.drag(code, dx=25, dy=-20),
                    lambda code=code: lesson.press(code, "ArrowLeft"),
                    lambda code=code: lesson.press(code, "ArrowRight", "ArrowRight"),
                    lambda code=code: lesson.press(code, "ArrowUp"),
                    lambda code=code: lesson.press(code, "Shift+ArrowDown")):
            picture = lesson.pixels(canvas)
            act()
            before = wait_distortion(lesson, plane, before)
            lesson.wait_pixels_change(canvas, picture)
    reading = plane.locator("output.vq-distortion").element_handle()  # texts follow the picture by 80 ms
    lesson.page.wait_for_function("([e, text]) => e.textContent === text", timeout=2000,
                                  arg=[reading, f"{float(before):.4f}"])
    for way in ("ArrowRight", "ArrowUp"):  # to the edge and no farther
        lesson.press(plane.locator(".vq-code").first, *[way] * 150)
    assert plane.locator(".vq-code").first.evaluate(
        "e => parseFloat(e.style.transform.slice(10))") == pytest.approx(100, abs=0.01)
    assert len(lesson.cells()) == cells


def test_what_was_dragged_reaches_python(lesson):
    plane = widget(lesson, "playground = VoronoiPlane")
    lesson.press(plane.locator(".vq-code").nth(2), "ArrowLeft", "ArrowLeft")
    lesson.page.wait_for_timeout(500)
    number = next(n for n, cell in enumerate(lesson.cells()) if "indices = nearest_code(plane.points, playground" in
                  "".join(cell["source"]))
    lesson.run_cell(number)
    lesson.wait_output(number, f"{float(plane.get_attribute('data-distortion')):.4f}")


def test_code_colours_and_back_to_the_start(lesson):
    plane = widget(lesson, "playground = VoronoiPlane")
    canvas = plane.locator(".vq-plane canvas")
    picture = lesson.pixels(canvas)
    lesson.press(plane.locator("input[type=checkbox]"), "Space")
    picture = lesson.wait_pixels_change(canvas, picture)
    before = plane.get_attribute("data-distortion")
    lesson.press(plane.locator("button"), "Enter")
    wait_distortion(lesson, plane, before)
    lesson.wait_pixels_change(canvas, picture)


def test_lloyd_by_button_and_key_never_rises(lesson):
    plane = widget(lesson, "VoronoiPlane(plane, starts, lloyd=True)")
    one_step, run, another = (plane.locator("button").nth(n) for n in range(3))
    ends = []
    for _ in range(3):
        seen = [plane.get_attribute("data-distortion")]
        for number in range(4):
            one_step.click() if number % 2 else lesson.press(one_step, "Enter")
            seen.append(wait_distortion(lesson, plane, seen[-1]))
        assert [float(x) for x in seen] == sorted((float(x) for x in seen), reverse=True)
        lesson.press(run, "Space")
        plane.get_by_text("converged").wait_for(timeout=30_000)
        ends.append(round(float(plane.get_attribute("data-distortion")), 3))
        before = plane.get_attribute("data-distortion")
        another.click()
        wait_distortion(lesson, plane, before)
    assert len(set(ends)) == 3  # three local minima


def test_the_curve_grows_as_one_plays(lesson):
    player = widget(lesson, "player = PalettePlayer")
    slider, play = player.locator("input[type=range]"), player.locator("button")
    curve = player.locator("canvas").last
    painted = player.locator(".vq-picture canvas").nth(1)

    def wait_size(size):
        lesson.page.wait_for_function("([e, size]) => e.dataset.size === size", arg=[player.element_handle(), size])

    before, photo = lesson.pixels(curve), lesson.pixels(painted)
    for size in ("3", "4", "6"):
        lesson.press(slider, "ArrowRight")
        wait_size(size)
        before, photo = lesson.wait_pixels_change(curve, before), lesson.wait_pixels_change(painted, photo)
    lesson.press(slider, "End")
    wait_size("256")
    assert "dB" in player.locator(".vq-numbers").text_content()
    lesson.drag(slider, dx=-60)
    lesson.page.wait_for_function("e => +e.dataset.size < 256", arg=player.element_handle())
    play.click()
    wait_size("2")
    wait_size("256")
