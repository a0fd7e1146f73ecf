"""What Binder would build, read from the Dockerfile that repo2docker prints; no Docker engine is needed.

repo2docker ends with 0 also where it understood nothing, so the printed text is what counts.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PARTS = ("binder", "requirements.txt", "pyproject.toml")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="repo2docker does not run on Windows")


@pytest.fixture
def repository(tmp_path):
    """A copy of what Binder reads."""
    for name in PARTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    return tmp_path


def dockerfile(repository):
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "--user-id", "1000",
               "--user-name", "jovyan", "."]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def dockerfile_problems(text):
    """What a learner on Binder would miss."""
    problems = []
    if not re.search(r"environment-2epy-2d3-2e11-2d\S+lock", text):
        problems.append("not Python 3.11")
    copied = text.find("src/ ${REPO_DIR}/\n")
    installed = text.find('pip install --no-cache-dir -r "binder/requirements.txt"')
    if installed < 0:
        problems.append("our requirements are not installed")
    elif not 0 <= copied < installed:
        problems.append("pip runs before the repository is there")
    if not re.search(r"R2D_ENTRYPOINT\S*.*binder/start", text):
        problems.append("binder/start is not called")
    if not re.search(r"^RUN \./binder/postBuild", text, re.MULTILINE):
        problems.append("binder/postBuild is not called")
    return problems


def requirement_lines(path):
    """All requirement lines of a file and of those it names with ``-r``, without comments."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            lines += requirement_lines(path.parent / line[3:])
        elif line:
            lines.append(line)
    return lines


def requirement_problems(repository):
    lines = requirement_lines(repository / "binder" / "requirements.txt")
    options = [line for line in lines if line.startswith("-")]
    requirements = [Requirement(line) for line in lines if not line.startswith("-")]
    pins = {}
    for requirement in requirements:
        pins.setdefault(requirement.name.lower(), []).append(str(requirement.specifier))
    problems = [f"{name} is not pinned: {pin!r}" for name, found in pins.items() for pin in found
                if not re.fullmatch(r"==[\w.+]+", pin)]
    if sorted(options) != ["--extra-index-url https://download.pytorch.org/whl/cpu", "-e ."]:
        problems.append(f"options {options}, expected PyTorch's CPU index and -e .")
    if "jupyterlab" not in pins:
        problems.append("repo2docker's own JupyterLab would stay")
    if sorted(pins.get("torch", [])) != [(pin := min(pins.get("torch", [""]))), f"{pin}+cpu"]:
        problems.append(f"torch {pins.get('torch')}, expected one version and its +cpu build")
    return problems


def test_binder_builds_what_we_mean(repository):
    assert dockerfile_problems(dockerfile(repository)) == []
    assert requirement_problems(repository) == []


@pytest.mark.parametrize("spoil, problem", [
    (lambda root: (root / "binder/runtime.txt").unlink(), "not Python 3.11"),
    (lambda root: (root / "binder/requirements.txt").write_text("torch\n"), "pip runs before"),
    (lambda root: (root / "binder/requirements.txt").unlink(), "our requirements are not installed"),
    (lambda root: (root / "binder/start").unlink(), "binder/start is not called"),
    (lambda root: (root / "binder/postBuild").unlink(), "binder/postBuild is not called"),
])
def test_a_spoiled_binder_folder_is_noticed(repository, spoil, problem):
    spoil(repository)
    assert problem in "; ".join(dockerfile_problems(dockerfile(repository)))


@pytest.mark.parametrize("file, old, new, problem", [
    ("binder/requirements.txt", "+cpu", "", "expected one version and its +cpu build"),
    ("binder/requirements.txt", "torch==2.13.0+cpu", "torch==2.12.0+cpu", "expected one version"),
    ("binder/requirements.txt", "--extra-index-url", "--index-url", "expected PyTorch's CPU index"),
    ("requirements.txt", "-e .", ".", "Expected package name"),
    ("requirements.txt", "jupyterlab==", "lab==", "own JupyterLab would stay"),
    ("requirements.txt", "numpy==", "numpy>=", "numpy is not pinned"),
])
def test_spoiled_requirements_are_noticed(repository, file, old, new, problem):
    text = (repository / file).read_text("utf-8")
    (repository / file).write_text(text.replace(old, new), "utf-8")
    try:
        problems = requirement_problems(repository)
    except ValueError as error:  # packaging's InvalidRequirement
        problems = [str(error)]
    assert problem in "; ".join(problems)


def test_start_hands_over(tmp_path):
    done = subprocess.run(["bash", ROOT / "binder" / "start", "sh", "-c", "echo $OMP_NUM_THREADS $0", "arg"],
                          capture_output=True, text=True)
    assert done.stdout == "1 arg\n"


def test_post_build_puts_the_settings_where_jupyterlab_looks(tmp_path):
    subprocess.run(["bash", ROOT / "binder" / "postBuild"], cwd=ROOT, check=True,
                   env=os.environ | {"NB_PYTHON_PREFIX": str(tmp_path)})
    settings = json.loads((tmp_path / "share/jupyter/lab/settings/overrides.json").read_text("utf-8"))
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    viewers = settings["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]
    assert viewers == {"python": "Jupytext Notebook"}
