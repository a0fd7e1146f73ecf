"""What every test needs to know before it is collected."""


def pytest_configure(config):
    """Point nbval at its sanitize file, whichever folder pytest is called from."""
    if not config.option.nbval_sanitize_with:
        config.option.nbval_sanitize_with = str(config.rootpath / "tests" / "notebooks" / "sanitize.cfg")
