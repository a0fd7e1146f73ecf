"""Exercises: the learner's function beside ours on random cases, and a hint for each plausible mistake."""

import traceback
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from html import escape
from typing import Any, NamedTuple

import numpy as np
import torch
from IPython.display import display

from vqlab.classroom.figures import COLOURS
from vqlab.classroom.language import Text, bilingual, lines

STATES = {  # symbol, Chinese, English, colour
    "right": ("✓", "对了", "Right", COLOURS["codes"]),
    "not yet": ("○", "还没写", "Not yet", COLOURS["dead"]),
    "wrong": ("✗", "还不对", "Not right yet", COLOURS["wrong"]),
    "error": ("⚠", "出错了", "An error", COLOURS["wrong"]),
}
STUB = ("在上面的函数里写下答案，运行它，再运行这一格。已经写好了？看看是不是忘了 return。",
        "Write your answer in the function above, run it, then run this cell again. Already written? "
        "Perhaps its return is missing.")
CHANGED = ("结果都对，但函数改动了传进来的数据，而别处还要用它们。请换一种不原地修改的写法"
           "（x += …、x[...] = … 都是原地修改）。",
           "The results are right, but the function changes the data it is given, which others still need. "
           "Write it without changing anything in place (as x += … and x[...] = … do).")


class Mistake(NamedTuple):
    """A plausible wrong answer, and the hint for whoever wrote it or something equal to it."""

    function: Callable[..., Any]
    hint: Text


class Verdict(NamedTuple):
    """What `Exercise.check` found, and has shown.

    Attributes:
        state: ``"right"``, ``"not yet"`` (a stub), ``"wrong"`` or ``"error"`` (the function raised).
        hint: what to say about it, (Chinese, English).
        held: the number of cases that came out right.
        cases: the number of cases.
        example: lines of the first case that differs, each a label (Chinese, English) and a value.
    """

    state: str
    hint: Text
    held: int = 0
    cases: int = 0
    example: tuple[tuple[Text, str], ...] = ()

    def _ipython_display_(self) -> None:
        """Nothing more: a cell that ends with `Exercise.check` shows the verdict once."""


class Exercise:
    """A function to write, checked on random cases.

    Args:
        name: the lesson's number and the name in its room's ``exercises``, such as ``"01.expansion"``.
        title: what to write, (Chinese, English).
        reference: the right function.
        cases: called with a seeded `torch.Generator`; gives the argument tuples to try, several.
        mistakes: at least four wrong functions, each with its own hint. They must not raise.
        compare: ``compare(expected, got) -> bool``; by default `agree`.
        observe: ``observe(function, *arguments)`` gives what is compared; by default what the function returns.
            For gradients: call the function here, go backward, return what arrived.
    """

    def __init__(self, name: str, *, title: Text, reference: Callable[..., Any],
                 cases: Callable[[torch.Generator], Iterable[tuple]], mistakes: Sequence[Mistake],
                 compare: Callable[[Any, Any], bool] | None = None, observe: Callable[..., Any] | None = None):
        self.name, self.title, self.reference, self.cases = name, title, reference, cases
        self.mistakes, self.compare = list(mistakes), compare or agree
        self.observe = observe or (lambda function, *arguments: function(*arguments))

    def check(self, answer: Callable[..., Any]) -> Verdict:
        """Judge the learner's function and display what holds, in both languages; whatever it does, the cell goes on.

        Args:
            answer: the function, or what stands in its place.

        Returns:
            The verdict as it was displayed.
        """
        verdict = self.judge(answer)
        symbol, zh, en, _ = STATES[verdict.state]
        display({"text/html": verdict_html(self, verdict), "text/plain": f"{symbol} {self.name}: {zh} {en}"},
                raw=True)
        return verdict

    def judge(self, function: Callable[..., Any]) -> Verdict:
        """Try ``function`` on all cases, each on a copy of its arguments; raises nothing that ``function`` does."""
        if function is None or function is ...:
            return Verdict("not yet", STUB)
        if not callable(function):
            return Verdict("error", (f"这里要一个函数，得到的是 {type(function).__name__}。",
                                     f"Expected a function, got {type(function).__name__}."))
        cases = [tuple(case) for case in self.cases(torch.Generator().manual_seed(0))]
        results, changed = [], False
        for number, case in enumerate(cases, start=1):
            given = deepcopy(case)
            try:
                results.append(self.observe(_written(function), *given))
            except NotImplementedError:
                return Verdict("not yet", STUB)
            except (Exception, SystemExit) as error:  # whatever it was, the learner reads it
                what = f"{type(error).__name__}: {_first(error, 300)}{_line(error, function)}"
                return Verdict("error", (f"第 {number} 组数据上出错：{what}", f"On case {number}: {what}"),
                               cases=len(cases), example=((("输入", "input"), words(case)),))
            changed |= not _same(agree, _numbers(case), _numbers(given))

        expected = self._results(self.reference, cases)
        right = [_same(self.compare, *pair) for pair in zip(expected, results, strict=True)]
        held = {"held": sum(right), "cases": len(cases)}
        if all(right):
            return Verdict("wrong", CHANGED, **held) if changed else Verdict("right", (
                f"在 {len(cases)} 组随机数据上，结果都与参考答案一致。",
                f"It agrees with the reference on all {len(cases)} random cases."), **held)
        for mistake in self.mistakes:
            wrong = self._results(mistake.function, cases)
            if all(_same(self.compare, *pair) for pair in zip(wrong, results, strict=True)):
                return Verdict("wrong", mistake.hint, **held)
        first = right.index(False)
        return Verdict("wrong", (
            f"{len(cases)} 组随机数据中有 {len(cases) - sum(right)} 组与参考答案不同。第 {first + 1} 组：",
            f"{len(cases) - sum(right)} of {len(cases)} random cases differ from the reference. Case {first + 1}:"),
            **held, example=((("输入", "input"), words(cases[first])), (("应得", "expected"), words(expected[first])),
                             (("得到", "got"), words(results[first]))))

    def _results(self, function, cases):
        return [self.observe(function, *deepcopy(case)) for case in cases]


