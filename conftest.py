"""What every test needs to know before it is collected."""

import pytest


def pytest_configure(config):
    """Point nbval at its sanitize file, whichever folder pytest is called from."""
    if not config.option.nbval_sanitize_with:
        config.option.nbval_sanitize_with = str(config.rootpath / "tests" / "notebooks" / "sanitize.cfg")


def pytest_runtest_setup(item):
    """Skip tests marked ``cuda`` where torch finds no CUDA device."""
    if item.get_closest_marker("cuda"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
