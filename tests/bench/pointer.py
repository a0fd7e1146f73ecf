"""From pointer event to painted canvas, for each widget of a lesson: ``python tests/bench/pointer.py 02_argmin``.

Runs the lesson in JupyterLab and Chromium, drags every slider and every handle, and prints median, 95th percentile
and the number of moves. The clock starts at the event's own time stamp and stops right after the frame that holds the
first drawing since. Moves come 200 ms apart, so none waits for the one before; a move that draws nothing within that
time is counted as missed. Of a slider's moves only those count that change its value. The texts beside a dragged
figure come up to 80 ms after its picture, and are not waited for.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
from lab import FLAGS, LabServer, Lesson  # noqa: E402

PAUSE = 200  # ms between two moves
WARM_UP = 8  # moves of each control that do not count
WATCH = """
window.vqTimes = [];
let since = 0, inFrame = false, armed = false;
const request = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (act) => request((now) => {
    inFrame = true;
    try { act(now); } finally { inFrame = false; }
});
const afterPaint = () => { // a message posted within a frame is delivered after its painting
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { vqTimes.push(performance.now() - since); since = 0; armed = false; };
    port2.postMessage(0);
};
const drew = () => {
    if (!since || armed) return;
    armed = true;
    if (inFrame) afterPaint(); else request(afterPaint);
};
for (const name of ["fill", "fillRect", "stroke", "strokeRect", "fillText", "putImageData", "drawImage"]) {
    const original = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...given) { drew(); return original.apply(this, given); };
}
let moved = 0;
window.addEventListener("pointermove", (event) => { // the button is down: a drag
    moved = event.timeStamp;
    if (event.buttons && !since && event.target.type !== "range") since = moved;
}, true);
window.addEventListener("input", () => { // a slider: not every move reaches its next value
    if (!since) since = moved;
    vqInputs += 1;
}, true);
window.vqInputs = 0;
window.vqForget = () => { if (!armed) since = 0; };
"""


def drag(lesson, control, moves):
    """Drag to and fro in circles; returns the milliseconds of each move that drew, and how many drew nothing."""
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    reach = min(60, box["width"] / 3) if control.evaluate("e => e.tagName") == "INPUT" else 40
    mouse = lesson.page.mouse
    if control.evaluate("e => e.tagName") == "INPUT":
        share = control.evaluate("e => (e.value - e.min) / (e.max - e.min)")
        x = box["x"] + 8 + share * (box["width"] - 16)
        reach = box["width"] / 3 * (1 if share < 0.5 else -1)
    mouse.move(x, y)
    mouse.down()
    lesson.page.wait_for_timeout(300)
    for number in range(1 - WARM_UP, moves + 1):
        if number == 1:
            lesson.page.evaluate("vqTimes.length = vqInputs = 0")
        angle = 2 * np.pi * number / 17
        mouse.move(x + reach * (1 - np.cos(angle)) / 2, y + 25 * np.sin(angle))
        lesson.page.wait_for_timeout(PAUSE)
        lesson.page.evaluate("vqForget()")
    mouse.up()
    lesson.page.wait_for_timeout(200)
    times = lesson.page.evaluate("vqTimes.splice(0)")
    if control.evaluate("e => e.tagName") == "INPUT":
        moves = lesson.page.evaluate("vqInputs")
    return times, moves - len(times)


def report(cell, times, remark):
    middle, late = np.percentile(times, (50, 95))
    print(f"cell {cell:2d}  p50 {middle:5.1f} ms  p95 {late:5.1f} ms  "
          f"{len(times):3d} moves drew, {remark}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lesson", help="for instance 02_argmin")
    parser.add_argument("--moves", type=int, default=60, help="of each control (default 60)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = LabServer(Path(folder))
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            lesson = Lesson(server, browser, f"notebooks/{Path(options.lesson).stem}.ipynb")
            lesson.page.evaluate(WATCH)
            lesson.run_all(300)
            for number, cell in enumerate(lesson.cells()):
                if not any("widget-view" in mime for output in cell.get("outputs", [])
                           for mime in output.get("data", {})):
                    continue
                widget = lesson.scroll_to(number).locator(".vq-widget").first
                widget.wait_for()
                if not widget.locator("canvas").count():
                    continue  # a prediction or a quiz
                lesson.page.wait_for_timeout(500)
                figure = []
                for control in widget.locator("input[type=range], .vq-handle").all():
                    if not control.is_visible():
                        continue
                    name = control.get_attribute("aria-label")
                    times, missed = drag(lesson, control, options.moves)
                    if not times:
                        print(f"cell {number:2d}  draws nothing itself  {name}", flush=True)
                        continue
                    figure += times
                    report(number, times, f"{missed} did not  {name}")
                if figure:
                    report(number, figure, "the whole figure")
            lesson.close()
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
