"""Exercises: the learner's function beside ours on random cases, and a hint for each plausible mistake."""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from html import escape
from typing import Any, NamedTuple

import numpy as np
import torch
from IPython.display import display

from vqlab.classroom.language import bilingual

Text = tuple[str, str]  # Chinese, English


class Mistake(NamedTuple):
    """A plausible wrong answer, and the hint for whoever wrote it (or its equal)."""

    function: Callable[..., Any]
    hint: Text


class Verdict(NamedTuple):
    """What `Exercise.check` found.

    ``state`` is "right", "not yet", "wrong" (with a hint of its own or the first case that differs) or "error"
    (the function raised).
    """

    state: str
    hint: Text
    example: tuple[tuple[Text, str], ...] = ()


class Exercise:
    """A function to write, checked on random cases.

    Args:
        name: lesson and name, such as ``"01.expansion"``.
        title: what to write, (Chinese, English).
        reference: the right function.
        cases: called with a seeded `torch.Generator`; gives the argument tuples to try, several.
        mistakes: at least four wrong functions, each with its own hint. They must not raise.
        compare: ``compare(expected, got) -> bool``; by default numbers and tensors of the same shape that
            agree within rounding, also inside tuples, lists and dicts.
        observe: ``observe(function, *arguments)`` gives what is compared; by default what the function returns.
            For gradients: call the function here, go backward, return what arrived.
    """

    def __init__(self, name: str, *, title: Text, reference: Callable[..., Any],
                 cases: Callable[[torch.Generator], Iterable[tuple]], mistakes: Sequence[Mistake],
                 compare: Callable[[Any, Any], bool] | None = None, observe: Callable[..., Any] | None = None):
        self.name, self.title, self.reference, self.cases = name, title, reference, cases
        self.mistakes, self.compare, self.observe = list(mistakes), compare or agree, observe

    def check(self, function: Callable[..., Any]) -> Verdict:
        """Try ``function`` on all cases; never raises, whatever it does."""
        return Verdict("not yet", ("", ""))


def agree(expected: Any, got: Any) -> bool:
    """Whether two results are equal but for rounding."""
    return False


def check(name: str, function: Callable[..., Any]) -> None:
    """Check an exercise and display the verdict in both languages."""
    from vqlab.classroom.exercises import EXERCISES  # here, because the exercises import this file

    verdict = EXERCISES[name].check(function)
    display({"text/html": bilingual(*verdict.hint), "text/plain": f"{name}: {verdict.state}"}, raw=True)
