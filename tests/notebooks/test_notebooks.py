"""Every lesson obeys what lesson_checks.py knows; nbval, called by plain pytest, runs them beside this."""

import importlib
from pathlib import Path

import lesson_checks as checks
import nbformat
import pytest

from vqlab.classroom import GLOSSARY

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TWINS = sorted((ROOT / "notebooks" / "py").glob("*.py"))

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)


def cells(lesson, cell_type):
    numbered = enumerate(nbformat.read(lesson, as_version=4).cells)
    return [(number, cell.source) for number, cell in numbered if cell.cell_type == cell_type]


def test_every_lesson_has_its_twin():
    assert [lesson.stem for lesson in LESSONS] == [twin.stem for twin in TWINS]


@each_lesson
def test_twins_agree(lesson):
    twin = lesson.parent / "py" / f"{lesson.stem}.py"
    assert checks.pair_problems(lesson.read_text("utf-8"), twin.read_text("utf-8")) == []


@each_lesson
def test_every_text_is_in_both_languages(lesson):
    assert [f"cell {number}: {problem}" for number, source in cells(lesson, "markdown")
            for problem in checks.language_problems(source)] == []


@each_lesson
def test_stored_outputs(lesson):
    assert checks.stored_problems(lesson.read_text("utf-8")) == []


@each_lesson
def test_length(lesson):
    assert checks.length_problems(lesson.read_text("utf-8")) == []


@each_lesson
def test_run_all_gives_no_answer_away(lesson):
    assert checks.answer_problems(lesson.read_text("utf-8")) == []


def test_every_term_of_the_glossary_is_explained_where_it_first_stands():
    lessons = [(lesson.stem, lesson.read_text("utf-8")) for lesson in LESSONS]
    assert checks.glossary_problems(lessons, list(GLOSSARY.values())) == []


@each_lesson
def test_what_is_printed_obeys_the_language_switch(lesson):
    assert checks.printed_problems(lesson.read_text("utf-8")) == []


@each_lesson
def test_minutes_add_up(lesson):
    """``pytest tests/notebooks -k minutes -s`` prints each lesson's minutes by section, and its lines of code."""
    text = lesson.read_text("utf-8")
    (_, _, (sections, exercises)), _ = checks.minutes(text)
    print(f"\n{lesson.stem}: {' + '.join(map(str, sections))} = {sum(sections)} min, exercises "
          f"{' + '.join(map(str, exercises))} = {sum(exercises)}; lines in view/folded "
          f"{'/'.join(map(str, checks.lines(text)))}", end=" ")
    assert checks.minutes_problems(text) == []


@each_lesson
def test_only_public_names_of_the_lab_the_frame_and_its_own_room(lesson):
    room = lesson.stem.partition("_")[2]
    modules = ["vqlab", "vqlab.classroom", f"vqlab.lessons.{room}"]
    public = {name: set(importlib.import_module(name).__all__) for name in modules}
    if "exercises" in public[modules[-1]]:
        name = f"{modules[-1]}.exercises"
        public[name] = set(importlib.import_module(name).__all__)
    public["vqlab.lessons"] = {room}
    names = checks.modules_by_name("\n".join(source for _, source in cells(lesson, "code")), public)
    assert [f"cell {number}: {problem}" for number, source in cells(lesson, "code")
            for problem in checks.code_problems(source, public, names)] == []
