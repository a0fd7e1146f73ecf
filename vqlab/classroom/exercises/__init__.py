"""The exercises of all lessons: one module a lesson, each with a list ``EXERCISES``.

Each of the lists holds `vqlab.classroom.Exercise`; a name begins with the lesson's number: ``"01.expansion"``.
"""

from importlib import import_module
from pkgutil import iter_modules

from vqlab.classroom.exercise import Exercise

EXERCISES: dict[str, Exercise] = {}
for _module in sorted(module.name for module in iter_modules(__path__) if module.name.startswith("lesson_")):
    for _exercise in import_module(f"{__name__}.{_module}").EXERCISES:
        if _exercise.name in EXERCISES or not _exercise.name.startswith(_module.removeprefix("lesson_") + "."):
            raise ValueError(f"expected a name of its own for each exercise of {_module}, beginning with the "
                             f"lesson's number, got {_exercise.name!r}")
        EXERCISES[_exercise.name] = _exercise
