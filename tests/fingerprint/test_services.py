"""Clients, connections and the like count by type and public configuration, wherever they stand."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import functools
import logging
import multiprocessing
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import types
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import requests
import sqlalchemy
import urllib3
from sessions import Session, key_of
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import scoped_session, sessionmaker

from resonate_nb.errors import InvalidOptionError, UnfingerprintableError
from resonate_nb.fingerprint import (
    Digests,
    fingerprint,
    fingerprint_named,
    is_service,
    register_service,
    service_text,
)
from resonate_nb.fingerprint.services import _services

KEY = "sk-neverwrittenanywhere"
DRIVER = types.SimpleNamespace(paramstyle="pyformat", Error=Exception)
API = "https://api.openai.com/v1"


def told(value: object) -> str:
    """What is said of a value that is a service, or holds one."""
    (line,) = fingerprint_named({"it": value}).services
    return line


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(_services.registered)
    yield
    _services.registered.clear()
    _services.registered.update(before)
    _services._looked_up = {}


SERVICES: dict[str, tuple[Callable[[], Any], str]] = {
    "openai": (lambda: openai.OpenAI(api_key=KEY), f"openai.OpenAI ({API})"),
    "openai async": (lambda: openai.AsyncOpenAI(api_key=KEY), f"openai.AsyncOpenAI ({API})"),
    "openai, another server": (
        lambda: openai.OpenAI(api_key=KEY, base_url=f"http://me:{KEY}@localhost:1/v1?api_key={KEY}&a=b"),
        "openai.OpenAI (http://localhost:1/v1/?a=b)",
    ),
    "azure": (
        lambda: openai.AzureOpenAI(api_key=KEY, azure_endpoint="https://a.azure.com", api_version="2024-06"),
        "openai.AzureOpenAI (https://a.azure.com/openai, api_version=2024-06, query={'api-version': '2024-06'})",
    ),
    "httpx": (lambda: httpx.Client(headers={"X-Key": KEY}), "httpx.Client"),
    "httpx, a server": (
        lambda: httpx.Client(base_url="https://a.org/v1", params={"lang": "en", "api_key": KEY}, auth=("me", KEY)),
        "httpx.Client (https://a.org/v1, params=lang=en)",
    ),
    "httpx async": (lambda: httpx.AsyncClient(), "httpx.AsyncClient"),
    "requests": (requests.Session, "requests.Session"),
    "urllib3": (lambda: urllib3.PoolManager(headers={"X-Key": KEY}), "urllib3.PoolManager"),
    "sqlalchemy": (
        lambda: sqlalchemy.create_engine("sqlite:////data/a.db"),
        "sqlalchemy.Engine (/data/a.db)",
    ),
    "sqlalchemy, a server": (
        lambda: sqlalchemy.create_engine(f"mysql+pymysql://me:{KEY}@db:3306/a?password={KEY}", module=DRIVER),
        "sqlalchemy.Engine (mysql+pymysql://db:3306/a)",
    ),
    "sqlalchemy in memory": (lambda: sqlalchemy.create_engine("sqlite://"), "sqlalchemy.Engine (in memory)"),
    "session": (
        lambda: OrmSession(sqlalchemy.create_engine("sqlite:////data/a.db")),
        "sqlalchemy.orm.Session (/data/a.db)",
    ),
    "sessionmaker": (
        lambda: sessionmaker(sqlalchemy.create_engine("sqlite:////data/a.db")),
        "sqlalchemy.orm.sessionmaker (/data/a.db)",
    ),
    "scoped session": (
        lambda: scoped_session(sessionmaker(sqlalchemy.create_engine("sqlite:////data/a.db"))),
        "sqlalchemy.orm.scoped_session (/data/a.db)",
    ),
    "sqlite in memory": (lambda: sqlite3.connect(":memory:"), "sqlite3.Connection (in memory)"),
    "logger": (lambda: logging.getLogger("a.b"), "logging.Logger (a.b)"),
    "logger adapter": (lambda: logging.LoggerAdapter(logging.getLogger("a"), {}), "logging.LoggerAdapter (a)"),
    "log handler": (logging.NullHandler, "logging.NullHandler"),
    "lock": (threading.Lock, "threading.Lock"),
    "reentrant lock": (threading.RLock, "threading.RLock"),
    "event": (threading.Event, "threading.Event"),
    "condition": (threading.Condition, "threading.Condition"),
    "semaphore": (threading.BoundedSemaphore, "threading.BoundedSemaphore"),
    "thread": (threading.Thread, "threading.Thread"),
    "thread local": (threading.local, "threading.local"),
    "thread pool": (concurrent.futures.ThreadPoolExecutor, "concurrent.futures.ThreadPoolExecutor"),
    "process lock": (multiprocessing.Lock, "multiprocessing.synchronize.Lock"),
    "event loop": (asyncio.new_event_loop, "asyncio.AbstractEventLoop"),
    "async lock": (asyncio.Lock, "asyncio.Lock"),
    "async semaphore": (lambda: asyncio.Semaphore(2), "asyncio.Semaphore"),
    "socket": (socket.socket, "socket.socket (family=AF_INET)"),
    "ssl": (ssl.create_default_context, "ssl.SSLContext"),
    "process": (
        lambda: subprocess.Popen([sys.executable, "-c", "", "--token", KEY, f"--password={KEY}"]),
        f"subprocess.Popen ({Path(sys.executable).name}, command={[sys.executable, '-c', '', '--token', '--']})",
    ),
    "resource of a client": (
        lambda: openai.OpenAI(api_key=KEY).chat,
        f"openai.resources.chat.Chat ({API})",
    ),
}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Iterator[tuple[Callable[[], Any], str]]:
    made: list[Any] = []
    make, says = SERVICES[request.param]

    def remembered() -> Any:
        made.append(make())
        return made[-1]

    yield remembered, says
    for each in made:
        if isinstance(each, subprocess.Popen):
            each.wait()
        elif isinstance(each, socket.socket | asyncio.AbstractEventLoop | sqlite3.Connection):
            each.close()


def test_a_service_counts_by_type_and_configuration(service: tuple[Callable[[], Any], str]) -> None:
    make, says = service
    first, second = make(), make()
    digests = fingerprint_named({"it": first})
    assert (f"`it`: {says}",) == digests.services
    assert digests.joint == fingerprint_named({"it": second}).joint
    assert says == service_text(first)
    assert is_service(type(first))


@pytest.mark.slow
def test_all_services_are_told_apart() -> None:
    found: dict[str, str] = {}
    for name, (make, _) in SERVICES.items():
        made = make()
        digest = fingerprint(made)
        assert digest not in found, f"{name} and {found[digest]} are one"
        found[digest] = name
        if isinstance(made, subprocess.Popen):
            made.wait()
        elif isinstance(made, socket.socket | asyncio.AbstractEventLoop | sqlite3.Connection):
            made.close()


def test_credentials_and_state_do_not_count() -> None:
    one = openai.OpenAI(api_key="sk-1", organization="a", default_headers={"a": "b"}, timeout=3)
    other = openai.OpenAI(api_key="sk-2", max_retries=9)
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(openai.OpenAI(api_key="sk-1", base_url="http://localhost:1"))
    session = requests.Session()
    before = fingerprint(session)
    session.headers["Authorization"] = KEY
    session.cookies.set("a", "b")
    session.auth = ("me", KEY)
    assert before == fingerprint(session)


@dataclasses.dataclass
class Setup:
    client: object
    size: int = 3


class Holder:
    client = openai.OpenAI(api_key=KEY)


ANYWHERE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "itself": (lambda client: client, "it"),
    "in a dict": (lambda client: {"a": [1, client]}, "it['a'][1]"),
    "in a dataclass": (lambda client: Setup(client), "it.client"),
    "a bound method": (lambda client: client.chat.completions.create, "it.__self__"),
    "a partial": (lambda client: functools.partial(client.post, "/x"), "it.func.__self__"),
    "in a tuple in a set": (lambda client: {(client, 1)}, "it<member>[0]"),
}


@pytest.mark.parametrize("name", ANYWHERE)
def test_a_service_may_stand_anywhere(name: str) -> None:
    put, path = ANYWHERE[name]
    value = put(openai.OpenAI(api_key="sk-1"))
    assert told(value).startswith(f"`{path}`: openai.")
    assert fingerprint(value) == fingerprint(put(openai.OpenAI(api_key="sk-2")))
    assert fingerprint(value) != fingerprint(put(openai.OpenAI(api_key="sk-2", base_url="http://localhost:1")))


CLIENT = "import openai\nclient = openai.OpenAI(api_key='sk-§')"
IN_CODE: dict[str, tuple[str, str]] = {
    "global": (CLIENT + "\ndef f(): return client.models.list()", "client"),
    "through a helper": (CLIENT + "\ndef g(): return client\ndef f(): return g()", "client"),
    "bound method": (CLIENT + "\nask = client.chat.completions.create\ndef f(): return ask()", "ask.__self__"),
    "partial": (
        CLIENT + "\nimport functools\nask = functools.partial(client.post, 'x')\ndef f(): return ask()",
        "ask.__self__",
    ),
    "closure": (CLIENT + "\ndef make(client):\n    def f(): return client\n    return f\nf = make(client)", "client"),
    "default of a helper": (CLIENT + "\ndef g(c=client): return c\ndef f(): return g()", "g(c)"),
    "attribute of a class": (CLIENT + "\nclass A:\n    c = client\ndef f(): return A.c", "A.c"),
    "attribute of an instance": (
        CLIENT + "\nclass A:\n    def __init__(self): self.c = client\na = A()\ndef f(): return a.c",
        "a.c",
    ),
    "dict": (CLIENT + "\ntools = {'llm': client}\ndef f(): return tools['llm']", "tools['llm']"),
}


@pytest.mark.parametrize("name", IN_CODE)
def test_code_may_use_a_service_from_anywhere(name: str) -> None:
    cell, path = IN_CODE[name]
    key = key_of(cell)
    assert () == key.undurable
    assert any(line.startswith(f"`{path}`: openai.") for line in key.services), key.services
    assert all(KEY not in line for line in key.services)
    other = key_of(cell.replace("§", "another"))
    assert (key.code, key.content) == (other.code, other.content)
    elsewhere = key_of(cell.replace("sk-§'", "sk', base_url='http://localhost:1'"))
    assert (key.code, key.content) != (elsewhere.code, elsewhere.content)


def test_a_service_is_no_data_that_may_change_in_place() -> None:
    key = key_of(CLIENT + "\nrows = []\ndef f(): return client, rows")
    assert ["rows"] == list(key.values)


def test_an_ignored_service_is_not_listed() -> None:
    key = key_of(CLIENT + "\ndef f(): return client", ignore=("client",))
    assert () == key.services
    assert {} == dict(key.content_parts)


def test_modules_and_classes_are_no_services() -> None:
    key = key_of("import openai, logging\ndef f(): return openai.OpenAI, logging.getLogger('a')")
    assert ((), ()) == (key.undurable, key.services)
    assert not is_service(type(openai))


def test_a_swapped_server_is_noticed_in_place() -> None:
    session = Session().cell(CLIENT + "\ndef f(): return client")
    subject = session.subject()
    before = subject.key()
    assert subject.key() is before
    session.names["client"].base_url = "http://localhost:1"
    after = subject.key()
    assert before.content != after.content
    assert ("`client`: openai.OpenAI (http://localhost:1)",) == after.services


def test_a_logger_counts_by_name_whatever_its_level() -> None:
    cell = "import logging\nlog = logging.getLogger('§')\nlog.setLevel(logging.DEBUG)\ndef f(): return log"
    plain = key_of("import logging\nlog = logging.getLogger('§')\ndef f(): return log")
    assert plain.content == key_of(cell).content
    assert plain.content != key_of(cell.replace("§", "b")).content


# sqlite3 --------------------------------------------------------------------------------------------------------


def test_a_connection_counts_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    one, other = sqlite3.connect("a.db"), sqlite3.connect("b.db")
    engine = sqlalchemy.create_engine("sqlite:///a.db")
    digests = fingerprint(one), fingerprint(engine)
    assert f"sqlite3.Connection ({tmp_path}/a.db)" == service_text(one)
    assert digests[0] != fingerprint(other)
    monkeypatch.chdir(tmp_path / "sub")
    again = sqlite3.connect("../a.db")
    assert digests == (fingerprint(one), fingerprint(engine))
    assert digests == (fingerprint(again), fingerprint(sqlalchemy.create_engine("sqlite:///../a.db")))
    for each in (one, other, again):
        each.close()


def test_what_makes_the_rows_counts() -> None:
    text = "import sqlite3\nconn = sqlite3.connect(':memory:')\n"
    plain = key_of(text + "def f(): return conn").content
    rows = key_of(text + "conn.row_factory = sqlite3.Row\ndef f(): return conn").content
    own = text + "def as_dict(cursor, row): return {'a': §}\nconn.row_factory = as_dict\ndef f(): return conn"
    keys = [plain, rows, key_of(own.replace("§", "1")).content, key_of(own.replace("§", "2")).content]
    assert len(keys) == len(set(keys))
    assert keys[2] == key_of(own.replace("§", "( 1 )")).content


def test_no_code_of_the_user_runs_to_read_a_connection() -> None:
    class Loud(sqlite3.Connection):
        def execute(self, *args: Any) -> Any:
            raise AssertionError

        def cursor(self, *args: Any) -> Any:
            raise AssertionError

    def loud(*_: object) -> Any:
        raise AssertionError

    connection = sqlite3.connect(":memory:", factory=Loud)
    connection.row_factory = connection.text_factory = loud
    assert "derived from sqlite3.Connection (in memory, row_factory=" in (service_text(connection) or "")
    connection.close()


def test_what_cannot_be_read_is_absent_and_said() -> None:
    connection = sqlite3.connect(":memory:")
    connection.close()
    says = "sqlite3.Connection (its configuration cannot be read: ProgrammingError)"
    assert says == service_text(connection)
    assert f"`it`: {says}" == told(connection)
    way_out = "say what counts of it with rnb.register_service"
    assert (f"cannot read how `it[0]` is configured; {way_out}",) == fingerprint_named({"it": [connection]}).unsure
    key = key_of("import sqlite3\nconn = sqlite3.connect(':memory:'); conn.close()\ndef f(): return conn")
    assert (f"cannot read how `conn` is configured; {way_out}",) == key.unsure


# Derived from services, and plugged into them -----------------------------------------------------------------------

DERIVED = """
import httpx
class Api(httpx.Client):
    def __init__(self, model, api_key, calls=0):
        super().__init__(base_url='https://a.org')
        self.model, self.api_key = model, api_key
        self.headers = {'Authorization': api_key}
    def ask(self):
        return §
