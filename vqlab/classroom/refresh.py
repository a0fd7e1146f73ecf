"""Run lessons again and store clean outputs: ``python -m vqlab.classroom.refresh [LESSON ...]``.

Edit ``notebooks/py/NN_name.py``, then say ``python -m vqlab.classroom.refresh NN`` from the repository's
root. Without a lesson all are run. A lesson that fails, hangs or grows too large is left as it was.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

MAX_BYTES = 300_000  # of one saved lesson: it must still open on GitHub and diff in a review


def clean(notebook):
    """Strip from an executed notebook whatever differs from machine to machine; cell ids stay.

    Args:
        notebook: an ``nbformat`` notebook, changed in place.

    Returns:
        The same notebook.

    >>> notebook = nbformat.v4.new_notebook(metadata={"widgets": {"state": 1}})
    >>> notebook.cells = [nbformat.v4.new_code_cell("1", metadata={"execution": {"busy": "2026"}})]
    >>> clean(notebook).metadata.keys(), notebook.cells[0].metadata
    (dict_keys(['kernelspec', 'language_info', 'jupytext']), {})
    """
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        # as in pyproject.toml, so that ``jupytext --to py:percent`` gives the twin wherever it is called
        "jupytext": {"notebook_metadata_filter": "-all", "cell_metadata_filter": "tags,jupyter,-all"},
    })
    for cell in notebook.cells:
        kept = {key: cell.metadata[key] for key in ("jupyter", "tags") if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(kept)
    return notebook


def refresh(lesson, timeout):
    """Sync a lesson with its twin, execute it, store it cleaned.

    Args:
        lesson: path of ``notebooks/NN_name.ipynb``; it need not exist yet if its twin does.
        timeout: seconds for the whole execution.

    Raises:
        RuntimeError: a step failed or hung, or the result is larger than ``MAX_BYTES``.
    """
    twin = lesson.parent / "py" / f"{lesson.stem}.py"
    if twin.exists():
        twin.touch()  # the newer of the two wins, and a checkout may have written the notebook last
    _run(["jupytext", "--sync", twin if twin.exists() else lesson], 60)
    with tempfile.TemporaryDirectory() as folder:
        executed = Path(folder) / lesson.name
        # a process of its own: an execution that hangs for ever can only be stopped from outside
        _run(["nbconvert", "--to", "notebook", "--execute", "--output", executed,
              "--ExecutePreprocessor.store_widget_state=False", lesson], timeout)
        text = nbformat.writes(clean(nbformat.read(executed, as_version=4))) + "\n"
    if len(text.encode()) > MAX_BYTES:
        sizes = [len(json.dumps(cell)) // 1000 for cell in json.loads(text)["cells"]]
        raise RuntimeError(f"{lesson}: {len(text.encode()) // 1000} kB with outputs, expected at most "
                           f"{MAX_BYTES // 1000} kB; fewer or smaller pictures? kB of each cell: {sizes}")
    lesson.write_text(text, encoding="utf-8")
    _run(["jupytext", "--sync", lesson], 60)  # the twin gets the newer date again


def _run(module_and_arguments, timeout):
    command = [sys.executable, "-m", *map(str, module_and_arguments)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{' '.join(command[2:])}: still running after {timeout:g} s, stopped") from None
    if done.returncode:
        cell_error = done.stderr.rpartition("CellExecutionError: ")[2]  # all of stderr where there is none
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{cell_error[-4000:]}")


def find(folder, names):
    """Return the lessons in ``folder`` whose file name starts with one of ``names`` (all without names).

    Raises:
        ValueError: a name fits no lesson.
    """
    lessons = sorted({folder / f"{twin.stem}.ipynb" for twin in (folder / "py").glob("*.py")}
                     | set(folder.glob("*.ipynb")))
    if not names:
        return lessons
    wanted = [Path(name).stem for name in names]
    for name in wanted:
        if not any(lesson.stem.startswith(name) for lesson in lessons):
            raise ValueError(f"no lesson {name!r}; expected one of {[lesson.stem for lesson in lessons]}")
    return [lesson for lesson in lessons if lesson.stem.startswith(tuple(wanted))]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lesson", nargs="*", help="00, 00_start or a path; default: all")
    parser.add_argument("--folder", type=Path, default=Path("notebooks"))
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one lesson (default 900)")
    options = parser.parse_args(arguments)
    try:
        for lesson in find(options.folder, options.lesson):
            print(f"{lesson} …", flush=True)
            refresh(lesson, options.timeout)
    except (RuntimeError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
