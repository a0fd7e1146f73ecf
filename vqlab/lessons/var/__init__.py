"""Lesson 7, a model that writes digits scale by scale: cost, mask, belief, judges, and the parts it needs."""

from vqlab.lessons.var import exercises
from vqlab.lessons.var.ablations import compare, writing_loss
from vqlab.lessons.var.cost import draw_cost, measure, pairs, plans
from vqlab.lessons.var.judge import Judge, draw_completions, draw_guesses, draw_verdicts, judge
from vqlab.lessons.var.mask import MaskMap
from vqlab.lessons.var.recipe import recipe
from vqlab.lessons.var.rows import draw_rows, sheet
from vqlab.lessons.var.studio import DigitStudio

__all__ = [
    "DigitStudio", "Judge", "MaskMap", "compare", "draw_completions", "draw_cost", "draw_guesses", "draw_rows",
    "draw_verdicts", "exercises", "judge", "measure", "pairs", "plans", "recipe", "sheet",
    "writing_loss",
]
