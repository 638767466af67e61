"""What holds for the whole suite."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was left out, and how to run it."""
    if "not browser" in str(config.getoption("-m")):
        terminalreporter.write_line(
            "browser and strace tests are other runs: `python -m pytest -m browser` (chromium), `-m strace` (strace)"
        )
