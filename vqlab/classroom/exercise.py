"""Exercises: the learner's function beside ours on random cases, and a hint for each plausible mistake."""

import dis
import random
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from html import escape
from typing import Any, NamedTuple

import numpy as np
import torch
from IPython.display import display

from vqlab.classroom.diagnosis import agree, diagnose, difference, part_name
from vqlab.classroom.figures import COLOURS
from vqlab.classroom.language import Text, bilingual, lines
from vqlab.classroom.patience import OutOfPatience, Patience

STATES = {  # symbol, Chinese, English, colour
    "right": ("✓", "对了", "Right", COLOURS["codes"]),
    "not yet": ("○", "还没写", "Not yet", COLOURS["dead"]),
    "wrong": ("✗", "还不对", "Not right yet", COLOURS["wrong"]),
    "error": ("⚠", "出错了", "An error", COLOURS["wrong"]),
}
STUB = ("在上面的函数里写下答案，运行它，再运行这一格。已经写好了？看看是不是忘了 return。",
        "Write your answer in the function above, run it, then run this cell again. Already written? "
        "Perhaps its return is missing.")
NOTHING = ("函数运行了，却什么也没有返回（None）：少了 return？"
           "还是返回了原地操作的结果（all_reduce、list.append 等返回 None）？",
           "The function ran but returned nothing (None). Is its return missing, or does it return what an in-place "
           "call gives? (all_reduce, list.append and the like give None.)")
ENDLESS = ("运行超过 {0:g} 秒，已经停下。是不是有个循环不会结束？"
           "别的格子停不下来时，按工具栏的 ■（Kernel → Interrupt Kernel）。",
           "Stopped after {0:g} seconds. Is there a loop that never ends? When another cell does not stop, press ■ "
           "in the toolbar (Kernel → Interrupt Kernel).")
