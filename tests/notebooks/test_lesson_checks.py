"""A check that cannot fail checks nothing: each one is shown a good lesson and every way to spoil it."""

import lesson_checks as checks
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from vqlab.classroom.glossary import Term

TEXT = """## 1. 码本 · Codebook

<div lang="zh">

有 16 个码字。

</div>
<div lang="en">

16 codes.

</div>"""
TWIN = "# %% [markdown]\n# # 甲 · A\n\n# %%\n1 + 1\n"
KERNEL = {"name": "python3", "display_name": "Python 3"}
PUBLIC = {"vqlab": {"psnr"}, "vqlab.classroom": {"show"}, "vqlab.lessons": {"scales"},
          "vqlab.lessons.scales": {"spell", "exercises"}, "vqlab.lessons.scales.exercises": {"encode"}}


@pytest.mark.parametrize("good", [
    TEXT,
    "# 甲 · A",
    "# 00 一张照片 · A photograph\n\n---\n\n$$e = mc^2$$",
    TEXT.replace("码字。", "码字，`# 不是标题`，$K = 16$ 个。").replace("16 codes", "16 codes, $K = 16$"),
    TEXT.replace("个码字。", "个**码字**（**code**），**要点。** 好：`2**4`，**第三步**就完。"),
])
def test_good_text_passes(good):
    assert checks.language_problems(good) == []


@pytest.mark.parametrize("bad, problem", [
    ("Just prose.", "outside the language blocks"),
    (TEXT + "\n\nand more", "outside the language blocks"),
    (TEXT.replace("</div>", "", 1), "2 <div> opened, 1 closed"),
    (TEXT.replace('lang="en"', 'lang="zh"'), "expected zh, en in turn"),
    (TEXT.partition('<div lang="en">')[0], "expected zh, en in turn"),
    (TEXT.replace(' · Codebook', ""), "expected `中文 · English`"),
    (TEXT.replace('码本 · Codebook', "Codebook · 码本"), "expected `中文 · English`"),
    (TEXT.replace("16 codes.", "## 码 · Code\n\n16 codes."), "a heading inside"),
    (TEXT.replace("16 codes.", "有 16 个码字。"), "en block: not in that language"),
    (TEXT.replace("有 16 个码字。", "16 codes."), "zh block: not in that language"),
    (TEXT.replace("\n\n16 codes.", "\n16 codes."), "no blank line"),
    (TEXT.replace("16 codes", "32 codes"), "numbers differ"),
    (TEXT.replace("有 16 个", "有16 个"), "no space between Chinese and Latin"),
    (TEXT.replace("有 16 个", "有 `K`个，16 个"), "no space between Chinese and Latin"),
    (TEXT.replace("个码字。", "个,码字。"), "half-width punctuation"),
    (TEXT.replace("个码字。", "个码字，\n不多。"), "a line break"),
    (TEXT.replace("个码字。", "个**码字（code）**吗。"), "not bold"),
    (TEXT.replace("个码字。", "个码**（code）**。"), "not bold"),
    (TEXT.replace("16 codes", "**16**s, **`K`**codes"), "not bold"),
    (TEXT.replace("个码字。", "个**码字。"), "an odd number of **"),
])
def test_bad_text_is_named(bad, problem):
    assert problem in "; ".join(checks.language_problems(bad))


def notebook_of(*cells, **metadata):
    return nbformat.writes(new_notebook(cells=list(cells), metadata=metadata))


def test_twins():
    pair = [new_markdown_cell("# 甲 · A"), new_code_cell("1 + 1")]
    assert checks.pair_problems(notebook_of(*pair), TWIN) == []
    spoiled = {
        "source differs": TWIN.replace("1 + 1", "1 + 2"),
        "metadata differs": TWIN.replace("# %%\n1", '# %% tags=["a"]\n1'),
        "cell_type differs": TWIN.replace(" [markdown]", ""),
        "2 cells in the notebook, 3 in its twin": TWIN + "\n# %%\n2\n",
        "names a jupytext version": "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n"
                                    "#       jupytext_version: 1.19.6\n# ---\n\n" + TWIN,
    }
    for problem, twin in spoiled.items():
        assert problem in "; ".join(checks.pair_problems(notebook_of(*pair), twin))


@pytest.mark.parametrize("good", [
    "import torch\nimport numpy as np\nimport matplotlib.pyplot as plt\n_ = torch.ones(1)",
    "from vqlab import psnr\nfrom vqlab.classroom import show\nimport vqlab\nvqlab.psnr",
    "from vqlab.lessons import scales as lesson\nlesson.spell\nlesson.exercises.encode.check(encode)",
    "from vqlab import classroom\nclass A(nn.Module):\n    def __init__(self):\n        super().__init__()",
])
def test_good_code_passes(good):
    assert checks.code_problems(good, PUBLIC) == []


