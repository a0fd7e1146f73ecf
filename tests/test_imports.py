"""Imports point one way, notebooks -> lessons -> classroom -> lab, in Python and in JavaScript, without a circle."""

import ast
import posixpath
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The lab, in the order in which an image walks through it: a module imports only from those before it.
LAB = ("data", "metrics", "codebook", "quantizer", "multiscale", "context", "vqvae", "var", "checkpoint", "bundle",
       "codec", "train")
JS_IMPORT = re.compile(r'^import .* from "([^"]+)";|import\("([^"]+)"\)', re.MULTILINE)


def sources():
    """Path below the repository -> text, of every module of the package."""
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
            for kind in ("*.py", "*.js") for path in (ROOT / "vqlab").rglob(kind)
            if "node_modules" not in path.parts}


def module_name(path):
    """vqlab/lessons/scales/__init__.py -> vqlab.lessons.scales"""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(path, source, modules):
    """(line, module of ours) for each import of a file, inside functions too; modules: the names that exist."""
    if path.endswith(".js"):
        for found in JS_IMPORT.finditer(source):
            target = found[1] or found[2]
            if target.startswith("."):
                name = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
                yield source.count("\n", 0, found.start()) + 1, name
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]  # a submodule, or a name of the module
            names = [name if name in modules else node.module for name in names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.partition(".")[0] == "vqlab")


def storey(name):
    """Where a module lives: (height, room). Heights: 0 the lab, 1 the classroom, 2 a lesson's room."""
    parts = re.split(r"[./]", name)
    if parts[:2] == ["vqlab", "lessons"]:
        return 2, parts[2] if len(parts) > 2 else None
    if parts[:2] == ["vqlab", "classroom"]:
        return 1, None
    return 0, parts[1] if len(parts) > 1 else None


def direction_problems(files):
    """One sentence for each import that points the wrong way; files: path -> source."""
    modules = {module_name(path) for path in files}
    problems, graph = [], {}
    for path, source in files.items():
        own = module_name(path)
        height, room = storey(own)
        if height == 0 and room and room not in LAB:
            problems.append(f"{path}: {room} has no place in the lab's order; put it into LAB of "
                            "tests/test_imports.py, where an image passes it")
        for line, name in imported(path, source, modules):
            where = f"{path}:{line} imports {name}"
            their_height, their_room = storey(name)
            if their_height > height:
                says = ("the lab imports neither the classroom nor a lesson" if height == 0 else
                        "the classroom imports no lesson: what a lesson needs of it is handed to it")
                problems.append(f"{where}; {says}")
            elif height == 2 and their_height == 2 and their_room != room:
                problems.append(f"{where}; a room imports no other room: what two lessons share moves down, into the "
                                "classroom or into the lab")
            elif height == 0 and room in LAB and "__main__" not in own and (
                    their_room is None or their_room in LAB and LAB.index(their_room) > LAB.index(room)):
                problems.append(f"{where}; in the lab a module imports only from those before it: {', '.join(LAB)}")
            if name != own and not path.endswith("__init__.py"):  # a package collects its modules, no more
                graph.setdefault(own, set()).add(name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        problems.append(f"a circle of imports: {' -> '.join(error.args[1])}")
    return problems


def test_imports_point_one_way():
    assert direction_problems(sources()) == []


PLANTED = [
    ("vqlab/metrics.py", "def f():\n    from vqlab.classroom import show",
     "vqlab/metrics.py:2 imports vqlab.classroom; the lab"),
    ("vqlab/codebook.py", "import vqlab.vqvae", "codebook.py:1 imports vqlab.vqvae; in the lab"),
    ("vqlab/codebook.py", "from vqlab import psnr", "codebook.py:1 imports vqlab; in the lab"),
    ("vqlab/classroom/quiz.py", "\n\nfrom vqlab.lessons.scales import spell",
     "quiz.py:3 imports vqlab.lessons.scales; the classroom"),
    ("vqlab/classroom/quiz.py", "from vqlab.lessons import scales",
     "quiz.py:1 imports vqlab.lessons.scales; the classroom"),
    ("vqlab/lessons/scales/use.py", "from vqlab.lessons.argmin import sweep",
     "use.py:1 imports vqlab.lessons.argmin; a room"),
    ("vqlab/lessons/scales/inputs.js", 'import { css } from "../argmin/plane.js";',
     "inputs.js:1 imports vqlab/lessons/argmin/plane.js; a room"),
    ("vqlab/classroom/widget.js", 'import { spell } from "../lessons/scales/speller.js";',
     "widget.js:1 imports vqlab/lessons/scales/speller.js; the class"),
    ("vqlab/palette.py", "", "palette has no place in the lab's order"),
    ("vqlab/classroom/widget.py", "from vqlab.classroom.predict import Predict", "a circle of imports"),
]


@pytest.mark.parametrize("path, source, says", PLANTED)
def test_a_planted_import_is_named(path, source, says):
    problems = direction_problems(sources() | {path: source})
    assert len([problem for problem in problems if says in problem]) == 1, problems


def test_the_frame_is_small():
    from vqlab import classroom

    assert len(classroom.__all__) <= 25
