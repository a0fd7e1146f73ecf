"""Build the subset: ``python -m vqlab.classroom.font PATH_TO_TTC``, from the repository's root.

PATH_TO_TTC is NotoSansCJK-Regular.ttc (Debian: package fonts-noto-cjk). Needs fonttools.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

from vqlab.classroom.font import FAMILY, PATH

SYMBOLS = (
    "−×÷·±≤≥≈≠≡≪≫∞√∑∏∫∂∇∈∝⊕⊗‖ ←↑→↓↔⇒ ²³¹½¼°µ‰ …–—‘’“”′″ ●○◐◑▲△▼■□◆◇★☆✓ ①②③④⑤⑥⑦⑧⑨"
    "，。、；：？！（）《》「」【】…—～％"
)
# whose texts the browser shows, in its own font
SAID = {"Option", "Predict", "Question", "Quiz", "print", "reveal", "say"}
# Of the most used characters those that a lesson may want, so that a new sentence rarely needs a new font.
COMMON = (
    "的一是不了在人有我他这个们中来上大为和地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道"
    "行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实日者意"
    "无力它与长把机十第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应向头文体相见被什"
    "二等或新己制身果加斯合回特代内信表化给位次度门任常先通儿原声提立及比员解水名真论处走"
    "各入几认条平系气题活尔更别打变四总何电数少报才结反受目太量再感建做接必场件计管直"
    "指许统区保至形便空决展马五基眼书非则听白却界达光放强即像难且权思象完设式色路记品告类求"
    "据程边死张该交规万取格觉术领共确传师观清今切院让识候带导争运笔网络码本量化编码器解压缩失真像素图片"
    "训练层卷积梯度残差坍缩困惑熵码率承诺最近邻距离向索引词典聚类均值随机初始批损失函数参维空间预测尺度掩照片"
)


def characters(root: Path) -> set[str]:
    """Return every character the font gets: Latin, Greek, symbols, common Chinese, and what figures may draw.

    That is the Chinese in the strings of the modules that use matplotlib, and of the lessons' code, but for what the
    browser shows (`SAID`; the lessons' text).
    """
    wanted = {*map(chr, range(0x20, 0x7F)), *map(chr, range(0xA0, 0x100)), *map(chr, range(0x391, 0x3CA))}
    modules = [path.read_text("utf-8") for folder in ("classroom", "lessons")
               for path in sorted((root / "vqlab" / folder).rglob("*.py")) if path.parent != PATH.parent]
    sources = [source for source in modules if "matplotlib" in source]
    sources += [lesson.read_text("utf-8") for lesson in sorted(root.glob("notebooks/py/*.py"))]
    chinese = {c for source in sources for text in drawn(ast.parse(source)) for c in text
               if "\u3000" <= c <= "\u9fff" or "\uff00" <= c <= "\uffee"}
    return wanted | set(SYMBOLS) | set(COMMON) | chinese


def drawn(tree: ast.AST) -> Iterator[str]:
    """Yield the string constants of some code, but for those inside a call of `SAID`."""
    called = isinstance(tree, ast.Call) and (getattr(tree.func, "id", None) or getattr(tree.func, "attr", None))
    if called in SAID:
        return
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield tree.value
    for part in ast.iter_child_nodes(tree):
        yield from drawn(part)


def build(collection: Path, wanted: set[str], target: Path) -> None:
    """Write the ``wanted`` characters of the collection's "Noto Sans CJK SC" as ``FAMILY`` to ``target``."""
    fonts = TTCollection(collection, lazy=True).fonts
    font = next(font for font in fonts if font["name"].getDebugName(4) == "Noto Sans CJK SC")
    options = subset.Options(hinting=False, desubroutinize=False, layout_features=["kern"], notdef_outline=True,
                             name_IDs=[0, 1, 2, 4, 6, 13, 14], name_languages=[0x409],
                             drop_tables=["vhea", "vmtx", "VORG"])
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=map(ord, wanted))
    cutter.subset(font)
    names = font["name"]
    for record in list(names.names):  # OFL: a changed font takes another name; notice and licence stay
        if record.nameID in (1, 4):
            record.string = FAMILY
        elif record.nameID == 6:
            record.string = FAMILY.replace(" ", "-")
    top = font["CFF "].cff
    top.fontNames = [FAMILY.replace(" ", "-")]
    top[0].FullName = top[0].FamilyName = FAMILY
    font["head"].created = font["head"].modified = 0  # the same input gives the same file
    font.recalcTimestamp = False
    font.save(target)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    wanted = characters(Path.cwd())
    build(Path(sys.argv[1]), wanted, PATH)
    print(f"{PATH.name}: {len(wanted)} characters, {PATH.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