def verdict_html(exercise: Exercise, verdict: Verdict) -> str:
    """Return the verdict as HTML in both languages; what the learner wrote or raised is escaped."""
    symbol, zh, en, colour = STATES[verdict.state]
    rows = "".join(f'<tr><td style="text-align:left">{bilingual(*label)}</td><td style="text-align:left">'
                   f"<code>{escape(value)}</code></td></tr>" for label, value in verdict.example)
    return (f'<div role="status" style="border-left:6px solid {colour};padding:2px 12px;margin:2px">'
            f"<div><strong>{symbol} {bilingual(zh, en)}</strong> · {bilingual(*exercise.title)}</div>"
            + lines(*verdict.hint) + (f"<table>{rows}</table>" if rows else "") + "</div>")


def agree(expected: Any, got: Any) -> bool:
    """Whether two results are equal but for rounding: numbers and tensors of one shape, also in tuples and dicts.

    >>> agree(torch.tensor([1.0, 2.0]), [1, 2.0000001]), agree(torch.zeros(2), torch.zeros(2, 1)), agree(1.0, 1.1)
    (True, False, False)
    """
    if isinstance(expected, dict):
        return isinstance(got, dict) and expected.keys() == got.keys() and all(
            agree(value, got[key]) for key, value in expected.items())
    if isinstance(expected, (tuple, list)):
        return isinstance(got, (tuple, list)) and len(expected) == len(got) and all(map(agree, expected, got))
    if expected is None or isinstance(expected, str):
        return type(expected) is type(got) and expected == got
    expected, got = torch.as_tensor(expected), torch.as_tensor(got)
    if expected.shape != got.shape or expected.is_complex() != got.is_complex():
        return False
    expected, got = (value.detach().to("cpu", torch.complex128 if value.is_complex() else torch.float64)
                     for value in (expected, got))
    largest = expected[expected.isfinite()].abs().max().item() if expected.isfinite().any() else 0.0
    return torch.allclose(got, expected, rtol=1e-4, atol=1e-5 * largest + 1e-7, equal_nan=True)


def words(value: Any) -> str:
    """Say a value in one short line.

    >>> words((torch.arange(20), 0.5, None))
    '(20,) int64: 0, 1, 2, 3, 4, 5, …; 0.5; None'
    """
    if isinstance(value, tuple) and value:
        return "; ".join(map(words, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (torch.Tensor, np.ndarray)):
        try:
            numbers = torch.as_tensor(value).detach().flatten()
            shown = [f"{number:.4g}" if isinstance(number, float) else str(number) for number in numbers[:6].tolist()]
            more = ", …" if len(numbers) > 6 else ""
            return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}: {', '.join(shown)}{more}"
        except Exception:  # an array of objects, a sparse tensor
            return f"{type(value).__name__} {tuple(value.shape)}"
    return _first(value, 120)


def _written(function):
    """The learner's function, where a stub's None or ... becomes NotImplementedError."""
    def call(*arguments):
        result = function(*arguments)
        if result is None or result is ...:
            raise NotImplementedError
        return result
    return call


def _same(compare, expected, got):
    try:
        return bool(compare(expected, got))
    except Exception:  # a result of another kind
        return False


def _numbers(value):
    """The tensors and numbers in the arguments: what a function must not change."""
    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [_numbers(part) for part in value]
    return value if isinstance(value, (torch.Tensor, np.ndarray, int, float, str)) else None


def _first(value, length):
    """The first characters of a value's text; an exception's message, or another's repr."""
    try:
        text = " ".join((str(value) if isinstance(value, BaseException) else repr(value)).split())
    except Exception:
        text = type(value).__name__
    return text if len(text) <= length else text[:length] + "…"


def _line(error, function):
    """The learner's line that raised, or nothing."""
    name = getattr(getattr(function, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name and frame.line]
    return f" → {frames[-1].line[:120]}" if frames else ""