api = Api('m', 'sk-1')
def f(): return api.ask()
"""


def test_a_class_of_the_users_own_counts_by_its_code_and_what_that_sets() -> None:
    key = key_of(DERIVED.replace("§", "1"))
    assert ("`api`: Api, derived from httpx.Client (https://a.org)",) == key.services
    assert "Api" in key.code_parts
    again = key_of(DERIVED.replace("§", "1").replace("sk-1", "sk-2"))
    assert (key.code, key.content) == (again.code, again.content)
    assert key.code != key_of(DERIVED.replace("§", "2")).code
    assert key.content != key_of(DERIVED.replace("§", "1").replace("'m'", "'n'")).content


PLUGGED = {
    "a transport for tests": "client = httpx.Client(transport=httpx.MockTransport(handle))",
    "a transport of one's own": (
        "class Own(httpx.BaseTransport):\n    def handle_request(self, request): return handle(request)\n"
        "client = httpx.Client(transport=Own())"
    ),
    "a hook": "client = httpx.Client(event_hooks={'response': [handle]})",
    "an adapter": (
        "class Own(requests.adapters.HTTPAdapter):\n    def send(self, *a, **k): return handle(a)\n"
        "client = requests.Session(); client.mount('https://a', Own())"
    ),
    "a method replaced": "client = httpx.Client(); client.get = handle",
    "a method replaced far inside": (
        "import openai\nclient = openai.OpenAI(api_key='sk-1'); client.chat.completions.create = handle"
    ),
    "a method replaced in its class": (
        "class Own(httpx.Client): pass\nOwn.__module__ = 'httpx'; Own.get = handle\nclient = Own()"
    ),
    "a connection made by oneself": (
        "import sqlalchemy\nclient = sqlalchemy.create_engine('sqlite://', creator=lambda: handle(1))"
    ),
    "what each thread begins with": (
        "import concurrent.futures\nclient = concurrent.futures.ThreadPoolExecutor(initializer=handle)"
    ),
}
HANDLE = """
import httpx, requests
seen, answers, limit = [], {'a': 1}, 3
def handle(x):
    seen.append(x)
    return §, answers['a'], limit
