"""Running lessons again: which of the twins is believed."""

import os

import pytest

from vqlab.classroom import refresh


def test_the_twin_wins_over_a_notebook_that_a_checkout_wrote_last(tmp_path, monkeypatch):
    lesson, twin = tmp_path / "00_apple.ipynb", tmp_path / "py" / "00_apple.py"
    twin.parent.mkdir()
    lesson.write_text("{}")
    twin.write_text("1 + 1")
    os.utime(twin, (1, 1))

    def synced(command, timeout):
        assert command[:2] == ["jupytext", "--sync"] and twin.stat().st_mtime >= lesson.stat().st_mtime
        raise RuntimeError("far enough")

    monkeypatch.setattr(refresh, "_run", synced)
    with pytest.raises(RuntimeError, match="far enough"):
        refresh.refresh(lesson, 60)
