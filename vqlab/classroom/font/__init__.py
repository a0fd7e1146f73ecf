"""The figures' own font: "vqlab Sans", a subset of Noto Sans CJK SC (SIL Open Font License, OFL.txt).

A machine without Chinese fonts draws boxes; so the lessons bring the characters they need.
``python -m vqlab.classroom.font PATH_TO_TTC`` builds it again after new words came into the lessons.
"""

from functools import cache
from pathlib import Path

from matplotlib import font_manager, ft2font

FAMILY = "vqlab Sans"
PATH = Path(__file__).with_name("vqlab-sans.otf")


@cache
def register_font() -> str:
    """Make the font known to matplotlib, once, and return its family name."""
    font_manager.fontManager.addfont(PATH)
    return FAMILY


@cache
def _drawable() -> frozenset[str]:
    return frozenset(map(chr, ft2font.FT2Font(PATH).get_charmap()))


def missing_glyphs(text: str) -> set[str]:
    """Return the characters of ``text`` that the font lacks: a figure would draw them as boxes.

    Line breaks need no glyph. What stands between dollar signs is drawn in matplotlib's own maths fonts.

    >>> missing_glyphs("困惑度 perplexity, ≤ 16 dB"), missing_glyphs("a 🐈")
    (set(), {'🐈'})
    """
    return set(text) - _drawable() - {"\n"}
