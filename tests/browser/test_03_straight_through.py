"""Lesson 3 in a real JupyterLab: every control through its range, by mouse and by keyboard."""

import pytest
import torch
from lab import widget

from vqlab.lessons.straight_through.chase import RATE, Chase, ChasePlayer, code_changes

pytestmark = pytest.mark.browser

LESSON = "notebooks/03_straight_through.ipynb"


@pytest.fixture(scope="module")
def lesson(open_lesson):
    lesson = open_lesson(LESSON)
    lesson.run_all(seconds=300)
    lesson.show_answers()
    assert lesson.errors() == []
    return lesson


def answered(lesson, found, act):
    """Do something that makes the widget ask Python; returns when the answer is drawn."""
    before = found.get_attribute("data-answered")
    act()
    lesson.page.wait_for_function("([e, before]) => e.dataset.answered !== before",
                                  arg=[found.element_handle(), before], timeout=10_000)
    lesson.page.wait_for_timeout(200)  # the newest of several answers


@pytest.mark.parametrize("source, rows", [("GradientPlane(ways)", 4), ('"rotation_trick(z_e, z_q)"', 2)])
def test_plane(lesson, source, rows):
    plane = widget(lesson, source)
    canvas, cells = plane.locator("canvas"), [cell["id"] for cell in lesson.cells()]
    handles = plane.locator(".vq-handle").all()
    assert len(handles) == 2 and plane.locator("tbody tr").count() == rows
    for handle in handles:
        pixels, numbers = lesson.pixels(canvas), plane.locator("tbody").inner_text()
        answered(lesson, plane, lambda handle=handle: lesson.press(handle, "ArrowLeft", "ArrowUp", "Shift+ArrowRight",
                                                                   "ArrowDown", "ArrowDown"))
        pixels = lesson.wait_pixels_change(canvas, pixels)
        assert plane.locator("tbody").inner_text() != numbers
        numbers = plane.locator("tbody").inner_text()
        answered(lesson, plane, lambda handle=handle: lesson.drag(handle, -120, 60))
        lesson.wait_pixels_change(canvas, pixels)
        assert plane.locator("tbody").inner_text() != numbers
        lesson.press(handle, *["ArrowRight"] * 110, *["ArrowUp"] * 110)  # to the corner, not beyond
        place = handle.evaluate("e => e.style.transform.match(/[-.0-9]+/g).map(Number)")
        assert place == pytest.approx([100, 0], abs=0.01)  # per cent of the plane's width
    lesson.press(handles[0], *["ArrowLeft"] * 40, *["ArrowDown"] * 40)  # the arrows on the canvas again
    lesson.page.wait_for_timeout(300)
    seen = []
    for radio in plane.locator("input[type=radio]").all():
        radio.check()
        lesson.page.wait_for_timeout(100)
        seen.append(lesson.pixels(canvas).tobytes())
    assert len(set(seen)) == rows  # each way has its own arrows
    lesson.press(plane.locator("input[type=radio]").last, "ArrowUp")
    assert plane.locator("input[type=radio]").nth(rows - 2).is_checked()
    assert [cell["id"] for cell in lesson.cells()] == cells and lesson.errors() == []


def test_plane_shows_autograds_numbers(lesson):
    plane = widget(lesson, "GradientPlane(ways)")
    texts = plane.locator("tbody tr").nth(1).locator("td").all_inner_texts()
    z_q, at_z_e = (eval(text.replace("−", "-")) for text in texts[1:3])
    target = [float(x) for x in
              plane.locator(".vq-handle").nth(1).get_attribute("aria-valuetext").replace("x ", "").split(", y ")]
    assert at_z_e == pytest.approx([z_q[0] - target[0], z_q[1] - target[1]], abs=0.02)
    assert "no path" in texts[3]


def test_chase_by_keyboard_and_mouse(lesson):
    chase = widget(lesson, "ChasePlayer(start)")
    canvas, chart = chase.locator("canvas").all()
    play, step, restart = chase.locator("button").all()

    def steps():
        return int(chase.get_attribute("data-step"))

    assert steps() == 0
    first, curve = lesson.pixels(canvas), lesson.pixels(chart)
    step.click()
    lesson.press(step, "Enter", "s")
    assert steps() == 3
    after = lesson.wait_pixels_change(canvas, first)
    lesson.wait_pixels_change(chart, curve)
    lesson.press(play, "p")
    lesson.page.wait_for_function("e => Number(e.dataset.step) > 20", arg=chase.element_handle())
    lesson.press(play, "p")
    paused = steps()
    lesson.page.wait_for_timeout(300)
    assert steps() == paused > 20
    lesson.wait_pixels_change(canvas, after)
    slider = chase.locator("input[type=range]")
    lesson.press(slider, "End")
    assert float(slider.input_value()) == 4
    lesson.press(slider, "Home", *["ArrowRight"] * 5)
    assert float(slider.input_value()) == 0.25 and chase.locator("output").inner_text() == "0.25"
    lesson.drag(slider, 60)
    assert float(slider.input_value()) > 1
    play.click()
    lesson.page.wait_for_function("e => Number(e.dataset.step) > 40", arg=chase.element_handle())
    play.click()
    restart.click()
    assert steps() == 0 and (lesson.pixels(canvas) == first).all()


def test_nothing_on_the_console(lesson):
    assert lesson.console_errors == []


FILM = """({ nearestCodes, chaseStep, chaseNumbers }, [state, beta, rate]) => {
    let switched = 0;
    for (let i = 0; i < 20; i++) {
        const before = nearestCodes(state.z_e, state.codes);
        state = chaseStep(state, beta, rate);
        switched += nearestCodes(state.z_e, state.codes).filter((k, i) => k !== before[i]).length;
    }
    return { ...state, ...chaseNumbers(state), switched };
}"""


def test_the_pages_steps_equal_autograds(in_javascript):
    """Random configurations: what chase.js computes is what torch's autograd does, in float64."""
    generator = torch.Generator().manual_seed(0)
    for beta in (0, 0.25, 1, 3.5):
        for _ in range(5):
            start = Chase(*(torch.randn(n, 2, generator=generator, dtype=torch.float64) for n in (9, 3, 9)))
            film = start.run(beta, 20)
            found = in_javascript(ChasePlayer, FILM, [{name: x.tolist() for name, x in start._asdict().items()}, beta,
                                                      RATE])
            for name in ("z_e", "codes"):
                got = torch.tensor(found[name], dtype=torch.float64)
                assert torch.allclose(got, getattr(film[-1], name), atol=1e-9)
            assert found["gap"] == pytest.approx(film[-1].gap()) and found["error"] == pytest.approx(film[-1].error())
            assert found["switched"] == code_changes(film)
