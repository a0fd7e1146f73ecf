"""Every exercise of every room: the right answer passes, each mistake is caught with its own hint, nothing raises."""

from importlib import import_module
from pkgutil import walk_packages

import pytest
import torch

from vqlab import lessons
from vqlab.classroom import Exercise

MODULES = [import_module(module.name) for module in walk_packages(lessons.__path__, "vqlab.lessons.")
           if module.name.endswith(".exercises")]
EXERCISES = [value for module in MODULES for value in vars(module).values() if isinstance(value, Exercise)]
EACH = pytest.mark.parametrize("task", EXERCISES, ids=lambda task: task.name)


@EACH
def test_the_reference_passes_and_a_stub_does_not(task):
    verdict = task.judge(task.reference)
    assert verdict.state == "right" and verdict.cases >= 3
    assert task.judge(lambda *arguments: None).state == "not yet"


@EACH
def test_every_mistake_is_caught_with_a_hint_of_its_own(task):
    mistakes = task.mistakes
    assert len(mistakes) >= 4
    verdicts = [task.judge(mistake.function) for mistake in mistakes]
    assert [(verdict.reason, verdict.hint) for verdict in verdicts] == [
        ("mistake", mistake.hint) for mistake in mistakes]
    assert {verdict.state for verdict in verdicts} <= {"wrong", "error"}
    for language in (0, 1):
        assert len({mistake.hint[language] for mistake in mistakes}) == len(mistakes)


@EACH
def test_whatever_a_learner_writes_the_exercise_answers(task):
    def in_place(*arguments):
        for argument in arguments:
            if isinstance(argument, torch.Tensor):
                argument.data.zero_()
        return task.reference(*arguments)

    wrong = [lambda *arguments: "text", lambda *arguments: float("nan"), lambda *arguments: torch.zeros(7, 1, 3),
             lambda *arguments: (), lambda *arguments: 1 / 0, lambda: 0, in_place]
    assert {task.judge(function).state for function in wrong} <= {"wrong", "error"}
    assert task.judge(task.reference).state == "right"  # the cases are untouched


@EACH
def test_every_text_is_in_both_languages(task):
    for zh, en in [task.title] + task.hints + [mistake.hint for mistake in task.mistakes]:
        assert any("\u4e00" <= letter <= "\u9fff" for letter in zh), zh
        assert en.strip() and not any("\u4e00" <= letter <= "\u9fff" for letter in en), en
