"""Lesson 7, a model that writes digits scale by scale: who sees whom, what it believes, what it knows."""

from vqlab.lessons.var import exercises

__all__ = ["exercises"]
