"""Services of packages that are not installed here: small ones of the same names stand in for them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from resonate_nb.fingerprint import fingerprint, service_text

KEY = "sk-neverwrittenanywhere"

STAND_INS = {
    "anthropic._base_client": (
        "class BaseClient:\n    def __init__(self, url, key): self._base_url, self.api_key = url, key"
    ),
    "anthropic": "from anthropic._base_client import BaseClient\nclass Anthropic(BaseClient): pass",
    "botocore.client": (
        "class BaseClient:\n"
        "    def __init__(self, url, key):\n"
        "        self._endpoint = type('Endpoint', (), {})(); self._endpoint.host = url\n"
        "        self._client_config = type('Config', (), {})(); self._client_config.region_name = 'eu-west-1'\n"
        "        self._request_signer = key\n"
        "S3 = type('S3', (BaseClient,), {'__module__': 'botocore.client'})"
    ),
    "psycopg._connection_base": (
        "class BaseConnection:\n"
        "    def __init__(self, url, key):\n"
        "        self.pgconn = type('PGconn', (), {})(); self.row_factory = None\n"
        "        self.pgconn.host, self.pgconn.port, self.pgconn.db = url.encode(), b'5432', b'a'\n"
        "        self.pgconn.password = key"
    ),
    "pymongo.synchronous.mongo_client": (
        "class MongoClient:\n"
        "    def __init__(self, url, key):\n"
        "        self._topology_settings = type('Settings', (), {})()\n"
        "        self._topology_settings._seeds = {(url, 27017)}\n"
        "        self._default_database_name, self._options = 'a', {'password': key}"
    ),
    "redis.client": (
        "from redis.connection import ConnectionPool\n"
        "class Redis:\n    def __init__(self, url, key): self.connection_pool = ConnectionPool(url, key)"
    ),
    "redis.connection": (
        "class ConnectionPool:\n"
        "    def __init__(self, url, key):\n"
        "        self.connection_kwargs = {'host': url, 'port': 6379, 'db': 2, 'password': key, 'username': 'me'}"
    ),
}
MADE = {
    "anthropic.Anthropic": ("https://a.org", "anthropic.Anthropic (https://a.org)"),
    "botocore.client.S3": ("https://s3", "botocore.client.S3 (https://s3, region=eu-west-1)"),
    "psycopg._connection_base.BaseConnection": (
        "db",
        "psycopg._connection_base.BaseConnection (host=db, port=5432, database=a)",
    ),
    "pymongo.synchronous.mongo_client.MongoClient": (
        "db",
        "pymongo.synchronous.mongo_client.MongoClient (db:27017, database=a)",
    ),
    "redis.client.Redis": ("db", "redis.client.Redis (host=db, port=6379, db=2)"),
}


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small packages of the same names, where packages are installed."""
    roots = {name.partition(".")[0] for name in STAND_INS}
    for name in [name for name in sys.modules if name.partition(".")[0] in roots]:
        monkeypatch.delitem(sys.modules, name)
    for name, source in STAND_INS.items():
        path = tmp_path.joinpath("site-packages", *name.split("."))
        is_package = any(other.startswith(f"{name}.") for other in STAND_INS)
        file = path / "__init__.py" if is_package else path.with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
        for folder in file.relative_to(tmp_path / "site-packages").parents[:-1]:
            (tmp_path / "site-packages" / folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site-packages")


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("name", MADE)
def test_packages_that_are_not_here_are_known_by_name(name: str) -> None:
    url, says = MADE[name]
    module, _, kind = name.rpartition(".")
    make = getattr(importlib.import_module(module), kind)
    assert says == service_text(make(url, KEY))
    assert fingerprint(make(url, KEY)) == fingerprint(make(url, "another"))
    assert fingerprint(make(url, KEY)) != fingerprint(make("elsewhere", KEY))
