"""The server runs the same commands as a person: workflows are valid and call .ci/run and .ci/gpu."""

import ast
import importlib.metadata
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def workflow(name):
    """A workflow's jobs and, in one text, all its commands."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text("utf-8"))["jobs"]
    return jobs, "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])


def test_cpu_workflow():
    jobs, commands = workflow("ci.yml")
    assert "bash .ci/run" in commands
    assert jobs["unit"]["strategy"]["matrix"]["python-version"] == ["3.11", "3.12", "3.13"]
    assert all(job["timeout-minutes"] <= 30 for job in jobs.values())


def test_gpu_workflow():
    jobs, commands = workflow("gpu.yml")
    assert "bash .ci/gpu" in commands
    assert "self-hosted" in jobs["gpu"]["runs-on"]


@pytest.mark.skipif(sys.platform == "win32", reason="bash scripts")
@pytest.mark.parametrize("script", ["run", "gpu"])
def test_scripts_are_valid_bash(script):
    done = subprocess.run(["bash", "-n", ROOT / ".ci" / script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="bash scripts")
def test_gpu_script_refuses_to_pass_without_a_gpu():
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "",
                                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", ROOT / ".ci" / "gpu"], env=environment, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode != 0
    assert "no CUDA device" in done.stderr


def pinned():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return {Requirement(line).name.lower() for line in lines if line and line[0] not in "#-"}


def test_requirements_pin_what_the_package_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = project["dependencies"] + project["optional-dependencies"]["classroom"]
    assert {Requirement(line).name for line in asked} - pinned() == set()


def test_requirements_pin_what_is_imported():
    """Every module that our files import comes from Python, from us, or from a pinned distribution.

    What only the benchmarks import may be an extra instead; they do without it where it is missing.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extra = {Requirement(line).name for line in project["optional-dependencies"]["bench"]}
    imported = {}
    for folder in ("vqlab", "tests", "notebooks/py"):
        for path in sorted((ROOT / folder).rglob("*.py"), key=lambda path: "bench" in path.parts):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = ([name.name for name in node.names] if isinstance(node, ast.Import) else
                         [node.module] if isinstance(node, ast.ImportFrom) and not node.level else [])
                for name in names:
                    imported.setdefault(name.partition(".")[0], path)  # benchmarks come last
    ours = {"vqlab"} | {path.stem for path in (ROOT / "tests").rglob("*.py")}
    others = {name: path for name, path in imported.items() if name not in sys.stdlib_module_names | ours}
    source = importlib.metadata.packages_distributions()
    wrong = {name: f"{path.relative_to(ROOT)} imports it from {source.get(name)}"
             for name, path in others.items()
             if not pinned() & {dist.lower() for dist in source.get(name, [])}
             and not ("bench" in path.parts and name.partition("_")[0] in {dist.partition("-")[0] for dist in extra})}
    assert wrong == {}
