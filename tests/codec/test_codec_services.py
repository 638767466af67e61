# ruff: noqa: E501  (a table)
"""Clients, connections and the like are never stored, and shown without what they hold."""

from __future__ import annotations

import dataclasses
import functools
import logging
import sqlite3
from typing import Any

import httpx
import pytest
import requests

import resonate_nb.runtime  # noqa: F401  (it tells this room which values are services)
from resonate_nb.codec import decode, describe, encode, preview
from resonate_nb.errors import UnstorableError

KEY = "sk-neverwrittenanywhere"


def session() -> requests.Session:
    made = requests.Session()
    made.headers["Authorization"] = KEY
    return made


@dataclasses.dataclass
class Setup:
    client: object
    size: int = 3


@pytest.mark.parametrize(
    ("value", "path"),
    [
        pytest.param(session(), "", id="itself"),
        pytest.param({"a": [session()]}, "['a'][0]", id="in a dict"),
        pytest.param(Setup(session()), ".client", id="in a dataclass"),
    ],
)
def test_a_service_is_not_stored(value: object, path: str) -> None:
    with pytest.raises(UnstorableError) as caught:
        encode(value)
    assert path == caught.value.path
    assert "requests.sessions.Session" in str(caught.value)
    assert "made anew in each session" in str(caught.value)


def test_a_logger_is_stored_by_its_name() -> None:
    encoded = encode([logging.getLogger("a")])
    assert [logging.getLogger("a")] == decode(encoded.codec, encoded.data)


class Loud(httpx.Client):
    def __repr__(self) -> str:
        return KEY


SHOWN: dict[str, tuple[Any, str]] = {
    "itself": (httpx.Client(base_url=f"https://me:{KEY}@a.org"), "<httpx.Client (https://a.org)>"),
    "derived, with a text of its own": (Loud(), "<Loud, derived from httpx.Client>"),
    "in a list": ([session()], "[<requests.Session>]"),
    "in a dataclass": (Setup(session()), "Setup(client=<requests.Session>, size=3)"),
    "a method": (Loud().get, "<get of Loud, derived from httpx.Client>"),
    "a method in C": (sqlite3.connect(":memory:").execute, "<execute of sqlite3.Connection (in memory)>"),
    "a partial": (functools.partial(Setup, session(), size=1), "functools.partial(<class 'test_codec_services.Setup'>, <requests.Session>, size=1)"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_a_service_is_shown_by_what_counts_of_it(name: str) -> None:
    value, shown = SHOWN[name]
    assert shown == describe(value)
    assert (shown, None) == preview(value)
