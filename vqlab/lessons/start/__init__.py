"""Lesson 0, the tour: token maps, the vocabulary, JPEG within the same bytes, and the README's picture."""

from vqlab.lessons.start.codecs import jpeg_within
from vqlab.lessons.start.tokens import draw_dictionary, draw_tokens

__all__ = [
    "draw_dictionary", "draw_tokens", "jpeg_within",
]
