"""What a lesson consists of, and what is missing: a pure function from a folder to a list of sentences."""

import ast
import re
from pathlib import Path

LESSON = re.compile(r"(\d\d)_(\w+)")


def room_problems(root):
    """One sentence for each part that a lesson lacks, saying what to do; a lesson is known by any of its parts.

    Args:
        root: the repository's folder.
    """
    root = Path(root)
    files = {kind: {path.stem: path for path in sorted(root.glob(pattern))} for kind, pattern in (
        ("twin", "notebooks/py/*.py"), ("notebook", "notebooks/*.ipynb"))}
    lessons = sorted(set(files["twin"]) | set(files["notebook"]))
    rooms = {path.name for path in (root / "vqlab/lessons").iterdir() if (path / "__init__.py").exists()}
    readme = (root / "README.md").read_text("utf-8")
    problems = [f"vqlab/lessons/{noun} belongs to no lesson: write notebooks/py/NN_{noun}.py, NN being its number"
                for noun in sorted(rooms - {LESSON.sub(r"\2", lesson) for lesson in lessons})]
    for lesson in lessons:
        if not LESSON.fullmatch(lesson):
            problems.append(f"{lesson}: expected NN_noun, a number of two digits and the name of its room")
            continue
        number, noun = LESSON.fullmatch(lesson).groups()
        if lesson not in files["twin"]:
            problems.append(f"{lesson} has no text twin: write notebooks/py/{lesson}.py, that is what one edits")
        if lesson not in files["notebook"]:
            problems.append(f"{lesson} was never run: python -m vqlab.classroom.refresh {number}")
        if noun not in rooms:
            problems.append(f"{lesson} has no room: make vqlab/lessons/{noun}/__init__.py, whose __all__ names what "
                            "the notebook takes from it")
        else:
            problems += _inside(root / "vqlab/lessons" / noun, number, noun)
        if not list((root / "tests/lessons" / noun).glob("test_*.py")):
            problems.append(f"{lesson}: nothing tests its room: write tests/lessons/{noun}/test_{noun}.py")
        if not (root / f"tests/browser/test_{lesson}.py").exists():
            problems.append(f"{lesson}: nobody moves its controls: write tests/browser/test_{lesson}.py")
        if f"[{number}](notebooks/{lesson}.ipynb)" not in readme:
            problems.append(f"{lesson} is not in the README's table of lessons: add | [{number}](notebooks/{lesson}"
                            ".ipynb) | question | minutes | source |")
        if not re.search(rf"^ +{noun}/ ", readme, re.MULTILINE):
            problems.append(f"{lesson}: its room {noun}/ is not in the README's tree: add it, with what it holds")
    return problems


def _inside(room, number, noun):
    """What is missing inside a room that is there."""
    here = f"vqlab/lessons/{noun}"
    tree = ast.parse((room / "__init__.py").read_text("utf-8"))
    problems = []
    if not re.match(rf"Lesson {int(number)}, ", ast.get_docstring(tree) or ""):
        problems.append(f"{here}/__init__.py: expected a docstring that begins with 'Lesson {int(number)}, ' and "
                        "says what the room holds")
    if not any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" for node in tree.body):
        problems.append(f"{here}/__init__.py: expected __all__, the names that the notebook may use")
    exercises = room / "exercises.py"
    if not exercises.exists():
        if number != "00":  # the tour has none
            problems.append(f"{here}: no exercises: write {here}/exercises.py with its Exercise objects")
    else:
        names = re.findall(r'Exercise\(\s*"([^"]*)"', exercises.read_text("utf-8"))
        problems += [f"{here}/exercises.py: exercise {name!r}, expected a name that begins with '{number}.'"
                     for name in names if not name.startswith(f"{number}.")]
    sources = "".join(path.read_text("utf-8") for path in room.glob("*.py"))
    imported = "".join(path.read_text("utf-8") for path in room.glob("*.js"))
    for script in sorted(room.glob("*.js")):
        if f'"{script.name}"' not in sources and f'"./{script.name}"' not in imported:
            problems.append(f"{here}/{script.name}: no widget names it as its script")
    return problems
