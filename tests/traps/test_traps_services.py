# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Notebooks with clients and connections: a client in a cell and functions that use it need no option.

The clients are real and ask a server on this machine, which counts. Every session is a process of its own, with another
key; a fake key must never occur in any file of the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from trap_sessions import Notebook, Row, Trap, after, f, hit, recompute, spring

pytestmark = pytest.mark.slow

KEYS = ("sk-firstfakekeyneverstored", "sk-otherfakekeyneverstored")
PLAIN = re.compile("undurably|not replayable|cannot be stored|in place|runs plainly")


class Server:
    """Answers like OpenAI's, with the question and its own name, and remembers with which keys it was asked."""

    def __init__(self, name: str) -> None:
        server = self
        self.keys: list[str] = []

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.keys.append(self.headers.get("Authorization", ""))
                text = f"{question['messages'][-1]['content']} from {name}"
                choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
                told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
                data = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        Thread(target=self._server.serve_forever, name=f"server {name}", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    both = Server("here"), Server("there")
    yield both
    for each in both:
        each.close()


def keys_in(place: Path) -> list[str]:
    """Files below a folder in which one of the fake keys occurs."""
    files = [path for path in place.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(key.encode() in path.read_bytes() for key in KEYS)]


FIRST = """
%load_ext resonate_nb
import dataclasses, functools, logging, os, threading
import httpx, openai, requests
from concurrent.futures import ThreadPoolExecutor
client = openai.OpenAI(max_retries=0)
side = openai.AsyncOpenAI(max_retries=0)
url = os.environ['OPENAI_BASE_URL'] + '/chat/completions'
web = httpx.Client(base_url=os.environ['OPENAI_BASE_URL'], headers={'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY']})
session = requests.Session()
session.headers['Authorization'] = 'Bearer ' + os.environ['OPENAI_API_KEY']
session.auth = ('me', os.environ['OPENAI_API_KEY'])
log = logging.getLogger('notebook')
lock = threading.Lock()
pool = ThreadPoolExecutor(2)
kept = threading.local()
got['value'] = {}
def question(text): return {'model': 'm', 'messages': [{'role': 'user', 'content': text}]}
def say(c, text): return c.chat.completions.create(**question(text)).choices[0].message.content
@dataclasses.dataclass
class Setup:
    client: object
    text: str = 'hi'
class Agent:
    shared = client
    def __init__(self, client): self.client = client
    def ask(self, text): return say(self.client, text)
agent = Agent(client)
tools = {'llm': client, 'many': [client]}
ask = client.chat.completions.create
post = functools.partial(web.post, '/chat/completions', json=question('partial'))
def factory(client):
    @durable
    def in_closure(x):
        ran(in_closure)
        return say(client, x)
    return in_closure
in_closure = factory(client)
"""

USES = {
    "as_global": ("x", "return say(client, x)", "'hi'"),
    "as_argument": ("x, c", "return say(c, x)", "'hi', client"),
    "in_a_dataclass": ("setup", "return say(setup.client, setup.text)", "Setup(client)"),
    "in_an_object": ("x", "return agent.ask(x)", "'hi'"),
    "as_an_object": ("a", "return a.ask('hi')", "agent"),
    "in_a_class": ("x", "return say(Agent.shared, x)", "'hi'"),
    "in_a_dict": ("x", "return say(tools['llm'], x) + say(tools['many'][0], x)", "'hi'"),
    "as_bound_method": ("x", "return ask(**question(x)).choices[0].message.content", "'hi'"),
    "as_resource": ("completions", "return completions.create(**question('hi')).choices[0].message.content", "client.chat.completions"),
    "as_partial": ("x", "return post().json()['choices'][0]['message']['content']", "1"),
    "as_a_partial_argument": ("p", "return p().json()['choices'][0]['message']['content']", "post"),
    "as_a_function": ("g", "return g('hi')", "lambda text: say(client, text)"),
    "as_default": ("x, c=client", "return say(c, x)", "'hi'"),
    "with_options": ("x", "return say(client.with_options(timeout=9), x)", "'hi'"),
    "with_httpx": ("x", "return web.post('/chat/completions', json=question(x)).json()['choices'][0]['message']['content']", "'hi'"),
    "with_requests": ("x, s", "return s.post(url, json=question(x)).json()['choices'][0]['message']['content']", "'hi', session"),
    "with_a_pool": ("x", "return list(pool.map(lambda t: say(client, t), [x, x]))", "'hi'"),
    "with_a_lock": ("x, guard", "log.warning('asking')\nwith lock, guard: return say(client, x)", "'hi', threading.RLock()"),
}  # fmt: skip


def notebook_of_all() -> str:
    cells = [FIRST]
    for name, (parameters, body, arguments) in USES.items():
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        cells.append(
            f"@durable\ndef {name}({parameters}):\n    ran({name})\n{lines}got['value']['{name}'] = {name}({arguments})"
        )
    cells.append("got['value']['in_closure'] = in_closure('hi')")
    cells.append(
        "@durable\nasync def awaited(x, c):\n    ran(awaited)\n    answer = await c.chat.completions.create(**question(x))\n    return answer.choices[0].message.content"
    )
    cells.append("got['value']['awaited'] = await awaited('hi', side)")
    cells.append("%%durable\nran(in_a_cell)\nanswer = say(client, 'hi') + say(Agent.shared, 'again')\nlog.info('done')")
    cells.append("got['value']['in_a_cell'] = answer")
    return "\n# %%\n".join(cells)


def test_a_notebook_with_clients_needs_no_option(tmp_path: Path, servers: tuple[Server, Server]) -> None:
    here, there = servers
    names = {*USES, "in_closure", "awaited", "in_a_cell"}
    book = Notebook(tmp_path, preload=("openai",))
    cells = notebook_of_all()

    first = book.run(cells, OPENAI_API_KEY=KEYS[0], OPENAI_BASE_URL=here.url)
    assert [] == first.errors
    assert dict.fromkeys(names, 1) == first.ran, first.said
    assert not PLAIN.search(first.said), first.said
    assert {f"Bearer {KEYS[0]}"} <= set(here.keys)

    # Another process, another key, and clients that nobody has used yet.
    asked = len(here.keys)
    second = book.run(cells, OPENAI_API_KEY=KEYS[1], OPENAI_BASE_URL=here.url)
    assert [] == second.errors
    assert dict.fromkeys(names, 0) == second.ran, second.said
    assert first.got == second.got
    assert asked == len(here.keys)

    third = book.run(cells, OPENAI_API_KEY=KEYS[1], OPENAI_BASE_URL=there.url)
    assert dict.fromkeys(names, 1) == third.ran, third.said
    assert all("there" in str(answer) for answer in third.got["value"].values())
    assert [] == keys_in(tmp_path)


def test_a_client_that_was_used_and_one_of_another_key_are_one(tmp_path: Path, servers: tuple[Server, Server]) -> None:
    cells = """
import openai
client = openai.OpenAI(max_retries=0)
def say(c, text): return c.chat.completions.create(model='m', messages=[{'role': 'user', 'content': text}]).choices[0].message.content
@durable
def f(x):
    ran()
    return say(client, x)
got['value'] = [f('a'), f('b')]
# %%
say(client, 'warm'); f('a'); f('b')
client = openai.OpenAI(api_key='another', max_retries=5, timeout=3, organization='o', default_headers={'a': 'b'})
got['value'].append(f('a'))
client = openai.OpenAI(base_url='http://127.0.0.1:9/v1')
try: f('a')
except openai.APIConnectionError: got['value'].append('ran')
"""
    outcome = Notebook(tmp_path, ("openai",)).run(cells, OPENAI_API_KEY=KEYS[0], OPENAI_BASE_URL=servers[0].url)
    assert [] == outcome.errors
    assert ["a from here", "b from here", "a from here", "ran"] == outcome.got["value"]
    assert {"f": 3} == outcome.ran


def test_a_cell_that_makes_a_client_says_that_it_cannot_be_stored(tmp_path: Path) -> None:
    cells = "%load_ext resonate_nb\n# %%\n%%durable\nran(cell)\nimport openai\nclient = openai.OpenAI()\nx = 1\n# %%\ngot['value'] = [str(client.base_url), x]"
    book = Notebook(tmp_path, ("openai",))
    for key in KEYS:
        outcome = book.run(cells, OPENAI_API_KEY=key, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
        assert [] == outcome.errors
        assert ["http://127.0.0.1:9/v1/", 1] == outcome.got["value"]
        assert {"cell": 1} == outcome.ran
        assert re.search(
            r"bound `client` \(line 4\), which cannot be stored: an openai\.OpenAI \(a client, connection", outcome.said
        )
    assert [] == keys_in(tmp_path)


def test_what_holds_a_client_is_not_stored_and_the_caller_gets_it(tmp_path: Path) -> None:
    cells = f"""
import requests, httpx
def session():
    s = requests.Session(); s.headers['Authorization'] = '{KEYS[0]}'; s.auth = ('me', '{KEYS[0]}')
    return s
session = session()
# %%
@durable
def f(s):
    ran()
    return {{'session': s}}
got['value'] = f(session)['session'] is session
"""
    book = Notebook(tmp_path)
    outcome = book.run(cells)
    assert ([], True, {"f": 1}) == (outcome.errors, outcome.got["value"], outcome.ran)
    assert (
        "requests.sessions.Session cannot be stored" in outcome.said
        or "requests.Session cannot be stored" in outcome.said
    )
    assert [] == keys_in(tmp_path / "store")


SQLITE = "import sqlite3\nconn = sqlite3.connect('§')\nconn.execute('create table if not exists t(a)')\nif not conn.execute('select * from t').fetchall(): conn.execute(\"insert into t values ('§')\")\nconn.commit()"
ALCHEMY = "import sqlalchemy\nengine = sqlalchemy.create_engine('sqlite:///§')\n"
SUBCLASS = "import httpx\nclass Api(httpx.Client):\n    def __init__(self, k): super().__init__(base_url='http://127.0.0.1:9'); self.k = k\n    def ask(self): return self.k + §0\napi = Api(§1)"
FACTORY = "import sqlite3\ndef rows(cursor, row): return {'a': row[0] + §}\nconn = sqlite3.connect(':memory:')\nconn.row_factory = rows"

ROWS: dict[str, Row] = {
    "another file behind a connection": after(SQLITE, "return conn.execute('select * from t').fetchall()[0][0]", ("a.db", "b.db"), ("a.db", "b.db")),
    "another file behind an engine": after(ALCHEMY, "with engine.connect() as c: return engine.url.database", ("a.db", "b.db"), ("a.db", "b.db")),
    "a method of a client of one's own": after(SUBCLASS, "return api.ask()", (("1", "1"), ("2", "1")), (2, 3)),
    "what a client of one's own was made with": after(SUBCLASS, "return api.ask()", (("1", "1"), ("1", "2")), (2, 3)),
    "the row factory of a connection": after(FACTORY, "return conn.execute('select 1').fetchone()['a']"),
    "two clients swapped": after("import httpx\na = httpx.Client(base_url='http://a.§0'); b = httpx.Client(base_url='http://a.§1')", "return [str(a.base_url), str(b.base_url)]", (("1", "2"), ("2", "1")), (["http://a.1", "http://a.2"], ["http://a.2", "http://a.1"])),
    "a client in a class, for another server": after("import requests, httpx\nclass A:\n    client = httpx.Client(base_url='http://a.§')", "return str(A.client.base_url)[-1]", "12", ("1", "2")),
    "a handler that stands in for a server": after("import httpx\ndef answer(request): return httpx.Response(200, text='§')\nclient = httpx.Client(transport=httpx.MockTransport(answer))", "return client.get('http://a').text", "12", ("1", "2")),
    "what a thread keeps": after("import threading\nkept = threading.local(); kept.k = §", "return x + kept.k"),
    "another name of a logger": after("import logging\nlog = logging.getLogger('n§')", "return log.name", "12", ("n1", "n2")),
    "what the user says of a type": after("import queue\nrnb.register_service(queue.Queue, lambda q: {'size': q.maxsize})\nq = queue.Queue(§)", "return q.maxsize + x"),
}  # fmt: skip

SAME: dict[str, Any] = {
    "the level and handlers of a logger": ("import logging\nlog = logging.getLogger('n'); log.setLevel(§)", "log.info('x')\nreturn 1", ("10", "40"), 1),
    "rows in a database": ("import sqlite3\nconn = sqlite3.connect('a.db')\nconn.execute('create table if not exists t(a)'); conn.execute('insert into t values (§)')", "return [conn.execute('select 5').fetchone()[0]]", "12", [5]),
    "the password of an engine": ("import sqlalchemy, types\nengine = sqlalchemy.create_engine('mysql+pymysql://me:§@db/a', module=types.SimpleNamespace(paramstyle='pyformat', Error=Exception))", "return engine.url.database", ("x", "y"), "a"),
    "an event that is set": ("import threading\ne = threading.Event()\nif §: e.set()", "return 1", "01", 1),
    "what is queued, as the user says": ("import queue\nrnb.register_service('queue.Queue')\nq = queue.Queue(); q.put(§)", "return 1", "12", 1),
    "a state that the user leaves out": ("class Counter:\n    def __init__(self, n): self.n = n\n    def next(self): self.n += 1\nrnb.register_service(Counter)\nc = Counter(§)", "c.next()\nreturn x", "12", 1),
    "a size of a pool": ("from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(§)", "return sum(pool.map(abs, [1, -2]))", "12", 3),
    "requests seen by a stand-in": ("import httpx\nseen = ['§']\ndef answer(request):\n    seen.append(request.url.path)\n    return httpx.Response(200, text='a')\nclient = httpx.Client(transport=httpx.MockTransport(answer))", "return client.get('http://a').text", "12", "a"),
    "a connection in a thread's own": ("import sqlite3, threading\nkept = threading.local()\ndef connection():\n    if not hasattr(kept, 'c'): kept.c = sqlite3.connect(':memory:')\n    return kept.c\n§", "return connection().execute('select 5').fetchone()[0]", ("", "connection()"), 5),
}  # fmt: skip


@pytest.mark.parametrize("law", ROWS)
def test_recomputed(law: str, tmp_path: Path) -> None:
    cells, turns, values, more = ROWS[law]
    spring(recompute("S", law, cells, turns, values, preload=("openai",), **more), tmp_path)


@pytest.mark.parametrize("law", SAME)
def test_hits(law: str, tmp_path: Path) -> None:
    cells, body, turns, value = SAME[law]
    spring(hit("S", law, cells + "\n# %%\n" + f(body), turns, value, preload=("openai",)), tmp_path)


def test_a_file_is_the_same_from_another_folder(tmp_path: Path) -> None:
    cells = (
        "import os, sqlite3, sqlalchemy\nos.makedirs('sub', exist_ok=True)\n§\n# %%\n"
        "@durable\ndef f(c, e):\n    ran()\n    return c.execute('select 5').fetchone()[0]\n# %%\n"
        "got['value'] = f(sqlite3.connect(NAME), sqlalchemy.create_engine('sqlite:///' + NAME))"
    )
    turns = ("NAME = 'a.db'", "os.chdir('sub'); NAME = '../a.db'", "NAME = os.path.abspath('a.db')")
    spring(Trap("S", "another folder", cells, turns, (1, 0, 0), (5, 5, 5)), tmp_path)


def test_a_stand_in_made_by_mock_runs_plainly_or_is_refused(tmp_path: Path) -> None:
    cells = "import unittest.mock\nclient = unittest.mock.Mock()\nclient.ask.return_value = §\n# %%\n" + f(
        "return client.ask()"
    )
    spring(Trap("S", "a mock", cells, "12", (1, 1), (1, 2)), tmp_path)


def test_an_ignored_client_does_not_count(tmp_path: Path) -> None:
    cells = "import httpx\nclient = httpx.Client(base_url='http://a.§')\n# %%\n@durable(ignore=('client', 'c'))\ndef f(x, c):\n    ran()\n    return client is c\n# %%\ngot['value'] = f(1, client)"
    spring(hit("S", "ignored", cells, "12", True, preload=("openai",)), tmp_path)


def test_a_key_that_a_client_finds_in_a_file_does_not_count(tmp_path: Path, servers: tuple[Server, Server]) -> None:
    cells = """
import os, requests
@durable
def f(url):
    ran()
    message = {'messages': [{'content': 'hi'}]}
    return requests.post(url, json=message).json()['choices'][0]['message']['content']
got['value'] = f(os.environ['OPENAI_BASE_URL'])
"""
    book = Notebook(tmp_path, ("openai",))
    for key, runs in zip(KEYS, (1, 0), strict=True):
        (tmp_path / "home" / ".netrc").write_text(f"machine 127.0.0.1 login me password {key}")
        (tmp_path / "home" / ".netrc").chmod(0o600)
        outcome = book.run(cells, OPENAI_BASE_URL=servers[0].url)
        assert ([], "hi from here", {"f": runs}) == (outcome.errors, outcome.got["value"], outcome.ran), outcome.said
    assert servers[0].keys[0].startswith("Basic ")
    assert [] == keys_in(tmp_path / "store")


LEAKS = """
%load_ext resonate_nb
import dataclasses, functools, httpx, openai, os, requests
key = os.environ['OPENAI_API_KEY']
client = openai.OpenAI(max_retries=0, default_headers={'X-Key': key}, default_query={'api_key': key})
session = requests.Session(); session.headers['Authorization'] = key; session.params = {'token': key}
web = httpx.Client(base_url=f'http://me:{key}@127.0.0.1:9/v1?api_key={key}', auth=('me', key), cookies={'session': key})
@dataclasses.dataclass
class Setup:
    client: object
    api_key: str = key
@dataclasses.dataclass
class Loud:
    client: object
    def __repr__(self): return f'Loud({self.client!r}, token={key!r})'
class Api(httpx.Client):
    def __init__(self, api_key): super().__init__(); self.api_key = api_key
class Door:
    def __init__(self, key): self.key = key
rnb.register_service(Door, lambda it: {'url': f'https://me:{it.key}@a.org?token={it.key}', 'password': it.key})
things = [client, session, web, Api(key), Door(key), client.with_options]
# %%
@durable
def f(*given, **more):
    ran()
    return len(given) + len(things)
got['value'] = [f(client, session, web, Setup(client), Loud(client), Api(key), Door(key))]
got['value'].append(f([client], {'a': web}, functools.partial(session.get, 'http://a'), web.get, client.chat.completions.create, api_key=key, token=key))
@durable
def fails(c):
    ran(fails)
    raise ValueError('no')
try: fails(things)
except ValueError: pass
try: fails(things + [1])
except ValueError: pass
# %%
%%durable
ran(cell)
n = len(things) + (client is not None)
# %%
print(f.why(client)); print(f.why(session, web)); rnb.inspect()
"""


def test_no_file_of_the_store_has_a_key(tmp_path: Path) -> None:
    book = Notebook(tmp_path, ("openai",))
    for key in KEYS:
        outcome = book.run(LEAKS, OPENAI_API_KEY=key, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
        assert [] == outcome.errors
        assert [13, 11] == outcome.got["value"]
        # What is given under another key as such, and by a dataclass of the user's own, is data.
        assert {"f": 2, "fails": 2, "cell": 1 if key == KEYS[0] else 0} == outcome.ran, outcome.said
    assert [] == keys_in(tmp_path)


def test_a_type_registered_after_its_function_was_called(tmp_path: Path) -> None:
    cells = """
import queue
jobs = queue.Queue()
@durable
def f(x):
    ran()
    return jobs.qsize() + x
@durable
def g(x, q):
    ran(g)
    return q.maxsize
f(1)
try: g(1, jobs)
except rnb.UnfingerprintableError: got['refused'] = True
# %%
rnb.register_service('queue.Queue', lambda q: {'size': q.maxsize})
got['value'] = [f(1), f(1), g(1, jobs), g(1, queue.Queue())]
"""
    book = Notebook(tmp_path)
    first, second = book.run(cells), book.run(cells)
    assert ([], [1, 1, 0, 0], True) == (first.errors, first.got["value"], first.got["refused"])
    assert {"f": 2, "g": 1} == first.ran, first.said
    # What ran plainly, before the type was a service, runs plainly again.
    assert {"f": 1, "g": 0} == second.ran, second.said
    assert first.got == second.got


MODULE = """
import httpx
client = httpx.Client(base_url='http://a.§')
def ask(): return str(client.base_url)
"""


@pytest.mark.parametrize("used", ["api.client.base_url", "api.ask()", "whole(api)"])
def test_a_client_of_a_local_module(used: str, tmp_path: Path) -> None:
    cells = f"import api\ndef whole(module): return module.client.base_url\n# %%\n{f(f'return str({used})')}"
    trap = recompute(
        "S", "a module", cells, "12", ("http://a.1", "http://a.2"), files={"api.py": MODULE}, preload=("openai",)
    )
    spring(trap, tmp_path)
