"""What the lesson trains on: the same digits, sizes and batches as ``python -m vqlab.train digits``."""

from vqlab.train.sources import Source, open_source


def recipe(seed: int = 0) -> Source:
    """The command line's recipe for digits, from the start: its batches come in the same order for one seed."""
    return open_source("digits", seed=seed)
