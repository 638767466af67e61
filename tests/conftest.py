"""What holds for the whole suite."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was left out, and how to run it."""
    if "not browser" in str(config.getoption("-m")):
        terminalreporter.write_line(
            "browser and strace tests are other runs: `python -m pytest -m browser` (chromium), `-m strace` (strace)"
        )
