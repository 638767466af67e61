"""The schema number is looked at in each transaction, so an older package refuses also what was upgraded under it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from children import CLOCK, pending

from resonate_nb.codec import Signer, load_key
from resonate_nb.errors import SchemaError, StoreError
from resonate_nb.protocol import Inserted, State
from resonate_nb.store import Query, SqliteStore


def raise_schema(path: Path) -> None:
    """What a newer package does first of all."""
    connection = sqlite3.connect(path / "promises.db", isolation_level=None)
    connection.execute("UPDATE meta SET schema = schema + 1")
    connection.close()


def test_newer_schema_is_refused_at_opening(tmp_path: Path) -> None:
    """The error names the store and the ways out, and the store is as it was."""
    path = tmp_path / "store"
    SqliteStore.open(path, clock=CLOCK).close()
    raise_schema(path)
    for _ in range(2):
        with pytest.raises(SchemaError) as raised:
            SqliteStore.open(path, clock=CLOCK)
        assert str(path) in str(raised.value)
        assert "schema 3" in str(raised.value)
        assert "Upgrade" in str(raised.value)
        assert "RESONATE_NB_STORE" in str(raised.value)


def test_newer_schema_is_refused_at_each_use(tmp_path: Path) -> None:
    """Also when it rose while the store was open; nothing is written."""
    path = tmp_path / "store"
    store = SqliteStore.open(path, clock=CLOCK)
    with store.write() as transaction:
        transaction.apply([Inserted(pending("a"))])
    with store.read() as reader:
        assert reader.get("a") is not None
    raise_schema(path)
    for _ in range(2):
        with pytest.raises(SchemaError, match="Upgrade"), store.write() as transaction:
            transaction.apply([Inserted(pending("b"))])
        with pytest.raises(SchemaError, match="Upgrade"), store.read():
            pass
    store.close()
    connection = sqlite3.connect(path / "promises.db")
    assert [("a",)] == connection.execute("SELECT base FROM promises").fetchall()
    connection.close()


def test_database_of_something_else_is_refused(tmp_path: Path) -> None:
    """Its tables are not ours to add to."""
    path = tmp_path / "store"
    path.mkdir()
    connection = sqlite3.connect(path / "promises.db")
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="not a store of this package"):
        SqliteStore.open(path, clock=CLOCK)


def test_path_of_a_file_is_refused(tmp_path: Path) -> None:
    """A store is a directory."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="not a directory"):
        SqliteStore.open(tmp_path / "file", clock=CLOCK)


def test_store_of_the_first_schema_is_read_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row of a store that version 0.1.0 made says what it said, in the form of today."""
    path = tmp_path / "store"
    path.mkdir()
    connection = sqlite3.connect(path / "promises.db")
    connection.executescript((Path(__file__).parent / "golden" / "schema1.sql").read_text())
    connection.close()
    store = SqliteStore.open(path, clock=CLOCK)
    with store.read() as reader:
        found = {promise.id: promise for promise in reader.search(Query())}
        newest = reader.newest("clean")
    assert 6 == len(found)
    assert newest is not None
    assert "clean/daf79b129f7efe36@99cae4a9~2" == newest.id
    features = found["features/2026-11-24@2"]
    assert {"team": "growth"} == features.tags
    assert {"name", "code", "arguments"} == features.param.headers.keys()
    assert {"day": "'2026-11-24'", "region": "'no'"} == json.loads(features.param.data or b"")["shown"]
    assert {"code", "codec", "signature", "elapsed_us"} <= features.value.headers.keys()
    monkeypatch.setenv("RESONATE_NB_KEY", "golden")
    signer = Signer(load_key())
    for promise in found.values():
        if promise.value.data is not None and promise.state is State.RESOLVED:
            codec, signature = promise.value.headers["codec"], promise.value.headers["signature"]
            about = f"{promise.id}|{codec}"
            assert signer.verify(promise.value.data, signature, promise=about, version=promise.version)
    with store.write() as transaction:
        transaction.apply([Inserted(pending("a"))])
    assert [] == [problem for problem in store.check() if problem.kind != "missing_file"]
    store.close()
