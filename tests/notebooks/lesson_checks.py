"""What a lesson may not be: pure functions, each from text or a notebook to a list of problems."""

import ast
import re

import jupytext
import nbformat

MAX_BYTES = 300_000
MAX_CELLS = 60
MAX_VISIBLE = 90  # lines of code that a learner sees: its algorithm once in plain PyTorch is among them
MODULES = {"torch", "numpy", "matplotlib", "math", "io", "time"}  # beside the lab, the frame and the lesson's room

CJK = re.compile(r"[\u3400-\u9fff]")
LATIN = re.compile(r"[A-Za-z]")
BLOCK = re.compile(r'<div lang="(\w+)">(.*?)</div>', re.DOTALL)
HEADING = re.compile(r"^#{1,6} .*$", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
MATH = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
LINK_TARGET = re.compile(r"\]\([^)]*\)|https?://\S+|<[^>]*>")
SENTENCE = re.compile(r"\b[a-z]{2,} [a-z]{2,}\b")  # two English words in a row
OTHER_USES = re.compile(r"learning rates?|residual (?:block|connection)s?|学习率|残差块|残差连接", re.IGNORECASE)
COMMON = set(  # they say nothing about a meaning
    "about all and any are been but code each every for from has have here into its itself more most not one only "
    "other over own same some that the their them then there they this those two was what when where which with "
    "一个 一张 就是 得到 所有 没有 码字 这里".split())
READ = {"Predict", "Question", "Option", "reveal", "say"}  # calls whose strings a reader reads
BIG_NUMBER = re.compile(r"\d+\.\d+|\d{2,}")


def in_both(text):
    """Whether a text has Chinese and English in it."""
    return bool(text and CJK.search(text) and LATIN.search(text))


def pair_problems(ipynb, percent):
    """Compare the two twins cell by cell, as jupytext would write and read them."""
    notebook = nbformat.reads(ipynb, as_version=4)
    written = jupytext.reads(jupytext.writes(notebook, "py:percent"), "py:percent").cells
    twin = jupytext.reads(percent, "py:percent").cells
    problems = []
    if re.search(r"jupytext_version", percent):
        problems.append("the twin names a jupytext version")
    if len(written) != len(twin):
        problems.append(f"{len(written)} cells in the notebook, {len(twin)} in its twin")
    for number, (left, right) in enumerate(zip(written, twin, strict=False)):
        for part in ("cell_type", "source", "metadata"):
            if left[part] != right[part]:
                problems.append(f"cell {number}: {part} differs: {left[part]!r}, twin {right[part]!r}")
    return problems


def language_problems(markdown):
    """Check one markdown cell: headings `中文 · English`, all else in pairs of zh and en blocks."""
    blocks = BLOCK.findall(markdown)
    problems = []
    opened, closed = len(re.findall(r"<div\b", markdown)), markdown.count("</div>")
    if opened != closed:
        problems.append(f"{opened} <div> opened, {closed} closed")
    languages = [language for language, _ in blocks]
    if languages != ["zh", "en"] * (len(blocks) // 2):
        problems.append(f"blocks {languages}, expected zh, en in turn")
    for language, text in blocks:
        problems += emphasis_problems(text)
        if not (text.startswith("\n\n") and text.endswith("\n\n")):
            problems.append(f"{language} block: no blank line inside its tags, so markdown stays raw")
        if HEADING.search(CODE.sub("", text)):
            problems.append(f"{language} block: a heading inside; it belongs outside, in both languages")
        prose = MATH.sub("", CODE.sub("", text))
        chinese, latin = len(CJK.findall(prose)), len(LATIN.findall(prose))
        if (language == "zh" and not chinese) or (language == "en" and (not latin or chinese > latin)):
            problems.append(f"{language} block: not in that language: {text.strip()[:60]!r}")
        if language == "zh":
            problems += typography_problems(text)
    numbers = [sorted(BIG_NUMBER.findall(LINK_TARGET.sub("", text))) for _, text in blocks]
    for chinese, english in zip(numbers[0::2], numbers[1::2], strict=False):
        if chinese != english:
            problems.append(f"numbers differ: zh {chinese}, en {english}")
    outside = BLOCK.sub("", markdown)
    for heading in HEADING.findall(outside):
        left, dot, right = heading.partition(" · ")
        if not (dot and CJK.search(left) and LATIN.search(right) and not CJK.search(right)):
            problems.append(f"heading {heading!r}, expected `中文 · English`")
        problems += typography_problems(left)
    outside = re.sub(r"\$\$.*?\$\$|^---$", "", HEADING.sub("", outside), flags=re.DOTALL | re.MULTILINE)
    if outside.strip():
        problems.append(f"text outside the language blocks: {outside.strip()[:60]!r}")
    return problems


def emphasis_problems(markdown):
    """Check that every ** makes bold: between punctuation and a letter, as in **好。**吗, it is shown as it is."""
    problems = []
    for paragraph in re.split(r"\n\s*\n|\n(?=- |\d+\. )", MATH.sub("$", CODE.sub("`", markdown))):
        between = paragraph.split("**")
        if len(between) % 2 == 0:
            problems.append(f"an odd number of **: {paragraph.strip()[:60]!r}")
        for before, bold, after in zip(between[0::2], between[1::2], between[2::2], strict=False):
            if re.search(r"\w\|[^\w\s]", f"{before[-1:]}|{bold[:1]}") or (
                    re.search(r"[^\w\s]\|\w", f"{bold[-1:]}|{after[:1]}")):
                problems.append(f"not bold, ** between punctuation and a letter: {f'**{bold}**{after[:3]}'!r}")
    return problems


def typography_problems(chinese):
    """Full-width punctuation, a space between Chinese and Latin, numbers, code, formulas, no break in a paragraph."""
    plain = re.sub(r"[*_]", "", MATH.sub("x", CODE.sub("x", LINK_TARGET.sub("", chinese))))
    han = r"[\u3400-\u9fff]"
    return ([f"no space between Chinese and Latin: {found!r}"
             for found in re.findall(f"{han}[A-Za-z0-9]|[A-Za-z0-9%]{han}", plain)]
            + [f"half-width punctuation: {found!r}" for found in re.findall(f"{han}[,;:!?]", plain)]
            + [f"a line break, which a browser draws as a gap: {found!r}"
               for found in re.findall(r"[^\n]{1,8}\n(?![-+*] |\d+\. |[|>#\s])[^\n]{1,8}", plain.strip())])


def modules_by_name(source, public):
    """What a lesson calls our modules, name -> module: lesson -> vqlab.lessons.scales where it is imported so.

    Args:
        source: all code cells of the lesson.
        public: as for `code_problems`.
    """
    names = {module: module for module in public}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found = {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found = {name.asname: name.name for name in node.names if name.asname}
        else:
            continue
        names |= {name: module for name, module in found.items() if module in public}
    return names


def code_problems(source, public, names=None):
    """Check one code cell: plain Python, public names only.

    Args:
        source: the cell.
        public: module name -> its public names, e.g. {"vqlab": {"psnr"}, "vqlab.classroom": {...}}.
        names: what the lesson calls those modules, as `modules_by_name` says; by default what this cell does.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [f"not plain Python: {error.msg} (line {error.lineno})"]
    names = modules_by_name(source, public) if names is None else names
    problems = []
    if source.rstrip().endswith(";"):
        problems.append("ends with ';', which nbval does not honour; end with plt.show() or `_ =`")
    if re.search(r"^\s*#\s*NBVAL_", source, re.MULTILINE):
        problems.append("an NBVAL comment, expected a cell tag")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            problems += [_module_problem(name.name, public) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or "."
            problems.append(_module_problem(module, public))
            for name in node.names:
                if name.name == "*":
                    problems.append(f"from {module} import *")
                elif module in public and f"{module}.{name.name}" not in public:
                    problems.append(_name_problem(module, name.name, public))
        elif isinstance(node, ast.Attribute):
            first, dot, rest = ast.unparse(node.value).partition(".")
            module = names.get(first, first) + dot + rest
            if module in public and f"{module}.{node.attr}" not in public:
                problems.append(_name_problem(module, node.attr, public))
        name = getattr(node, "id", None) or getattr(node, "attr", None) or ""
        if name.strip("_") and name.startswith("_") and not (name.startswith("__") and name.endswith("__")):
            problems.append(f"private name {name}")
    return [problem for problem in problems if problem]


def _module_problem(module, public):
    if module not in public and module.partition(".")[0] not in MODULES:
        return f"imports {module}, expected one of {sorted(MODULES | set(public))}"


def _name_problem(module, name, public):
    if name not in public[module]:
        return f"{module}.{name} is not in {module}.__all__"


def stored_problems(ipynb):
    """Check what is saved: small, whole, without errors or widget state, every picture described."""
    notebook = nbformat.reads(ipynb, as_version=4)
    problems = []
    size = len(ipynb.encode())
    if size > MAX_BYTES:
        problems.append(f"{size // 1000} kB, expected at most {MAX_BYTES // 1000}")
    if "widgets" in notebook.metadata:
        problems.append("saved widget state (metadata.widgets)")
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        problems.append("no kernelspec python3: JupyterLab would ask which kernel to start")
    if "version" in notebook.metadata.get("language_info", {}):
        problems.append("names the Python version it ran on")
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        problems.append(f"not run once from top to bottom: execution counts {counts}")
    for number, cell in enumerate(notebook.cells):
        if "execution" in cell.metadata:
            problems.append(f"cell {number}: execution times")
        for output in cell.get("outputs", []):
            problems += [f"cell {number}: {problem}" for problem in output_problems(output)]
    return problems


def lines(ipynb):
    """How many lines of code, blank ones left out, a learner sees in view, and how many folded."""
    counts = [0, 0]
    for cell in nbformat.reads(ipynb, as_version=4).cells:
        if cell.cell_type == "code":
            folded = bool(cell.metadata.get("jupyter", {}).get("source_hidden"))
            counts[folded] += sum(bool(line.strip()) for line in cell.source.splitlines())
    return tuple(counts)


def length_problems(ipynb):
    """Check that a lesson is one: few enough cells, and few lines of code that a learner sees unfolded."""
    cells = nbformat.reads(ipynb, as_version=4).cells
    visible, _ = lines(ipynb)
    problems = []
    if len(cells) > MAX_CELLS:
        problems.append(f"{len(cells)} cells, expected at most {MAX_CELLS}")
    if visible >= MAX_VISIBLE:
        problems.append(f"{visible} visible lines of code, expected fewer than {MAX_VISIBLE}")
    return problems


def answer_problems(ipynb):
    """Check that "Run all" gives no answer away.

    A cell that reveals an answer is folded, since its code holds the reason, and begins by holding back what it
    shows, since a folded cell's first line is seen.
    """
    problems = []
    for number, cell in enumerate(nbformat.reads(ipynb, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        for name in re.findall(r"^(\w+)\.reveal\(", cell.source, re.MULTILINE):
            if not cell.metadata.get("jupyter", {}).get("source_hidden"):
                problems.append(f"cell {number}: {name}.reveal in a cell that is not folded")
            if cell.source.splitlines()[0] != f"{name}.hold()":
                problems.append(f"cell {number}: begins {cell.source.splitlines()[0]!r}, expected {name}.hold()")
        held = re.findall(r"^(\w+)\.hold\(\)$", cell.source, re.MULTILINE)
        if held and cell.source.splitlines()[0] != f"{held[0]}.hold()":
            problems.append(f"cell {number}: {held[0]}.hold() is not its first line")
    return problems


def printed_problems(ipynb):
    """Check that what a cell prints obeys the language switch: a sentence is said with `classroom.say`, not printed.

    Numbers, names and units may be printed: they are the same in both languages. So are figures' labels, and code.
    """
    problems = []
    for number, cell in enumerate(nbformat.reads(ipynb, as_version=4).cells):
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                said = output["text"]
            elif output["output_type"] == "error" or set(output["data"]) != {"text/plain"}:
                continue  # HTML, pictures, widgets: other checks read them
            else:
                said = output["data"]["text/plain"]
            for line in said.splitlines():
                if CJK.search(line) or SENTENCE.search(line):
                    problems.append(f"cell {number} prints {line.strip()[:80]!r}, which obeys no language switch: "
                                    "use classroom.say(Chinese, English)")
    return problems


def minutes_problems(ipynb):
    """Check that the minutes said at the start are the sums of those said below, in both languages.

    The opening says `大约 40 分钟，再加练习 20 分钟` and `about 40 minutes, plus 20 for the exercises`; a section
    begins `*8 分钟。*` and `*8 minutes.*` (or `约`, `About`), an exercise says `●○○ · 5 分钟`, `●○○ · 5 minutes`.
    """
    problems = []
    for opening, said, found in minutes(ipynb):
        if said is None:
            problems.append(f"no minutes at the start: expected {opening}")
            continue
        for name, number, each in zip(("sections", "exercises"), said, found, strict=True):
            if sum(each) != number:
                problems.append(f"{number} minutes at the start, {name} {each} make {sum(each)}")
    return problems


def minutes(ipynb):
    """For Chinese, then English: the opening's pattern, (sections, exercises) it promises, and those said below."""
    cells = nbformat.reads(ipynb, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for opening, section, exercise in (
            (r"大约 (\d+) 分钟(?:，再加练习 (\d+) 分钟)?", r"^\*约? ?(\d+) 分钟。\*",
             r"[●○] (?:· |约 )(\d+) 分钟"),
            (r"[Ii]n about (\d+) minutes(?:, plus\s(\d+) for\sthe\sexercises)?",
             r"^\*(?:About )?(\d+) minutes?\.\*", r"[●○] (?:· |about )(\d+) minutes")):
        said = re.search(opening, text)
        yield (opening, said and (int(said[1]), int(said[2] or 0)),
               [[int(found) for found in re.findall(each, text, re.MULTILINE)] for each in (section, exercise)])


def passages(ipynb):
    """What a reader reads, in order: (place, language, text, all that stands with it in one cell and language).

    A text is a paragraph, a list item, or, in code, a string that is a question, an option, a reason or what a cell
    says. Headings are left out, since what follows explains them; so is the opening's numbered list, which says what
    will be learnt.
    """
    for number, cell in enumerate(nbformat.reads(ipynb, as_version=4).cells):
        if cell.cell_type == "markdown":
            for language, block in BLOCK.findall(cell.source):
                for text in re.split(r"\n\s*\n|\n(?=- |\d+\. )", CODE.sub(" ", block).strip()):
                    if number or not re.match(r"\d+\. ", text):
                        yield f"cell {number}", language, " ".join(text.split()), block
        elif cell.cell_type == "code":
            calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)
                     and ast.unparse(node.func).rpartition(".")[2] in READ]
            strings = {id(node): node for call in calls for node in ast.walk(call)
                       if isinstance(node, ast.Constant) and isinstance(node.value, str)}
            for node in sorted(strings.values(), key=lambda node: (node.lineno, node.col_offset)):
                yield f"cell {number}", "zh" if CJK.search(node.value) else "en", node.value, node.value


def glossary_problems(lessons, terms):
    """Check that each term is explained where it first stands, in each language; lessons are read in order.

    Explained is: the first paragraph or list item that names the term prints it **bold**, and the text around it has
    at least two of the words (in Chinese, pairs of characters) with which the glossary says what the term means.

    Args:
        lessons: (name, notebook as text), in reading order.
        terms: those of the glossary, each with ``zh``, ``en``, ``meaning_zh``, ``meaning_en``.
    """
    read = [(f"{name}, {place}", language, OTHER_USES.sub(" ", text), around)
            for name, ipynb in lessons for place, language, text, around in passages(ipynb)]
    problems = []
    for language in ("zh", "en"):
        for term in terms:
            named = _naming(term, language, terms)
            name, meaning = getattr(term, language), getattr(term, f"meaning_{language}")
            found = next(((place, text, around) for place, said_in, text, around in read
                          if said_in == language and named(text)), None)
            if found is None:
                problems.append(f"{name!r} is in the glossary and in no lesson")
                continue
            place, text, around = found
            bold = any(map(named, re.findall(r"\*\*(.+?)\*\*", text)))
            shared = sorted(_content(meaning, language) & _content(around, language))
            if not bold or len(shared) < 2:
                problems.append(
                    f"{place}: {name!r} stands here first: {text[:60]!r}. Expected **{name}** in bold type"
                    f"{'' if bold else ' (it is not)'} and what it is: {meaning!r} (of that, here: {shared})")
    return problems


def _naming(term, language, terms):
    """A function from a text to whether it names the term, and not only a longer one that contains it."""
    def pattern(name):
        if language == "zh":
            return re.escape(name)
        forms = [form for form in re.split(r" \(|\)", name) if form]  # "exponential moving average (EMA)": two
        return "|".join(rf"\b{re.escape(form)}(?:e?s)?\b" for form in [*forms, re.sub("ex$", "ices", name)])

    name = getattr(term, language)
    longer = [getattr(each, language) for each in terms if each != term and name in getattr(each, language)]
    hidden = re.compile("|".join(map(pattern, longer)) or "(?!)", re.IGNORECASE)
    wanted = re.compile(pattern(name), re.IGNORECASE)
    return lambda text: bool(wanted.search(hidden.sub(" ", text)))


def _content(text, language):
    """What carries a meaning: English words of three letters or more, by their beginning; Chinese pairs."""
    if language == "en":
        return {re.sub("s$", "", word)[:5] for word in re.findall(r"[a-z]{3,}", text.lower())} - COMMON
    runs = re.findall(r"[\u3400-\u9fff]{2,}", text)
    return {run[i:i + 2] for run in runs for i in range(len(run) - 1)} - COMMON


def output_problems(output):
    """Check one saved output: no error, no warning on stderr, pictures with an alt text in both languages."""
    if output["output_type"] == "error":
        return [f"a stored error: {output['ename']}: {output['evalue']}"]
    if output["output_type"] == "stream":
        warned = output["name"] == "stderr" and "Warning" in output["text"]
        return [f"a stored warning: {output['text'][:200]}"] if warned else []
    problems = []
    for mime, data in output["data"].items():
        about = output["metadata"]
        if mime.startswith("image/") and not in_both(about.get(mime, {}).get("alt") or about.get("alt")):
            problems.append(f"{mime} without an alt text in both languages")
        if mime == "text/html":
            for tag in re.findall(r"<img\b[^>]*>", "".join(data)):
                alt = re.search(r'alt="([^"]*)"', tag)
                if not in_both(alt and alt[1]):
                    problems.append(f"<img> without an alt text in both languages: {tag[:80]}")
        if "widget-view" in mime and not any(m.startswith("image/") or m == "text/html" for m in output["data"]):
            problems.append("a widget without a saved picture or text: GitHub would show nothing")
    return problems