HINT = ("提示 {0} / {1}", "Hint {0} of {1}")
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
        example: lines of the first case that differs, each a label (Chinese, English) and a value, one for both
            languages or (Chinese, English).
        reason: where the hint comes from: ``"mistake"`` (one of the listed), ``"diagnosis"`` (a fact about the
            numbers), ``"changed"`` (the inputs), ``"slow"`` (it was stopped), or nothing.
    """

    state: str
    hint: Text
    held: int = 0
    cases: int = 0
    example: tuple[tuple[Text, str | Text], ...] = ()
    reason: str = ""

    def _ipython_display_(self) -> None:
        """Nothing more: a cell that ends with `Exercise.check` shows the verdict once."""


class Exercise:
    """A function to write, checked on random cases.

    Args:
        name: the lesson's number and the name in its room's ``exercises``, such as ``"01.expansion"``.
        title: what to write, (Chinese, English).
        reference: the right function.
        cases: called with a seeded `torch.Generator`; gives the argument tuples to try, several.
        mistakes: at least four wrong functions, each with its own hint. One that raises belongs to answers that
            raise the same.
        compare: ``compare(expected, got) -> bool``; by default `agree`.
        observe: ``observe(function, *arguments)`` gives what is compared; by default what the function returns.
            For gradients: call the function here, go backward, return what arrived, each by its name:
            ``{("值", "value"): …, ("z_e 的梯度", "gradient at z_e"): …}``.
        hints: help in stages, from a nudge to nearly the answer; each opens with a click, after the one before.

    Attributes:
        patience: the seconds that an answer may take for all cases together.
    """

    patience = 10.0

    def __init__(self, name: str, *, title: Text, reference: Callable[..., Any],
                 cases: Callable[[torch.Generator], Iterable[tuple]], mistakes: Sequence[Mistake],
                 compare: Callable[[Any, Any], bool] | None = None, observe: Callable[..., Any] | None = None,
                 hints: Sequence[Text] = ()):
        self.name, self.title, self.reference, self.cases = name, title, reference, cases
        self.mistakes, self.compare, self.hints = list(mistakes), compare or agree, list(hints)
        self.observe = observe or (lambda function, *arguments: function(*arguments))

    def check(self, answer: Callable[..., Any], *, quiet: bool = False) -> Verdict:
        """Judge the learner's function and display what holds, in both languages; whatever it does, the cell goes on.

        Args:
            answer: the function, or what stands in its place.
            quiet: show nothing if it is right: for the solution below, whose "right" would stand there before the
                learner has written anything.

        Returns:
            The verdict as it was displayed.
        """
        verdict = self.judge(answer)
        if not (quiet and verdict.state == "right"):
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
        with _undisturbed():
            cases = [tuple(case) for case in self.cases(torch.Generator().manual_seed(0))]
        results, changed, case = [], False, ()
        try:
            with Patience(self.patience):
                for case in cases:
                    given = deepcopy(case)
                    with _undisturbed():
                        results.append(self.observe(_written(function), *given))
                    changed |= not _same(agree, _numbers(case), _numbers(given))
        except _Nothing:
            return Verdict("not yet", STUB) if _is_stub(function) else Verdict("wrong", NOTHING, cases=len(cases))
        except (Exception, SystemExit) as error:  # whatever it was, the learner reads it
            if _left_unwritten(error, function):
                return Verdict("not yet", STUB)
            number = len(results) + 1
            what = f"{type(error).__name__}: {_first(error, 300)}{_line(error, function)}"
            hint, reason = (f"第 {number} 组数据上出错：{what}", f"On case {number}: {what}"), ""
            example = ((f"第 {number} 组输入", f"input of case {number}"), words(case)),
            if isinstance(error, OutOfPatience):
                hint = tuple(text.format(self.patience) for text in ENDLESS)
            for mistake in self.mistakes:
                if self._raised(mistake.function, case) == _said(error):
                    hint, reason, example = mistake.hint, "mistake", (*example, (("错误", "error"), what))
            return Verdict("error", hint, cases=len(cases), example=example, reason=reason)
        return self._compared(cases, results, changed)

    def _compared(self, cases, results, changed) -> Verdict:
        """The verdict on results that are there."""
        expected = self._results(self.reference, cases)
        right = [_same(self.compare, *pair) for pair in zip(expected, results, strict=True)]
        held = {"held": sum(right), "cases": len(cases)}
        if all(right):
            return Verdict("wrong", CHANGED, **held, reason="changed") if changed else Verdict("right", (
                f"在 {len(cases)} 组随机数据上，结果都与参考答案一致。",
                f"It agrees with the reference on all {len(cases)} random cases."), **held)
        for mistake in self.mistakes:
            try:
                wrong = self._results(mistake.function, cases)
            except Exception:  # it is for answers that raise
                continue
            if all(_same(self.compare, *pair) for pair in zip(wrong, results, strict=True)):
                return Verdict("wrong", mistake.hint, **held, reason="mistake")
        first = right.index(False)
        example = [((f"第 {first + 1} 组输入", f"input of case {first + 1}"), words(cases[first])),
                   (("应得", "expected"), words(expected[first])), (("得到", "got"), words(results[first]))]
        place = difference(expected[first], results[first])
        if place:
            example.append(((f"不同之处：{place[0][0]}", f"first difference: {place[0][1]}"), place[1]))
        number = len(cases) - sum(right)
        zh = f"{len(cases)} 组随机数据中有 {number} 组与参考答案不同"
        en = f"{number} of {len(cases)} random cases differ"
        found = diagnose(expected, results)
        hint = (f"{found[0]}（{zh}。）", f"{found[1]} ({en}.)") if found else (
            f"{zh}。第 {first + 1} 组：", f"{en} from the reference. Case {first + 1}:")
        return Verdict("wrong", hint, **held, example=tuple(example), reason="diagnosis" if found else "")

    def _raised(self, function, case):
        """What a function says when it raises on a case, or None."""
        try:
            self._results(function, [case])
        except Exception as error:
            return _said(error)

    def _results(self, function, cases):
        with _undisturbed():
            return [self.observe(function, *deepcopy(case)) for case in cases]


def verdict_html(exercise: Exercise, verdict: Verdict) -> str:
    """Return the verdict as HTML in both languages; what the learner wrote or raised is escaped."""
    symbol, zh, en, colour = STATES[verdict.state]
    rows = "".join(f'<tr><td style="text-align:left">{bilingual(*label)}</td><td style="text-align:left">'
                   f"<code>{escape(value) if isinstance(value, str) else bilingual(*value)}</code></td></tr>"
                   for label, value in verdict.example)
    hints = "" if verdict.state == "right" else hints_html(exercise.hints)
    return (f'<div role="status" style="border-left:6px solid {colour};padding:2px 12px;margin:2px">'
            f"<div><strong>{symbol} {bilingual(zh, en)}</strong> · {bilingual(*exercise.title)}</div>"
            + lines(*verdict.hint) + (f"<table>{rows}</table>" if rows else "") + hints + "</div>")


def hints_html(hints: Sequence[Text]) -> str:
    """Return the hints as HTML, each inside the one before: they open one by one, without a kernel."""
    inner = ""
    for number in range(len(hints), 0, -1):
        zh, en = (text.format(number, len(hints)) for text in HINT)
        inner = (f'<details class="vq-hint" style="margin:2px 0 2px 8px"><summary style="cursor:pointer">'
                 f"{bilingual(zh, en)}</summary>{lines(*hints[number - 1])}{inner}</details>")
    return inner


def words(value: Any) -> str:
    """Say a value in one short line.

    >>> words((torch.arange(20), 0.5, None))
    '(20,) int64: 0, 1, 2, 3, 4, 5, …; 0.5; None'
    """
    if isinstance(value, dict) and value:
        return "; ".join(f"{' '.join(dict.fromkeys(part_name(key)))}: {words(part)}" for key, part in value.items())
    if isinstance(value, (tuple, list)) and value and (
            isinstance(value, tuple) or any(isinstance(part, (torch.Tensor, np.ndarray, tuple)) for part in value)):
        return "; ".join(map(words, value[:8])) + ("; …" if len(value) > 8 else "")
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


class _Nothing(Exception):
    """The learner's function returned None or ...: a stub, or a return is missing."""


