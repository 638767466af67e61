"""The services that everybody uses, by the name of a class and where each keeps its public configuration.

Nothing is imported for it, and nothing is asked that may block: settings are read where the package put them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import field
from types import FunctionType
from typing import Any

from ...records import dataclass
from .._kinds import names_of
from .._package import Origin, origin_of_function, origin_of_module
from ._credentials import is_credential

ABSENT = object()
"""Stands for an attribute that is not there."""


@dataclass(slots=True)
class Settings:
    """What was read of one service."""

    values: dict[str, object] = field(default_factory=dict)
    """Settings by name; `url`, `path` and `name` are shown without their name."""
    code: list[tuple[str, object]] = field(default_factory=list)
    """What the user may have plugged in, and where: it counts by its code, where it is the user's."""
    data: list[tuple[str, object]] = field(default_factory=list)
    """What is no state of the service but data that it carries for the user."""


Reader = Callable[[Any, Settings], None]


def see(value: object, path: str) -> Any:
    """What stands at a path of attributes and keys, past all code of the user's; `ABSENT` where nothing does.

    ``a.b|c`` is ``c`` where there is no ``a.b``. A property of a package is asked.
    """
    found: Any = ABSENT
    for way in path.split("|"):
        found = value
        for name in way.split("."):
            found = dict.get(found, name, ABSENT) if issubclass(type(found), dict) else _attribute(found, name)
            if found is ABSENT or found is None:
                break
        else:
            return found
    return found


def _attribute(value: object, name: str) -> object:
    names = names_of(value)
    if name in names:
        return names[name]
    for owner in type(value).__mro__:
        found = vars(owner).get(name, ABSENT)
        if found is ABSENT:
            continue
        if not hasattr(type(found), "__get__"):
            return found
        if origin_of_module(owner.__module__) is not Origin.USER:
            return found.__get__(value, type(value))
    return ABSENT


def _reads(**paths: str) -> Reader:
    """Reads settings from paths, and what is plugged in from those whose name is `code`, apart by spaces."""
    code = paths.pop("code", "").split()

    def read(value: Any, settings: Settings) -> None:
        for name, path in paths.items():
            settings.values[name] = see(value, path)
        settings.code += ((path, see(value, path)) for path in code)

    return read


def _of(path: str, **more: str) -> Reader:
    """Reads the settings of the service that stands at a path, and more from beside it."""
    beside = _reads(**more)

    def read(value: Any, settings: Settings) -> None:
        inner = see(value, path)
        reader = reader_of(type(inner))
        if reader is not None:
            reader(inner, settings)
        beside(value, settings)

    return read


def _by_type(value: Any, settings: Settings) -> None:
    """It is what its type says."""


_http = _reads(url="_base_url", params="_params", code="_transport _mounts _event_hooks")


def _sdk(value: Any, settings: Settings) -> None:
    """OpenAI, Anthropic and others whose libraries were written by the same machine."""
    _http(see(value, "_client"), settings)
    _stainless(value, settings)


_stainless = _reads(url="_base_url", api_version="_api_version", deployment="_azure_deployment", query="_custom_query")


def _engine(value: Any, settings: Settings) -> None:
    url, creator = see(value, "url"), see(value, "pool._creator")
    if isinstance(creator, FunctionType) and origin_of_function(creator) is Origin.USER:
        settings.code.append(("creator", creator))
    settings.values["url"] = url
    settings.values["schemas"] = see(value, "_execution_options.schema_translate_map")
    if str(url).startswith("sqlite"):
        file = see(url, "database")
        is_in_memory = file in (ABSENT, None, "", ":memory:")
        settings.values["url"] = None
        settings.values["path"] = "in memory" if is_in_memory else _path_of_sqlite(creator) or os.path.abspath(file)


def _path_of_sqlite(creator: Any) -> str | None:
    """Where an engine of SQLAlchemy opens its file, which it found out when it was made."""
    code = getattr(creator, "__code__", None)
    for name, cell in zip(code.co_freevars if code else (), getattr(creator, "__closure__", None) or (), strict=False):
        if name == "cargs_tup" and cell.cell_contents and isinstance(cell.cell_contents[0], str):
            found: str = cell.cell_contents[0]
            return found
    return None


def _session(value: Any, settings: Settings) -> None:
    bound = [see(value, "bind")]
    binds = see(value, "binds|_Session__binds")
    bound += [bind for _, bind in sorted(binds.items(), key=lambda pair: str(pair[0]))] if type(binds) is dict else ()
    _several(bound, settings)


def _several(services: list[Any], settings: Settings) -> None:
    """The settings of the first, and below other names those of the others."""
    for number, service in enumerate(services, 1):
        reader = reader_of(type(service))
        if reader is not None:
            inner = Settings()
            reader(service, inner)
            mark = "" if number == 1 else f" {number}"
            settings.values.update({f"{name}{mark}": found for name, found in inner.values.items()})
            settings.code += inner.code


