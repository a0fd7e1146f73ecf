"""Fixtures of the browser tests: one JupyterLab a session, one Chromium a module, any number of lessons."""

import base64
import os
import shutil
from pathlib import Path

import pytest
from lab import FLAGS, LabServer, Lesson


def no_browser(reason):
    """Skip with the reason; in CI, where the browser must be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have what the browser tests need: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")  # not longer: Playwright's event loop must be gone when nbval starts kernels
def chromium():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        no_browser(f"no browser tests without Playwright: {error}")
    with sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome")
        path = next(filter(None, map(shutil.which, names)), playwright.chromium.executable_path)
        if not Path(path).exists():
            no_browser("no browser tests without Chromium (Debian: apt-get install chromium fonts-noto-cjk; "
                       "elsewhere: playwright install chromium)")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def in_javascript(chromium):
    """Call (widget class, a function of its script's exports and one argument, that argument) -> what it returns."""
    page = chromium.new_page()

    def call(widget, function, argument):
        source = base64.b64encode(widget._esm.encode()).decode()
        return page.evaluate(f"""async ([source, argument]) => {{
            const js = await import(`data:text/javascript;base64,${{source}}`);
            return ({function})(js, argument); }}""", [source, argument])

    yield call
    page.close()


@pytest.fixture(scope="session")
def start_lab(tmp_path_factory):
    """Start the server when first asked for, so that a machine without a browser starts none."""
    servers = []

    def start():
        if not servers:
            servers.append(LabServer(tmp_path_factory.mktemp("lab")))
        return servers[0]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def open_lesson(chromium, start_lab):
    """A function (path below the repository, theme="light" or "dark") -> ``Lesson``."""
    opened = []

    def open_(path, theme="light", **size):
        opened.append(Lesson(start_lab(), chromium, path, theme, **size))
        return opened[-1]

    yield open_
    for lesson in opened:
        lesson.close()