@pytest.mark.parametrize("bad, problem", [
    ("import sys\nsys.path.append('.')", "imports sys"),
    ("from helpers import draw", "imports helpers"),
    ("from . import draw", "imports ."),
    ("from vqlab.codebook import nearest_code", "imports vqlab.codebook"),
    ("from vqlab import secret", "vqlab.secret is not in vqlab.__all__"),
    ("import vqlab\nvqlab.secret()", "vqlab.secret is not in vqlab.__all__"),
    ("from vqlab import *", "import *"),
    ("from vqlab import classroom\nclassroom.secret()", "vqlab.classroom.secret is not in vqlab.classroom.__all__"),
    ("from vqlab.lessons import collapse", "vqlab.lessons.collapse is not in vqlab.lessons.__all__"),
    ("from vqlab.lessons.collapse import score", "imports vqlab.lessons.collapse"),
    ("from vqlab.lessons import scales as lesson\nlesson.secret", "vqlab.lessons.scales.secret is not in"),
    ("from vqlab.lessons import scales as lesson\nlesson.exercises.hits.check(f)", "exercises.hits is not in"),
    ("vq._cache", "private name _cache"),
    ("_hidden = 1", "private name _hidden"),
    ("%matplotlib inline", "not plain Python"),
    ("plt.plot([1]);", "ends with ';'"),
    ("# NBVAL_SKIP\n1", "expected a cell tag"),
])
def test_bad_code_is_named(bad, problem):
    assert problem in "; ".join(checks.code_problems(bad, PUBLIC))


def output(kind="display_data", metadata=None, **data):
    return new_output(kind, data={key.replace("_", "/"): value for key, value in data.items()},
                      metadata=metadata or {})


def test_a_well_stored_lesson_passes():
    described = output(image_png="aaaa", metadata={"image/png": {"alt": "一只猫 a cat"}})
    html = output(text_html='<img src="x" alt="一只猫 a cat">')
    printed = new_output("stream", name="stdout", text="1\n")
    widget = output(text_html="<p>甲 a</p>", **{"application_vnd.jupyter.widget-view+json": {"model_id": "1"}})
    good = notebook_of(new_markdown_cell("# 甲 · A"), new_code_cell(""),
                       new_code_cell("1", execution_count=1, outputs=[described, html, printed, widget]),
                       new_code_cell("2", execution_count=2), kernelspec=KERNEL)
    assert checks.stored_problems(good) == []


@pytest.mark.parametrize("bad, problem", [
    (output(image_png="aaaa"), "without an alt text in both"),
    (output(image_png="aaaa", metadata={"image/png": {"alt": "a cat"}}), "without an alt text in both"),
    (output(text_html='<p><img src="x"></p>'), "<img> without an alt"),
    (output(**{"application_vnd.jupyter.widget-view+json": {"model_id": "1"}}), "without a saved picture"),
    (new_output("error", ename="ValueError", evalue="no", traceback=[]), "a stored error: ValueError"),
    (new_output("stream", name="stderr", text="x.py:1: UserWarning: no"), "a stored warning"),
])
def test_bad_output_is_named(bad, problem):
    stored = notebook_of(new_code_cell("1", execution_count=1, outputs=[bad]))
    assert problem in "; ".join(checks.stored_problems(stored))


def test_bad_storage_is_named():
    def problems(*cells, **metadata):
        return "; ".join(checks.stored_problems(notebook_of(*cells, **metadata)))

    assert "execution counts [None]" in problems(new_code_cell("1"))
    assert "execution counts [2, 1]" in problems(new_code_cell("1", execution_count=2),
                                                 new_code_cell("2", execution_count=1))
    assert "no kernelspec" in problems(new_code_cell("1", execution_count=1))
    assert "metadata.widgets" in problems(widgets={"state": {}})
    assert "Python version" in problems(language_info={"name": "python", "version": "3.11"})
    assert "execution times" in problems(new_code_cell("", metadata={"execution": {"busy": "now"}}))
    assert "300 kB, expected" in problems(new_markdown_cell("a" * 300_000))


def test_a_long_lesson_is_named():
    def problems(number, source, **metadata):
        return checks.length_problems(notebook_of(*[new_code_cell(source, metadata=metadata) for _ in range(number)]))

    assert problems(59, "x = 1\n\n") == []
    assert problems(1, "x = 1\n" * 90) == ["90 visible lines of code, expected fewer than 90"]
    assert problems(60, "x = 1\n" * 9, jupyter={"source_hidden": True}) == []
    assert problems(61, "x = 1\n", jupyter={"source_hidden": True}) == ["61 cells, expected at most 60"]


@pytest.mark.parametrize("folded, source, problem", [
    (True, "guess.hold()\nprint(1)\nguess.reveal(1, because=('因', 'since'))", ""),
    (False, "guess.hold()\nprint(1)", ""),
    (False, "guess.hold()\nguess.reveal(1, because=('因', 'since'))", "guess.reveal in a cell that is not folded"),
    (True, "guess.reveal(1, because=('因', 'since'))", "expected guess.hold()"),
    (True, "other.hold()\nguess.reveal(1, because=('因', 'since'))", "expected guess.hold()"),
    (False, "print(1)\nguess.hold()", "not its first line"),
])
def test_an_answer_given_away_is_named(folded, source, problem):
    metadata = {"jupyter": {"source_hidden": True}} if folded else {}
    found = "; ".join(checks.answer_problems(notebook_of(new_code_cell(source, metadata=metadata))))
    assert problem in found and bool(problem) == bool(found)