def _sqlite(value: Any, settings: Settings) -> None:
    rows, text = see(value, "row_factory"), see(value, "text_factory")
    settings.code += (("row_factory", rows), ("text_factory", None if text is str else text))
    # A cursor of our own, past what the user has plugged in; the list of databases is read from memory.
    cursor = sys.modules["sqlite3"].Cursor(value)
    cursor.row_factory = None
    if text in (str, bytes, bytearray):
        file = next(row[2] for row in cursor.execute("PRAGMA database_list") if _text(row[1]) == "main")
    else:
        (file,) = cursor.execute("SELECT CAST(file AS BLOB) FROM pragma_database_list WHERE name = 'main'").fetchone()
    settings.values["path"] = _text(file) or "in memory"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value or b"").decode("utf-8", "surrogateescape")


def _duckdb(value: Any, settings: Settings) -> None:
    # Another cursor: a result that the user has not fetched yet stays.
    for _, name, path in value.cursor().execute("PRAGMA database_list").fetchall():
        if name not in ("system", "temp"):
            settings.values["path"] = path or "in memory"
            return


def _psycopg(value: Any, settings: Settings) -> None:
    settings.code.append(("row_factory", see(value, "row_factory")))
    for name, path in (("host", "pgconn.host"), ("port", "pgconn.port"), ("database", "pgconn.db")):
        settings.values[name] = see(value, path)


def _psycopg2(value: Any, settings: Settings) -> None:
    settings.code.append(("cursor_factory", see(value, "cursor_factory")))
    for name, path in (("host", "info.host"), ("port", "info.port"), ("database", "info.dbname")):
        settings.values[name] = see(value, path)


def _asyncpg_pool(value: Any, settings: Settings) -> None:
    given = see(value, "_connect_args")
    settings.values["url"] = given[0] if type(given) in (tuple, list) and given else see(value, "_connect_kwargs.dsn")
    _reads(host="_connect_kwargs.host", port="_connect_kwargs.port", database="_connect_kwargs.database")(
        value, settings
    )


def _mongo(value: Any, settings: Settings) -> None:
    seeds = see(value, "_topology_settings._seeds")
    if type(seeds) in (set, frozenset):
        settings.values["url"] = ",".join(sorted(f"{host}:{port}" for host, port in seeds))
    settings.values["database"] = see(value, "_default_database_name|_MongoClient__default_database_name")


def _elastic(value: Any, settings: Settings) -> None:
    nodes = see(value, "_transport._node_pool|_transport.node_pool").all()
    settings.values["url"] = ",".join(sorted(str(see(node, "base_url")) for node in nodes))


def _opensearch(value: Any, settings: Settings) -> None:
    hosts = see(value, "transport.hosts")
    settings.values["url"] = ",".join(sorted(f"{host.get('host')}:{host.get('port', 9200)}" for host in hosts))


def _resource(value: Any, settings: Settings) -> None:
    """A bucket, a table, a queue of boto3: its client, and what it is called."""
    _aws(see(value, "meta.client"), settings)
    for name in see(value, "meta.identifiers") or ():
        settings.values[name] = see(value, f"_{name}")


_aws = _reads(url="_endpoint.host", region="_client_config.region_name")


def _language_model(value: Any, settings: Settings) -> None:
    """A model of LangChain: its plain fields, `temperature` as well as the base URL, but not what only tells of it."""
    fields = names_of(value)
    first = ("model_name", "model", "openai_api_base", "base_url", "temperature")
    for name in sorted(fields, key=lambda name: (first.index(name) if name in first else len(first), name)):
        if type(fields[name]) in (str, int, float, bool, list, tuple, dict) and name not in _ONLY_TOLD:
            settings.values[name] = fields[name]


_ONLY_TOLD = frozenset(("cache", "metadata", "name", "profile", "tags", "verbose"))


def _filesystem(value: Any, settings: Settings) -> None:
    settings.values["name"] = see(value, "protocol")
    for name, found in sorted((see(value, "storage_options") or {}).items()):
        settings.values[name] = found


def _process(value: Any, settings: Settings) -> None:
    command = see(value, "args")
    parts = [command] if isinstance(command, str | bytes | os.PathLike) else list(command)
    words = [os.fsdecode(part) for part in parts]
    # The word behind `--token` is one; `--token=x` is seen as a setting.
    settings.values["name"] = os.path.basename(words[0]) if len(words) > 1 else None
    settings.values["command"] = [
        word for before, word in zip(["", *words], words, strict=False) if not _asks_for_secret(before)
    ]


def _asks_for_secret(word: str) -> bool:
    return word.startswith("-") and "=" not in word and is_credential(word.lstrip("-"))


