"""The packaged font has every character that our figures draw."""

import ast
from pathlib import Path

import jupytext
import pytest
from matplotlib import font_manager

from vqlab.classroom.font import FAMILY, PATH, missing_glyphs, register_font

ROOT = Path(__file__).parents[2]
BUILD = "build the font again: python -m vqlab.classroom.font PATH_TO_NotoSansCJK-Regular.ttc"


def chinese(code):
    """All Chinese characters in the string constants of some code, without docstrings and the browser's own texts."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {
                "Option", "Predict", "Question", "Quiz", "print", "reveal", "say"}:
            node.args, node.keywords = [], []
    docs = {id(node.body[0].value) for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None}
    text = "".join(node.value for node in ast.walk(tree)
                   if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs)
    return {c for c in text if "\u3000" <= c <= "\u9fff" or "\uff00" <= c <= "\uffee"}


def test_it_is_found_by_its_name():
    assert register_font() == FAMILY == "vqlab Sans"
    assert font_manager.findfont(FAMILY, fallback_to_default=False) == str(PATH)


def test_symbols_of_the_lessons():
    assert missing_glyphs("−1 ≤ β ≤ ½ × 2², λ → ∞ … ‖z_e − z_q‖ ≈ σ ≠ μ ± ∂ ∑ √ · – — ° µ ● ○ ✓") == set()
    assert missing_glyphs("“码本”，（困惑度）。") == set()


def test_a_missing_glyph_is_named():
    assert missing_glyphs("码\n🐈") == {"🐈"}


@pytest.mark.parametrize("path", [path for folder in ("classroom", "lessons")
                                  for path in sorted((ROOT / "vqlab" / folder).rglob("*.py"))
                                  if path.parent != PATH.parent and "matplotlib" in path.read_text("utf-8")],
                         ids=lambda path: f"{path.parent.name}/{path.name}")
def test_modules_that_draw(path):
    assert missing_glyphs("".join(chinese(path.read_text("utf-8")))) == set(), BUILD


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/py/*.py")), ids=lambda path: path.name)
def test_lessons(path):
    cells = jupytext.reads(path.read_text("utf-8"), "py:percent").cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert missing_glyphs("".join(chinese(code))) == set(), BUILD


def test_small_and_licensed():
    assert PATH.stat().st_size < 160_000
    assert "SIL OPEN FONT LICENSE" in PATH.with_name("OFL.txt").read_text("utf-8")
