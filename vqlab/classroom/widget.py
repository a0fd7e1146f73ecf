"""The base of every widget in the lessons.

A widget is three thin parts: state -> numbers (pure Python), numbers -> picture (`picture`, pure; JavaScript
draws the same on a canvas), and the controls. Where no kernel runs (GitHub, exported HTML) the picture stands.
"""

from pathlib import Path

import anywidget
import traitlets

from vqlab.classroom.figures import alt_text, picture_html

HERE = Path(__file__).parent


def binary() -> traitlets.Bytes:
    """Return a synchronized bytes trait; what JavaScript sends arrives as memoryview and is made bytes."""
    return traitlets.Bytes(b"").tag(sync=True, from_json=lambda value, widget: bytes(value))


class LessonWidget(anywidget.AnyWidget):
    """A widget with a saved picture and an alt text in both languages.

    A subclass names its JavaScript (``script``, a file beside this one that ends in ``export default { render }``
    and may call all that widget.js defines), sets ``alt_zh`` and ``alt_en``, and draws `picture`.
    """

    script: str
    alt_zh: str
    alt_en: str
    _css = (HERE / "widget.css").read_text("utf-8")

    def __init_subclass__(cls, **kwargs):
        if "script" in cls.__dict__:
            cls._esm = "".join((HERE / name).read_text("utf-8") for name in ("widget.js", cls.script))
        super().__init_subclass__(**kwargs)

    def picture(self) -> bytes:
        """Return the widget's present state as PNG; a pure function of that state."""
        raise NotImplementedError

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