def _socket(value: Any, settings: Settings) -> None:
    settings.values["family"] = see(see(value, "family"), "name")
    with suppress(OSError):  # it is not connected
        settings.values["peer"] = list(sys.modules["_socket"].socket.getpeername(value))


def _threads_data(value: Any, settings: Settings) -> None:
    """What this thread has put into a `threading.local`."""
    # Not by `object.__getattribute__`: only its own finds what belongs to this thread.
    settings.data += sorted(sys.modules["_thread"]._local.__getattribute__(value, "__dict__").items())


def _logger(value: Any, settings: Settings) -> None:
    settings.values["name"] = see(value, "name|logger.name")


def _names() -> Iterator[tuple[str, Reader]]:
    for package in ("openai", "anthropic", "groq", "together"):
        yield f"{package}._base_client.BaseClient", _sdk
        yield from ((f"{package}._resource.{side}APIResource", _of("_client")) for side in ("Sync", "Async"))
    for package in ("httpx", "httpx2"):
        yield f"{package}._client.BaseClient", _http
        yield from ((f"{package}._transports.base.{side}BaseTransport", _by_type) for side in ("", "Async"))
    for kind in ("sessionmaker", "scoped_session", "async_sessionmaker", "async_scoped_session"):
        home = "ext.asyncio" if kind.startswith("async") else "orm"
        module = "scoping" if "scoped" in kind else "session"
        bind = "session_factory.kw.bind" if "scoped" in kind else "kw.bind"
        yield f"sqlalchemy.{home}.{module}.{kind}", _of(bind)
    for side in ("", "asyncio."):
        yield f"redis.{side}client.Redis", _of("connection_pool")
        yield f"redis.{side}client.PubSub", _of("connection_pool")
        yield f"redis.{side}connection.ConnectionPool", _redis
        yield f"redis.{side}cluster.RedisCluster", _by_type
    for home in ("synchronous.", "asynchronous.", ""):
        side = "Async" if home.startswith("a") else ""
        yield f"pymongo.{home}mongo_client.{side}MongoClient", _mongo
        database = "_client|_Database__client"
        yield f"pymongo.{home}database.{side}Database", _of(database, database="_name|_Database__name")
        collection = "_database|_Collection__database"
        yield f"pymongo.{home}collection.{side}Collection", _of(collection, collection="_name|_Collection__name")
    for side in ("_sync", "_async"):
        yield f"elasticsearch.{side}.client._base.BaseClient", _elastic
    for kind in ("OpenSearch", "AsyncOpenSearch"):
        yield f"opensearchpy.{'_async.' if kind.startswith('A') else ''}client.{kind}", _opensearch
    for kind in ("Lock", "Event", "Condition", "Semaphore", "Barrier"):
        yield f"asyncio.locks.{kind}", _by_type
    for kind in ("Condition", "Semaphore", "Event", "Barrier", "Thread", "_RLock"):
        yield f"threading.{kind}", _by_type
    for kind in ("SemLock", "Condition", "Event", "Barrier"):
        yield f"multiprocessing.synchronize.{kind}", _by_type


_redis = _reads(
    host="connection_kwargs.host",
    port="connection_kwargs.port",
    path="connection_kwargs.path",
    db="connection_kwargs.db",
    decode_responses="connection_kwargs.decode_responses",
    encoding="connection_kwargs.encoding",
)

_AZURE = "url|_endpoint|endpoint|_vault_url|fully_qualified_namespace|client_connection.url_connection"
_mistral = _reads(url="sdk_configuration.server_url", server="sdk_configuration.server")
_azure = _reads(url=_AZURE)
_google = _reads(project="project", location="_location", url="_connection.API_BASE_URL|_client_options.api_endpoint")
_sql = _reads(host="host|_host", port="port|_port", database="db|_database")
_genai = _reads(
    url="_api_client._http_options.base_url",
    vertexai="_api_client.vertexai",
    project="_api_client.project",
    location="_api_client.location",
)

