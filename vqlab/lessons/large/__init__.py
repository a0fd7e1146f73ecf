"""Lesson 9, from laptop to cluster: what the search costs, and what stops it."""

from vqlab.lessons.large import exercises
from vqlab.lessons.large.curves import draw_costs, slope
from vqlab.lessons.large.groups import GroupedRow
from vqlab.lessons.large.lists import CellSearch, draw_recall, inverted_lists, recall
from vqlab.lessons.large.memory import MatrixMemory, bytes_said, memory_of
from vqlab.lessons.large.patches import cat_vectors, patch_codes
from vqlab.lessons.large.rounding import draw_wrong, search_in
from vqlab.lessons.large.steps import StepTimes, step_times
from vqlab.lessons.large.training import codebook_gap, draw_reading, learn, learn_in_processes, read_by_other

__all__ = [
    "CellSearch", "GroupedRow", "MatrixMemory", "StepTimes", "bytes_said", "cat_vectors", "codebook_gap",
    "draw_costs", "draw_reading", "draw_recall", "draw_wrong", "exercises", "inverted_lists", "learn",
    "learn_in_processes", "memory_of", "patch_codes", "read_by_other", "recall", "search_in",
    "slope", "step_times",
]
