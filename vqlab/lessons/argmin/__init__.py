"""Lesson 2, which code wins and what is lost: Voronoi cells, Lloyd's algorithm, palettes, argmin's steps."""

from vqlab.lessons.argmin import exercises
from vqlab.lessons.argmin.lloyd import distortion, lloyd_step
from vqlab.lessons.argmin.palette import PalettePlayer, draw_rate_distortion, grid_palette, palette_rate, repaint
from vqlab.lessons.argmin.plane import VoronoiPlane, draw_voronoi, photo_plane
from vqlab.lessons.argmin.steps import draw_steps, sweep

__all__ = [
    "PalettePlayer", "VoronoiPlane", "distortion", "draw_rate_distortion", "draw_steps", "draw_voronoi",
    "exercises", "grid_palette", "lloyd_step", "palette_rate", "photo_plane", "repaint", "sweep",
]
