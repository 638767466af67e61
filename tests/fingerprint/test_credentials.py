# ruff: noqa: E501  (tables of texts)
"""What is told of a configuration holds no credentials, and all else of it."""

from __future__ import annotations

import pytest

from resonate_nb.fingerprint import without_keys
from resonate_nb.fingerprint.services._credentials import is_credential, plain, without_credentials

TEXTS = {
    "https://api.openai.com/v1/": "https://api.openai.com/v1/",
    "https://u:pw@h:8080/v1?api_key=K&lang=en&X-Token=q": "https://h:8080/v1?lang=en",
    "https://h/x?sv=1&sig=SSS#a=b": "https://h/x?sv=1",
    "https://tok@github.com/a": "https://github.com/a",
    "postgresql+psycopg://me:p%40w@db:5432/x?sslmode=require&password=z": "postgresql+psycopg://db:5432/x?sslmode=require",
    "postgresql://me:p/w#1?x@db/x": "postgresql://db/x",
    "redis://:pw@h/2": "redis://h/2",
    "mongodb://u:p@h1:1,h2:2/db?authSource=admin&w=1": "mongodb://h1:1,h2:2/db?w=1",
    "http://[::1]:80/x": "http://[::1]:80/x",
    "host=a user=me password='p w' dbname=c": "host=a dbname=c",
    "Server=h;User Id=me;Password={a;b};Database=d": "Server=h;Database=d",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=AB==;EndpointSuffix=core": "DefaultEndpointsProtocol=https;AccountName=x;EndpointSuffix=core",
    "mssql+pyodbc:///?odbc_connect=SERVER%3Dh%3BUID%3Dme%3BPWD%3Ds": "mssql+pyodbc:///?odbc_connect=SERVER=h",
    "/data/run=3/a.db": "/data/run=3/a.db",
    "eu-west-1": "eu-west-1",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_told_without_credentials(text: str) -> None:
    assert TEXTS[text] == without_credentials(text)
    assert TEXTS[text] == without_credentials(TEXTS[text])


def test_what_is_too_long_is_no_setting() -> None:
    with pytest.raises(ValueError, match="too long"):
        without_credentials("a" * 20_000)
    with pytest.raises(ValueError, match="too large"):
        plain([[[[[1]]]]])


@pytest.mark.parametrize(
    "name", ["api_key", "Api-Key", "PASSWORD", "x-auth-token", "_token", "sig", "key", "User Id", "default_headers"]
)
def test_names_of_credentials(name: str) -> None:
    assert is_credential(name)


@pytest.mark.parametrize(
    "name", ["max_tokens", "tokenizer", "author", "region", "monkey", "keyspace", "model", "path", "primary"]
)
def test_names_of_other_settings(name: str) -> None:
    assert not is_credential(name)


def test_a_setting_is_plain_or_left_out() -> None:
    given = {"a": (1, 2.5, None), "key": "k", "b": {"token": "t", "c": {3, 1}}, "d": object(), "e": b"x", 4: True}
    assert {"a": [1, 2.5, None], "b": {"c": [1, 3]}, "d": None, "e": "x", "4": True} == plain(given)


WITHOUT = {
    "Setup(client=1, api_key='abc', n=2)": "Setup(client=1, api_key='…', n=2)",
    "{'token': 'x', 'max_tokens': '3'}": "{'token': '…', 'max_tokens': '3'}",
    'password = "abc"': "password = '…'",
    "'sk-abcdefghijklmnop'": "'…'",
    "https://me:pw@h/x": "https://…@h/x",
    "tokenizer='x', text='secret'": "tokenizer='x', text='secret'",
}


@pytest.mark.parametrize("text", WITHOUT)
def test_a_text_for_people_has_no_keys(text: str) -> None:
    assert WITHOUT[text] == without_keys(text)


def test_a_long_text_is_looked_through_once() -> None:
    """A picture in a cell, as digits: to look at all of it again from each of its letters would take minutes."""
    digits = "0123456789abcdef" * 10_000
    assert f"x = '{digits}'; api_key = '…'" == without_keys(f"x = '{digits}'; api_key = 'abc'")
    assert {"a"} == set(without_credentials(f"{'a' * 9_000} password=b"))
