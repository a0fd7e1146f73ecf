"""Lesson 5, a learnt codec for photographs: what a token sees, files, rate and distortion, mixing, limits."""

from vqlab.lessons.photographs import exercises
from vqlab.lessons.photographs.inspector import TokenInspector
from vqlab.lessons.photographs.mixture import WAYS, mix
from vqlab.lessons.photographs.own import OwnPhotograph
from vqlab.lessons.photographs.painter import TokenPainter
from vqlab.lessons.photographs.rates import (
    Point,
    codebook_curve,
    draw_bits,
    draw_rates,
    file_curve,
    judge,
    lead,
    picture_file,
)
from vqlab.lessons.photographs.reach import box, draw_reach, reached, seen
from vqlab.lessons.photographs.strangers import draw_strangers, strangers

__all__ = [
    "OwnPhotograph", "Point", "TokenInspector", "TokenPainter", "WAYS", "box", "codebook_curve", "draw_bits",
    "draw_rates", "draw_reach", "draw_strangers", "exercises", "file_curve", "judge", "lead", "mix", "picture_file",
    "reached", "seen", "strangers",
]