"""


@pytest.mark.parametrize("name", PLUGGED)
def test_what_is_plugged_in_counts_by_its_code_and_what_that_only_reads(name: str) -> None:
    use = "def f(): return client"

    def key(before: str = "", after: str = "", text: str = HANDLE.replace("§", "1")) -> str:
        return key_of(text.replace(before, after), PLUGGED[name], use).content

    session = Session().cell(HANDLE.replace("§", "1")).cell(PLUGGED[name]).cell(use)
    subject = session.subject()
    plain = subject.key().content
    session.names["seen"].append("a request")
    assert plain == subject.key().content
    session.names["answers"]["a"] = 2
    assert plain != subject.key().content
    assert plain == key("return 1,", "return (1),")
    assert plain != key("return 1,", "return 2,")
    assert plain != key("'a': 1", "'a': 2")
    assert plain != key(", 3\n", ", 4\n")
    assert plain == key("[],", "['earlier'],")


TRANSPORT = """
import httpx
class Own(httpx.BaseTransport):
    def __init__(self, answers):
        self.answers, self.seen, self.calls = answers, [], 0
        self.lock = open('/dev/null')
    def handle_request(self, request):
        self.seen.append(request)
        self.calls += 1
        return self.answers
client = httpx.Client(transport=Own({'a': §}))
def f(): return client
"""


def test_a_transport_counts_by_what_it_was_made_with() -> None:
    session = Session().cell(TRANSPORT.replace("§", "1"))
    subject = session.subject()
    plain = subject.key()
    assert () == plain.undurable
    session.names["client"]._transport.handle_request("a")
    assert plain.content == subject.key().content
    assert plain.content == key_of(TRANSPORT.replace("§", "1")).content
    assert plain.content != key_of(TRANSPORT.replace("§", "2")).content
    assert ("`client`: httpx.Client (transport=Own)",) == plain.services


def test_a_handler_may_use_the_client_it_is_plugged_into() -> None:
    cell = (
        "import httpx\nclient = None\ndef handle(request): return client.get('x')\n"
        "client = httpx.Client(transport=httpx.MockTransport(handle))\ndef f(): return client"
    )
    assert () == key_of(cell).undurable


def test_data_in_a_thread_local_counts_and_connections_in_it_do_not() -> None:
    kept = threading.local()
    kept.level = 1
    before = fingerprint(kept)
    kept.connection = sqlite3.connect(":memory:")
    assert before == fingerprint(kept)
    kept.level = 2
    assert before != fingerprint(kept)
    kept.connection.close()


# What the user adds ---------------------------------------------------------------------------------------------

OWN = "class Door:\n    def __init__(self, url, key): self.url, self.key = url, key\n    def open(self): return §\n"
USE = "door = Door('https://me:pw@a.org', 'sk-1')\ndef f(): return door.open()"


@pytest.mark.usefixtures("registry")
def test_a_type_that_is_registered_later_is_noticed() -> None:
    session = Session().cell("import queue\njobs = queue.Queue()\ndef f(): return jobs")
    subject = session.subject()
    assert subject.key().undurable
    register_service("queue.Queue")
    key = subject.key()
    assert ((), ("`jobs`: queue.Queue",)) == (key.undurable, key.services)
    register_service("queue.Queue", lambda jobs: {"size": jobs.maxsize})
    assert ("`jobs`: queue.Queue (size=0)",) == subject.key().services
    assert key.content != subject.key().content


@pytest.mark.usefixtures("registry")
def test_what_counted_by_content_counts_as_a_service_from_then_on() -> None:
    session = Session().cell(OWN.replace("§", "1")).cell(USE)
    subject = session.subject()
    before = subject.key()
    assert () == before.services
    register_service("__main__.Door", lambda door: door.url)
    after = subject.key()
    assert ("`door`: Door (https://a.org)",) == after.services
    session.names["door"].key = "sk-2"
    assert after.content == subject.key().content
    session.names["door"].url = "https://b.org"
    assert after.content != subject.key().content


@pytest.mark.usefixtures("registry")
def test_the_code_of_a_registered_class_counts() -> None:
    register_service("__main__.Door")
    assert key_of(OWN.replace("§", "1"), USE).code != key_of(OWN.replace("§", "2"), USE).code


@pytest.mark.usefixtures("registry")
def test_a_type_may_be_named_as_its_package_offers_it() -> None:
    register_service("httpx.Response")
    assert is_service(httpx.Response)
    register_service("requests.Response")
    assert is_service(requests.models.Response)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("identity", "says"),
    [
        pytest.param(lambda _: 1 / 0, "its configuration cannot be read: ZeroDivisionError", id="raises"),
        pytest.param(lambda it: [it], "its configuration cannot be read: TypeError", id="no plain value"),
        pytest.param(lambda _: {"url": "http://me:pw@a", "password": KEY}, "http://a", id="credentials"),
        pytest.param(lambda _: "eu-west-1", "eu-west-1", id="text"),
    ],
)
def test_the_identity_that_the_user_gives(identity: Any, says: str) -> None:
    register_service(Setup, identity)
    assert f"`it`: test_services.Setup ({says})" == told(Setup(1))


@pytest.mark.parametrize(
    "given", ["Client", "", "a b.c", 3, None, int, "builtins.dict", "types.SimpleNamespace", openai.OpenAI(api_key=KEY)]
)
def test_a_wrong_type_is_refused_with_what_was_expected(given: Any) -> None:
    with pytest.raises(InvalidOptionError, match="expected a class"):
        register_service(given)


def test_a_wrong_identity_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="expected a function that takes the instance"):
        register_service("acme.api.Client", "url")  # type: ignore[arg-type]


def test_nothing_is_imported_for_it(tmp_path: Path) -> None:
    script = (
        "import sys, threading\n"
        "from resonate_nb.fingerprint import fingerprint\n"
        "fingerprint([threading.Lock()])\n"
        "never = {'openai', 'httpx', 'requests', 'sqlite3', 'sqlalchemy', 'asyncio', 'urllib'}\n"
        "print(sorted(never & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "[]\n" == done.stdout


def test_digests_are_public_by_name() -> None:
    assert Digests("", (), ()).services == ()


def test_a_mock_is_no_service_and_no_client() -> None:
    with pytest.raises(UnfingerprintableError):
        fingerprint(unittest.mock.Mock(spec=openai.OpenAI))
    assert service_text(unittest.mock.MagicMock(spec=openai.OpenAI)) is None


def test_a_connection_of_another_thread_is_said_to_be_unreadable() -> None:
    connection = sqlite3.connect(":memory:")
    said: list[str | None] = []
    thread = threading.Thread(target=lambda: said.append(service_text(connection)))
    thread.start()
    thread.join()
    assert ["sqlite3.Connection (its configuration cannot be read: ProgrammingError)"] == said
    connection.close()


def test_what_a_thread_runs_is_its_state() -> None:
    def target() -> None:
        pass

    thread = threading.Thread(target=target)
    before = fingerprint(thread)
    thread.start()
    thread.join()
    assert before == fingerprint(thread) == fingerprint(threading.Thread())