KNOWN: dict[str, Reader] = {
    **dict(_names()),
    "_duckdb.DuckDBPyConnection": _duckdb,
    "_socket.socket": _socket,
    "_ssl._SSLContext": _by_type,
    "_thread.RLock": _by_type,
    "_thread._local": _threads_data,
    "_thread.lock": _by_type,
    "aiohttp.client.ClientSession": _reads(url="_base_url"),
    "aiohttp.connector.BaseConnector": _by_type,
    "asyncio.events.AbstractEventLoop": _by_type,
    "asyncio.runners.Runner": _by_type,
    "asyncpg.connection.Connection": _reads(host="_addr", database="_params.database"),
    "asyncpg.pool.Pool": _asyncpg_pool,
    "boto3.resources.base.ServiceResource": _resource,
    "boto3.session.Session": _reads(region="_session._session_instance_vars.region"),
    "botocore.client.BaseClient": _aws,
    "botocore.credentials.Credentials": _by_type,
    "botocore.session.Session": _reads(region="_session_instance_vars.region"),
    "cohere.base_client.AsyncBaseCohere": _reads(url="_client_wrapper._base_url"),
    "cohere.base_client.BaseCohere": _reads(url="_client_wrapper._base_url"),
    "concurrent.futures._base.Executor": _reads(code="_initializer"),
    "distributed.client.Client": _reads(url="_start_arg"),
    "duckdb.duckdb.DuckDBPyConnection": _duckdb,
    "fsspec.spec.AbstractFileSystem": _filesystem,
    "ftplib.FTP": _reads(host="host"),
    "google.auth.credentials.Credentials": _by_type,
    "google.cloud.storage.bucket.Bucket": _of("_client", name="name"),
    "google.genai.client.AsyncClient": _genai,
    "google.genai.client.Client": _genai,
    "google.genai.models.AsyncModels": _genai,
    "google.genai.models.Models": _genai,
    "http.client.HTTPConnection": _reads(host="host", port="port"),
    "huggingface_hub.hf_api.HfApi": _reads(url="endpoint"),
    "huggingface_hub.inference._client.InferenceClient": _reads(url="base_url", model="model", provider="provider"),
    "huggingface_hub.inference._generated._async_client.AsyncInferenceClient": _reads(
        url="base_url", model="model", provider="provider"
    ),
    "imaplib.IMAP4": _reads(host="host"),
    "joblib.memory.Memory": _by_type,
    "joblib.parallel.Parallel": _by_type,
    "langchain_core.embeddings.embeddings.Embeddings": _language_model,
    "langchain_core.language_models.base.BaseLanguageModel": _language_model,
    "logging.Handler": _by_type,
    "logging.Logger": _logger,
    "logging.LoggerAdapter": _logger,
    "loguru._logger.Logger": _by_type,
    "mistralai.basesdk.BaseSDK": _mistral,
    "mistralai.client.basesdk.BaseSDK": _mistral,
    "motor.core.AgnosticBaseProperties": _of("delegate"),
    "multiprocessing.context.BaseContext": _by_type,
    "multiprocessing.pool.Pool": _reads(code="_initializer"),
    "mysql.connector.abstracts.MySQLConnectionAbstract": _sql,
    "ollama._client.BaseClient": _of("_client"),
    "paramiko.client.SSHClient": _by_type,
    "psycopg._connection_base.BaseConnection": _psycopg,
    "psycopg.connection.BaseConnection": _psycopg,
    "psycopg2.extensions.connection": _psycopg2,
    "psycopg_pool.base.BasePool": _reads(url="conninfo", code="conninfo"),
    "pymysql.connections.Connection": _sql,
    "requests.adapters.BaseAdapter": _by_type,
    "requests.sessions.Session": _reads(url="base_url", params="params", code="adapters hooks"),
    "smtplib.SMTP": _reads(host="_host"),
    "socket.socket": _socket,
    "sqlalchemy.engine.base.Connection": _of("engine"),
    "sqlalchemy.engine.base.Engine": _engine,
    "sqlalchemy.ext.asyncio.engine.AsyncConnection": _of("sync_engine|engine"),
    "sqlalchemy.ext.asyncio.engine.AsyncEngine": _of("sync_engine"),
    "sqlalchemy.ext.asyncio.session.AsyncSession": _of("sync_session"),
    "sqlalchemy.orm.session.Session": _session,
    "sqlite3.Connection": _sqlite,
    "ssl.SSLContext": _by_type,
    "structlog._base.BoundLoggerBase": _by_type,
    "structlog._config.BoundLoggerLazyProxy": _by_type,
    "subprocess.Popen": _process,
    "urllib.request.OpenerDirector": _by_type,
    "urllib3.connectionpool.ConnectionPool": _reads(host="host", port="port"),
    "urllib3.poolmanager.PoolManager": _by_type,
}

_FAMILIES: dict[str, Reader] = {"azure.": _azure, "google.cloud.": _google}
"""Packages whose classes have no base in common, but names that end alike."""


def known_as(cls: type) -> Reader | None:
    """How a class's settings are read, where it is itself a known one."""
    module, name = str(cls.__module__), cls.__qualname__
    reader = KNOWN.get(f"{module}.{name}")
    if reader is None and module.startswith(tuple(_FAMILIES)):
        if name.endswith("Client"):
            return next(found for start, found in _FAMILIES.items() if module.startswith(start))
        return _by_type if name.endswith("Credential") else None
    return reader


def reader_of(cls: type) -> Reader | None:
    """How the settings of a service of this type are read; None if it is no known one."""
    return next((reader for owner in cls.__mro__ if (reader := known_as(owner)) is not None), None)
