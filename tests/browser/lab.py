"""A real JupyterLab for tests: a server on a copy of the notebooks, and one open lesson in Chromium."""

import base64
import contextlib
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
NOTEBOOK = "jupyterapp.shell.currentWidget"
KERNEL = f"{NOTEBOOK}.context.sessionContext.session?.kernel"
START_SECONDS = 120


class LabServer:
    """JupyterLab on a free loopback port; its settings, kernels and files live in ``folder`` only."""

    def __init__(self, folder):
        self.folder = folder
        self.files = folder / "files"
        self.settings = folder / "settings"
        shutil.copytree(ROOT / "notebooks", self.files / "notebooks", dirs_exist_ok=True)
        shutil.copy(ROOT / "pyproject.toml", self.files)  # the pairing of the twins
        # a saved lesson is trusted: opened again, it would seek the widgets of a kernel that is gone
        self._set("docmanager-extension/plugin", autosave=False)
        (folder / "app").mkdir()
        shutil.copy(ROOT / "binder" / "overrides.json", folder / "app")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.token = f"http://127.0.0.1:{port}", secrets.token_hex(16)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
             f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.files}",
             f"--IdentityProvider.token={self.token}", "--LabApp.expose_app_in_browser=True",
             f"--LabApp.app_settings_dir={folder / 'app'}"],
            cwd=self.files, env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
        self.log, ready = [], threading.Event()
        self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        if not ready.wait(START_SECONDS) or self.process.poll() is not None:
            self.stop()
            raise RuntimeError("JupyterLab did not start:\n" + "".join(self.log))

    def _environment(self):
        names = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
                 "IPYTHONDIR": "ipython", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
                 "JUPYTERLAB_SETTINGS_DIR": "settings"}
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return (os.environ | {name: str(self.folder / sub) for name, sub in names.items()}
                | {"JUPYTER_PREFER_ENV_PATH": "1", "PYTHONPATH": path})

    def _read(self, ready):
        for line in self.process.stdout:  # ends when the server does
            self.log.append(line)
            if "is running at" in line:
                ready.set()
        ready.set()

    def set_theme(self, theme):
        self._set("apputils-extension/themes", theme=f"JupyterLab {theme.title()}")

    def _set(self, plugin, **settings):
        path = self.settings / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        self.process.stdout.close()


