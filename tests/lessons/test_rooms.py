"""Every lesson has all its parts; whoever adds one and forgets a step is told what to do."""

from pathlib import Path

import pytest
from rooms import room_problems

ROOT = Path(__file__).parents[2]
NEW = {  # a whole lesson: path -> text
    "notebooks/py/05_apple.py": "",
    "notebooks/05_apple.ipynb": "",
    "vqlab/lessons/apple/__init__.py": '"""Lesson 5, what an apple is."""\n__all__ = []',
    "vqlab/lessons/apple/exercises.py": 'peel = Exercise("05.peel", title=…)',
    "vqlab/lessons/apple/core.py": 'script = "core.js"',
    "vqlab/lessons/apple/core.js": "",
    "tests/lessons/apple/test_apple.py": "",
    "tests/browser/test_05_apple.py": "",
    "README.md": "| [05](notebooks/05_apple.ipynb) | what? | 40 | none |\n```\n    apple/   what it holds\n```",
}


def test_every_lesson_has_all_its_parts():
    problems = room_problems(ROOT)
    assert not problems, "\n" + "\n".join(problems)


def lesson_in(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return folder


def test_a_whole_lesson_passes(tmp_path):
    assert room_problems(lesson_in(tmp_path, NEW)) == []


FORGOTTEN = [  # what is forgotten, or written instead; what is said
    ({"notebooks/py/05_apple.py": None}, "05_apple has no text twin: write notebooks/py/05_apple.py"),
    ({"notebooks/05_apple.ipynb": None}, "05_apple was never run: python -m vqlab.classroom.refresh 05"),
    ({"vqlab/lessons/apple/__init__.py": None}, "05_apple has no room: make vqlab/lessons/apple/__init__.py"),
    ({"vqlab/lessons/apple/__init__.py": '"""Lesson 6, no."""\n__all__ = []'}, "begins with 'Lesson 5, '"),
    ({"vqlab/lessons/apple/__init__.py": '"""Lesson 5, an apple."""'}, "expected __all__"),
    ({"vqlab/lessons/apple/exercises.py": None}, "no exercises: write vqlab/lessons/apple/exercises.py"),
    ({"vqlab/lessons/apple/exercises.py": 'Exercise("06.peel")'}, "'06.peel', expected a name that begins"),
    ({"vqlab/lessons/apple/core.py": None}, "core.js: no widget names it as its script"),
    ({"tests/lessons/apple/test_apple.py": None}, "nothing tests its room: write tests/lessons/apple/test_apple.py"),
    ({"tests/browser/test_05_apple.py": None}, "nobody moves its controls: write tests/browser/test_05_apple.py"),
    ({"README.md": "```\n    apple/   what it holds\n```"}, "05_apple is not in the README's table of lessons"),
    ({"README.md": "| [05](notebooks/05_apple.ipynb) |"}, "its room apple/ is not in the README's tree"),
    ({"notebooks/py/05_apple.py": None, "notebooks/05_apple.ipynb": None}, "apple belongs to no lesson: write"),
]


@pytest.mark.parametrize("changes, says", FORGOTTEN, ids=[says[:40] for _, says in FORGOTTEN])
def test_a_forgotten_step_is_said(tmp_path, changes, says):
    files = {path: text for path, text in (NEW | changes).items() if text is not None}
    problems = room_problems(lesson_in(tmp_path, files))
    assert len(problems) == 1 and says in problems[0], problems