def shown(**data):
    return new_code_cell("1", outputs=[output(**data)])


def streamed(text):
    return new_code_cell("1", outputs=[new_output("stream", name="stdout", text=text)])


@pytest.mark.parametrize("cell, obeys", [
    (streamed("37.2 dB\n(1, 8400) torch.float32 True\n"), True),
    (streamed("失真 distortion: 0.1\n"), False),
    (streamed("1\nsame after ten steps: True\n"), False),
    (shown(text_plain="'失真 distortion'"), False),
    (shown(text_plain="失真 0.1\ndistortion 0.1", text_html='<div lang="zh">失真 0.1</div>'), True),
])
def test_a_printed_sentence_is_named(cell, obeys):
    assert (checks.printed_problems(notebook_of(cell)) == []) == obeys


TERMS = [Term("码本", "codebook", "码字组成的表。", "A table of code vectors."),
         Term("码本坍缩", "codebook collapse", "只有少数码字被选中。", "Only a few codes are ever chosen."),
         Term("滑动平均", "moving average (EMA)", "新值占一小份。", "A small part new value.")]
PAIR = '<div lang="zh">\n\n{}\n\n</div>\n<div lang="en">\n\n{}\n\n</div>'
OPENING = new_markdown_cell("# 甲 · A\n\n" + PAIR.format("1. 认识码本坍缩；", "1. know a codebook collapse;"))


def explains(**more):
    """A lesson in which every term is explained, but for what is replaced."""
    texts = {"zh": "**码本**是码字组成的表。", "en": "A **codebook** is a table of code vectors.",
             "fails_zh": "少数码字被选中，叫**码本坍缩**。",
             "fails_en": "Few are chosen: **codebook collapse**, ever worse.",
             "ema_zh": "**滑动平均**：新值占一小份。",
             "ema_en": "An **EMA** takes a small part of the new value."} | more
    blocks = [PAIR.format(texts[zh], texts[en]) for zh, en in (("zh", "en"), ("fails_zh", "fails_en"),
                                                               ("ema_zh", "ema_en"))]
    return notebook_of(OPENING, new_code_cell(texts.get("code", "")), *map(new_markdown_cell, blocks))


@pytest.mark.parametrize("lesson, problem", [
    (explains(), ""),
    (explains(zh="码本是码字组成的表。"), "one, cell 2: '码本' stands here first"),
    (explains(zh="先说**码本**。"), "of that, here: []"),
    (explains(zh="码本？\n\n**码本**是码字组成的表。"), "'码本？'. Expected **码本** in bold type (it is"),
    (explains(en="A table of code vectors."), "'codebook' is in the glossary and in no lesson"),
    (explains(en="Codebooks.\n\nA **codebook** is a table of code vectors."), "stands here first: 'Codebooks.'"),
    (explains(ema_en="The EMA comes later."), "'moving average (EMA)' stands here first"),
    (explains(code='say("码本有 1 个", "a codebook of 1")'), "one, cell 1: '码本' stands here first"),
    (explains(code='show("码本有 1 个", "a codebook of 1")'), ""),
])
def test_a_term_before_its_explanation_is_named(lesson, problem):
    found = "; ".join(checks.glossary_problems([("one", lesson)], TERMS))
    assert problem in found and bool(problem) == bool(found)


def test_a_term_is_explained_in_an_earlier_lesson():
    later = notebook_of(OPENING, new_markdown_cell(PAIR.format("码本。", "A codebook.")))
    assert checks.glossary_problems([("one", explains()), ("two", later)], TERMS) == []
    turned = checks.glossary_problems([("two", later), ("one", explains())], TERMS)
    assert [problem[:11] for problem in turned] == ["two, cell 1"] * 2


MINUTES = ("**大约 12 分钟，再加练习 9 分钟。你会：**\n\n"
           "**In about 12 minutes, plus 9 for the exercises, you will:**\n"
           "*约 7 分钟。*\n*About 7 minutes.*\n*5 分钟。*\n*5 minutes.*\n"
           "●○○ 约 4 分钟。\n●○○ about 4 minutes.\n**练习二 ●●○ · 5 分钟。**\n**Exercise 2 ●●○ · 5 minutes.**")


@pytest.mark.parametrize("old, new, problem", [
    ("x", "x", ""), ("plus 9 for the", "plus 9 for\nthe", ""),
    ("大约 12", "大约 11", "11 minutes at the start, sections [7, 5] make 12"),
    ("about 12", "about 13", "13 minutes at the start, sections [7, 5] make 12"),
    ("· 5 minutes", "· 6 minutes", "exercises [4, 6] make 10"),
    ("大约 12 分钟", "很快", "no minutes at the start"),
])
def test_minutes_that_do_not_add_up_are_named(old, new, problem):
    found = "; ".join(checks.minutes_problems(notebook_of(new_markdown_cell(MINUTES.replace(old, new)))))
    assert problem in found and bool(problem) == bool(found)
