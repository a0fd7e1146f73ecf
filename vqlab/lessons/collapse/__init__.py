"""Lesson 4, why codes die and who revives them: small trainings, two famous bugs, where the codes are, a capstone."""

from vqlab.lessons.collapse import exercises
from vqlab.lessons.collapse.bench import RemedyBench
from vqlab.lessons.collapse.bugs import NoOpRestart, UndebiasedEMA, dead_counts, draw_dead, unused_length
from vqlab.lessons.collapse.capstone import Capstone
from vqlab.lessons.collapse.plane import CollapsePanel, codes_picture, codes_plane, draw_codes
from vqlab.lessons.collapse.runs import REMEDIES, Score, SmallRun, draw_entropy_price, draw_runs, remedied, score

__all__ = [
    "REMEDIES", "Capstone", "CollapsePanel", "NoOpRestart", "RemedyBench", "Score", "SmallRun", "UndebiasedEMA",
    "codes_picture", "codes_plane", "dead_counts", "draw_codes", "draw_dead", "draw_entropy_price", "draw_runs",
    "exercises", "remedied", "score", "unused_length",
]
