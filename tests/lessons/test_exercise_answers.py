"""The table: for each exercise, right answers of many spellings accepted and wrong ones refused, most with a hint of
their own. ``python -m pytest tests/lessons/test_exercise_answers.py -s`` prints it.
"""

from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import walk_packages

import pytest

from vqlab import lessons
from vqlab.classroom import Exercise

SPECIFIC = ("mistake", "diagnosis", "changed")


def load(path):
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULES = [load(path) for path in sorted(Path(__file__).parent.glob("*/answers_*.py"))]
ANSWERS = {name: (module.RIGHT[name], module.WRONG[name]) for module in MODULES for name in module.RIGHT}


EXERCISES = {value.name: value for module in walk_packages(lessons.__path__, "vqlab.lessons.")
             if module.name.endswith(".exercises")
             for value in vars(import_module(module.name)).values() if isinstance(value, Exercise)}


def test_every_exercise_of_every_lesson_is_in_the_table():
    missing, unknown = set(EXERCISES) - set(ANSWERS), set(ANSWERS) - set(EXERCISES)
    assert not missing, f"write tests/lessons/ROOM/answers_NN.py with RIGHT and WRONG answers to {sorted(missing)}"
    assert not unknown, f"answers to exercises that are not there: {sorted(unknown)}"


@pytest.mark.parametrize("name", ANSWERS)
def test_right_answers_pass_and_wrong_ones_do_not(name):
    task, (right, wrong) = EXERCISES[name], ANSWERS[name]
    assert len(right) >= 6 and len(wrong) >= 15
    refused = {number: verdict.hint[1] for number, answer in enumerate(right)
               if (verdict := task.judge(answer)).state != "right"}
    assert not refused, "right answers, by their number, and what they were told"
    verdicts = [task.judge(answer) for answer in wrong]
    assert [number for number, verdict in enumerate(verdicts) if verdict.state not in ("wrong", "error")] == []
    specific = sum(verdict.reason in SPECIFIC for verdict in verdicts)
    print(f"\n{name:20} {len(right):3} right accepted   {len(wrong):3} wrong refused   {specific:3} with a hint of "
          f"their own ({specific / len(wrong):.0%})")
    assert specific >= 0.6 * len(wrong), [(number, verdict.hint[1]) for number, verdict in enumerate(verdicts)
                                          if verdict.reason not in SPECIFIC]
