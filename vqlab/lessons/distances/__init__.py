"""Lesson 1, how near is near: Euclid, cosine and dot product; the expansion, its cost, its rounding."""

from vqlab.classroom.cost import peak_memory
from vqlab.lessons.distances import exercises
from vqlab.lessons.distances.cost import draw_price, time_ratios
from vqlab.lessons.distances.measures import colour_plane, colours_of, winners
from vqlab.lessons.distances.plane import DistancePlane, ExpansionPlane, draw_winners
from vqlab.lessons.distances.rounding import RoundingPlane, draw_broken_regions, draw_rounding, search_in

__all__ = [
    "DistancePlane", "ExpansionPlane", "RoundingPlane", "colour_plane", "colours_of", "draw_broken_regions",
    "draw_price", "draw_rounding", "draw_winners", "exercises", "peak_memory", "search_in", "time_ratios",
    "winners",
]
