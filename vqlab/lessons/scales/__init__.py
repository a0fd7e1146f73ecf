"""Lesson 6, a picture spelled coarse to fine: what a scale adds, what a prior reads, who uses which code."""

from vqlab.lessons.scales import exercises
from vqlab.lessons.scales.errors import (
    draw_errors,
    draw_gain,
    draw_spread,
    errors_by_scale,
    fit_quantizer,
    random_quantizer,
)
from vqlab.lessons.scales.inputs import VarInputMap
from vqlab.lessons.scales.speller import ScaleSpeller
from vqlab.lessons.scales.spelling import spell
from vqlab.lessons.scales.use import draw_lengths, draw_use, shares_by_length, use_by_scale

__all__ = [
    "ScaleSpeller", "VarInputMap", "draw_errors", "draw_gain", "draw_lengths", "draw_spread", "draw_use",
    "errors_by_scale", "exercises", "fit_quantizer", "random_quantizer", "shares_by_length", "spell",
    "use_by_scale",
]
