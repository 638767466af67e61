"""The hosts of the sessions end with the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from trap_sessions import close_hosts


@pytest.fixture(scope="session", autouse=True)
def hosts_end() -> Iterator[None]:
    yield
    close_hosts()