class Lesson:
    """One notebook, open in a page of its own; made by the ``open_lesson`` fixture.

    Cells far off screen are not in the page: what a cell holds is read from the notebook's *model*
    (``cells``), what it looks like after scrolling there (``each_screen``).
    """

    def __init__(self, server, browser, path, theme="light", width=1200, height=900):
        server.set_theme(theme)
        self.page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
        self.console_errors = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.console_errors.append(f"uncaught: {error}"))
        self.page.goto(f"{server.url}/doc/tree/{path}?token={server.token}&reset")
        self.page.wait_for_function(f"window.jupyterapp && {NOTEBOOK}?.context?.isReady", timeout=90_000)
        self.page.wait_for_function(f"{KERNEL}?.status === 'idle'", timeout=90_000)
        self.notebook = self.page.locator(".jp-Notebook")

    def _heard(self, message):
        if message.type == "error":
            self.console_errors.append(f"{message.text} ({message.location.get('url', '')})")

    def run_all(self, seconds=300):
        """Run every cell; returns when the last has finished, or raises after ``seconds``."""
        self._run("notebook:run-all-cells", seconds)

    def run_all_stopping_trainings(self, seconds=300):
        """Run every cell, pressing "Stop and keep" two seconds into each training that is shown.

        Where nothing hangs on how well a model is trained; nbval runs the same cells to their end.
        """
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")  # not awaited
        stop = self.page.locator(".vq-widget button:not([disabled])").filter(has_text="Stop and keep")
        deadline, shown = time.monotonic() + seconds, None
        while True:
            cells = self.cells()
            waiting = [number for number, cell in enumerate(cells)
                       if cell["cell_type"] == "code" and cell["source"] and not cell["execution_count"]]
            if not waiting:
                return self.wait_idle()
            if errors := self.errors(cells):  # the cells after it will never run
                raise RuntimeError("\n".join(errors))
            if time.monotonic() > deadline:
                raise TimeoutError(f"cell {waiting[0]} still running after {seconds} s")
            if waiting[0] != shown and ".watch" in "".join(cells[waiting[0]]["source"]):  # and watch_codes
                shown = waiting[0]
                self.scroll_to(shown)
            for button in stop.filter(visible=True).all():
                self.page.wait_for_timeout(2000)
                with contextlib.suppress(Exception):  # the training may have ended by itself
                    button.click(timeout=1000)
            self.page.wait_for_timeout(300)

    def run_cell(self, number, seconds=60):
        self.page.evaluate(f"n => {{ {NOTEBOOK}.content.activeCellIndex = n }}", number)
        self._run("notebook:run-cell", seconds)

    def _run(self, command, seconds):
        finished = self.page.evaluate(
            """([command, ms]) => Promise.race([
                 jupyterapp.commands.execute(command).then(() => true),
                 new Promise(done => setTimeout(() => done(false), ms))])""", [command, 1000 * seconds])
        if not finished:
            raise TimeoutError(f"{command} still running after {seconds} s")
        self.wait_idle()

    def wait_idle(self, seconds=60):
        self.page.wait_for_function(f"{KERNEL}?.status === 'idle'", timeout=1000 * seconds)

    def cells(self):
        """The notebook's cells as its model has them now: a list of dicts as in the .ipynb file."""
        return self.page.evaluate(f"{NOTEBOOK}.context.model.toJSON()")["cells"]

    def outputs(self, number):
        return self.cells()[number].get("outputs", [])

    def errors(self, cells=None):
        """What the outputs of the cells, by default as they are now, say of errors: a line each."""
        return [f"cell {number}: {output['ename']}: {output['evalue']}"
                for number, cell in enumerate(cells or self.cells()) for output in cell.get("outputs", [])
                if output["output_type"] == "error"]

    def wait_output(self, number, text, seconds=30):
        """Wait until cell ``number``'s outputs contain ``text``."""
        self.page.wait_for_function(
            f"""([n, text]) => JSON.stringify({NOTEBOOK}.context.model.toJSON().cells[n].outputs ?? [])
                               .includes(JSON.stringify(text).slice(1, -1))""",
            arg=[number, text], timeout=1000 * seconds)

    def scroll_to(self, number):
        """Bring cell ``number`` into the page and return its locator."""
        self.page.evaluate(f"n => {NOTEBOOK}.content.scrollToItem(n, 'start')", number)
        cell = self.notebook.locator(f'[data-windowed-list-index="{number}"]')
        cell.wait_for(state="visible")
        return cell

    def each_screen(self):
        """Scroll from top to bottom, yielding once a screen."""
        outer = self.page.locator(".jp-WindowedPanel-outer").first
        top, last = 0, -1
        while True:
            now = outer.evaluate("""(panel, top) => new Promise(done => {
                panel.scrollTop = top;  // two frames: one to scroll, one to draw the cells that came in
                requestAnimationFrame(() => requestAnimationFrame(() => done(panel.scrollTop)));
            })""", top)
            if now <= last:
                return
            yield now
            top, last = now + outer.evaluate("panel => panel.clientHeight") - 40, now

    def screenshots(self, folder, name):
        """Save the whole notebook, a screen a file; returns the paths ``folder/name-1.png``, …"""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, _ in enumerate(self.each_screen(), start=1):
            self.page.wait_for_timeout(300)  # formulas and pictures of the cells that came in
            paths.append(folder / f"{name}-{number}.png")
            self.page.screenshot(path=paths[-1])
        return paths

    def show_answers(self):
        """Open every answer that waits for its prediction, as by pressing all of them."""
        for _ in self.each_screen():
            self.notebook.evaluate("""notebook => notebook.querySelectorAll('details.vq-answer:not([open])')
                                        .forEach(answer => { answer.open = true; })""")

    def choose_language(self, language):
        """Set the lesson's switch to ``zh``, ``en`` or ``both``."""
        next(self.each_screen())
        self.page.locator(f"input.vq-lang-{language}").first.check(force=True)

    def visible_languages(self):
        """Which of zh and en can be seen on this screen, by computed visibility, beside the switch itself."""
        return set(self.notebook.evaluate("""notebook =>
            [...notebook.querySelectorAll('[lang]:not(.vq-lang *)')]
              .filter(e => e.textContent.trim() && e.checkVisibility({visibilityProperty: true}))
              .map(e => e.lang)"""))

    def controls(self):
        """Everything in an output of the cells in the page that takes the keyboard."""
        return self.notebook.locator(
            ".jp-OutputArea-output :is(input, select, textarea, button, [role=slider], [tabindex='0'])"
            ":not([disabled])").filter(visible=True)

    def press(self, control, *keys):
        """Focus a control and press keys on it."""
        control.focus()
        for key in keys:
            control.press(key)

    def drag(self, control, dx=0, dy=0, steps=5):
        """Drag from a control's middle by (dx, dy) pixels."""
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=steps)
        self.page.mouse.up()

    def pixels(self, picture):
        """A canvas's or image's own pixels: (H, W, 4) uint8."""
        url = picture.evaluate("""async picture => {
            if (picture.tagName === 'CANVAS') return picture.toDataURL();
            await picture.decode();
            const canvas = document.createElement('canvas');
            canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
            canvas.getContext('2d').drawImage(picture, 0, 0);
            return canvas.toDataURL();
        }""")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"))

    def wait_pixels_change(self, picture, before, seconds=10):
        """Wait until a canvas or image no longer shows ``before``; returns the new pixels."""
        for _ in range(int(seconds / 0.05)):
            with contextlib.suppress(Exception):  # the element may be replaced while we look
                now = self.pixels(picture)
                if now.shape != before.shape or (now != before).any():
                    return now
            self.page.wait_for_timeout(50)
        raise TimeoutError(f"the picture did not change within {seconds} s")

    def close(self):
        """Shut the kernel down and close the page."""
        self.page.evaluate(f"{NOTEBOOK}.context.sessionContext.shutdown()")
        self.page.close()


def widget(lesson, source):
    """The widget of the cell whose source holds ``source``, on screen."""
    number = next(n for n, cell in enumerate(lesson.cells()) if source in "".join(cell["source"]))
    found = lesson.scroll_to(number).locator(".vq-widget")
    found.wait_for()
    found.scroll_into_view_if_needed()
    return found


def data(found, name):
    return found.get_attribute(f"data-{name}")


def answered(lesson, found, before):
    """Wait until Python has answered a question after ``before``, and none is open."""
    lesson.page.wait_for_function("([e, n]) => Number(e.dataset.answered) > n && !e.hasAttribute('aria-busy')",
                                  arg=[found.element_handle(), before])
    return int(data(found, "answered"))
