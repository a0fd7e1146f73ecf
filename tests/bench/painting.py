"""From pointer event to changed picture while tokens are painted: ``python tests/bench/painting.py``.

Opens a notebook with one `TokenPainter` in JupyterLab and Chromium and drags over the picture, as `pointer.py` does,
with brushes of 1, 4 and 8 tokens. The clock starts at the event's own time stamp and stops right after the frame that
holds the pixels which the decoder made of it: the round trip to the kernel is in it. What is drawn without asking
Python, such as the frame around the pointer, is not what is timed. Prints median, 95th percentile, and what of it
was Python's.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))
from lab import FLAGS, LabServer, Lesson  # noqa: E402

BRUSHES = (1, 4, 8)
GOAL = 50  # ms, at the 95th percentile, one token
PAUSE = 200  # ms between two moves
WARM_UP = 8  # moves that do not count
WATCH = """
window.vqTimes = [];
let since = 0;
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    put.apply(this, given);
    if (this.canvas !== window.vqPicture || !since) return;
    const started = since;
    since = 0;
    requestAnimationFrame(() => { // a message posted within a frame is delivered after its painting
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => vqTimes.push(performance.now() - started);
        port2.postMessage(0);
    });
};
window.addEventListener("pointerrawupdate", (event) => { if (event.buttons) since = event.timeStamp; }, true);
window.vqForget = () => { since = 0; };
"""


def notebook(model):
    loaded = f"vqlab.load({str(model)!r})" if model else "vqlab.bundled_model()"
    cells = [f"import vqlab\nfrom vqlab.lessons import photographs\nmodel = {loaded}",
             "painter = photographs.TokenPainter(model, vqlab.held_out_photo())\n"
             "times = []\n"
             "painter.observe(lambda change: times.append(change.new['milliseconds']), 'answer')\npainter",
             "import numpy\nprint(numpy.percentile([each for each in times if each], [50, 95]).round(1).tolist())"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
                                    metadata={"kernelspec": kernel})


def paint(lesson, widget, brush, moves):
    """Drag from token to token; the milliseconds of the moves that changed the picture."""
    size = widget.locator("input[type=range]")
    lesson.press(size, "Home", *["ArrowRight"] * (brush - 1))
    picture = widget.locator("canvas[aria-hidden]").first
    picture.evaluate("canvas => { window.vqPicture = canvas; }")
    box, mouse = picture.bounding_box(), lesson.page.mouse
    token = box["width"] / (picture.evaluate("canvas => canvas.width") / 4)
    mouse.move(box["x"] + 20.5 * token, box["y"] + 12.5 * token)
    mouse.down()
    for number in range(-WARM_UP, moves):
        if number == 0:
            lesson.page.evaluate("vqTimes.length = 0")
        place = number + WARM_UP
        mouse.move(box["x"] + (21.5 + place % 60) * token, box["y"] + (12.5 + brush * (place // 60)) * token)
        lesson.page.wait_for_timeout(PAUSE)
        lesson.page.evaluate("vqForget()")
    mouse.up()
    lesson.page.wait_for_timeout(300)
    return lesson.page.evaluate("vqTimes.splice(0)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, help="a model.safetensors (default: the bundled one)")
    parser.add_argument("--moves", type=int, default=100, help="of each brush (default 100)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = LabServer(Path(folder))
        nbformat.write(notebook(options.model and options.model.resolve()), server.files / "painting.ipynb")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        try:
            lesson = Lesson(server, browser, "painting.ipynb")
            lesson.page.evaluate(WATCH)
            lesson.run_all()
            widget = lesson.scroll_to(1).locator(".vq-widget")
            widget.wait_for()
            lesson.page.wait_for_timeout(1000)
            for brush in BRUSHES:
                times = paint(lesson, widget, brush, options.moves)
                middle, late = np.percentile(times, (50, 95))
                goal = f" (goal {GOAL})" if brush == 1 else ""
                print(f"brush {brush} × {brush}: p50 {middle:5.1f} ms, p95 {late:5.1f} ms{goal}, "
                      f"{len(times)} of {options.moves} moves drawn", flush=True)
            lesson.run_cell(2)
            print("of it Python, p50 and p95:", lesson.outputs(2)[0]["text"].strip(), "ms")
            print("errors:", lesson.errors() + lesson.console_errors)
            lesson.close()
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
