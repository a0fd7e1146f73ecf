"""The base of every widget in the lessons.

A widget is three thin parts: state -> numbers (pure Python), numbers -> picture (`figure`, pure; JavaScript
draws the same on a canvas), and the controls. Where no kernel runs (GitHub, exported HTML) the picture stands.
"""

import re
import sys
from pathlib import Path

import anywidget
import traitlets
from matplotlib.figure import Figure

from vqlab.classroom.figures import alt_text, picture_html, png, styled

IMPORT = re.compile(r'^import \{[^}]*\} from "([^"]+)";\n', re.MULTILINE)


def one_module(script: Path) -> str:
    """A widget's script with all that it imports, as the one ES module that anywidget can load.

    The modules stand one after the other, each once, those imported first, and share one scope: so no two of them
    may define the same name.

    Args:
        script: an ES module whose imports are ``import { name } from "./file.js";``.

    Raises:
        FileNotFoundError: the script, or one that it imports, is not there.
    """
    modules: dict[Path, str] = {}

    def add(path: Path) -> None:
        if path not in modules:
            source = path.read_text("utf-8")
            for imported in IMPORT.findall(source):
                add((path.parent / imported).resolve())
            modules[path] = IMPORT.sub("", source)

    add(script.resolve())
    return "\n".join(modules.values())


def binary() -> traitlets.Bytes:
    """Return a synchronized bytes trait; what JavaScript sends arrives as memoryview and is made bytes."""
    return traitlets.Bytes(b"").tag(sync=True, from_json=lambda value, widget: bytes(value))


class LessonWidget(anywidget.AnyWidget):
    """A widget with a saved picture and an alt text in both languages.

    A subclass names its JavaScript (``script``, a file beside its own that ends in ``export default { render }``),
    sets ``alt_zh`` and ``alt_en``, and draws `figure`.
    """

    script: str
    alt_zh: str
    alt_en: str
    _css = Path(__file__).with_name("widget.css").read_text("utf-8")

    def __init_subclass__(cls, **kwargs):
        if "script" in cls.__dict__:
            cls._esm = one_module(Path(sys.modules[cls.__module__].__file__).parent / cls.script)
        super().__init_subclass__(**kwargs)

    def figure(self) -> Figure:
        """Draw the widget's present state; a pure function of that state."""
        raise NotImplementedError

    def picture(self) -> bytes:
        """Return `figure` in the lessons' style as PNG."""
        with styled():
            return png(self.figure())

    def html(self) -> str:
        """Return what stands where no kernel runs."""
        return picture_html(self.picture(), alt_text(self.alt_zh, self.alt_en))

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        # anywidget's text holds a memory address: no two runs would print the same
        return {**data, "text/plain": alt_text(self.alt_zh, self.alt_en), "text/html": self.html()}, metadata


class TextWidget(LessonWidget):
    """A widget of words: where no kernel runs, its words stand as `html`, not as a picture of them."""

    def html(self) -> str:
        """Return what it says, readable and usable without a script."""
        raise NotImplementedError