def _written(function):
    """The learner's function, where None and ... raise `_Nothing`."""
    def call(*arguments):
        result = function(*arguments)
        if result is None or result is ...:
            raise _Nothing
        return result
    return call


def _is_stub(function) -> bool:
    """Whether a function does nothing at all: its body is ``...``, ``pass``, a docstring or ``return None``."""
    idle = {"RESUME", "NOP", "CACHE", "POP_TOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "COPY_FREE_VARS"}
    code = getattr(function, "__code__", None)
    return code is not None and {instruction.opname for instruction in dis.get_instructions(code)} <= idle


def _left_unwritten(error, function) -> bool:
    """Whether it is ``raise NotImplementedError`` in the learner's own code; torch raises such errors, too."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    code = getattr(function, "__code__", None)
    return (isinstance(error, NotImplementedError) and frame is not None and code is not None
            and frame.tb_frame.f_code.co_filename == code.co_filename
            and dis.opname[frame.tb_frame.f_code.co_code[frame.tb_lasti]] == "RAISE_VARARGS")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """The state that every function starts from, whatever was set before; what was set before comes back."""
    before = (torch.is_grad_enabled(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(),
              torch.is_deterministic_algorithms_warn_only_enabled(), torch.get_float32_matmul_precision(),
              torch.get_num_threads())
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
        if before[-1] != 1:
            torch.set_num_threads(1)  # on tensors this small, threads would only wait for one another
        torch.default_generator.manual_seed(0)  # the CPU's: nothing here draws on another device
        np.random.seed(0)
        random.seed(0)
        yield
    finally:
        grad, dtype, deterministic, warn, precision, threads = before
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        if (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()) != (
                deterministic, warn):
            torch.use_deterministic_algorithms(deterministic, warn_only=warn)
        if torch.get_float32_matmul_precision() != precision:
            torch.set_float32_matmul_precision(precision)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


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


def _said(error):
    return type(error), str(error)


def _line(error, function):
    """The learner's line that raised, or nothing."""
    name = getattr(getattr(function, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name and frame.line]
    return f" → {frames[-1].line[:120]}" if frames else ""
