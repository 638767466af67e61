"""What a call is called: grammar of ids, splitting of generations, look-alike prefixes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resonate_nb import InvalidOptionError, durable
from resonate_nb.fingerprint import Subject
from resonate_nb.protocol import CreatePromise, SettlePromise, State, Value
from resonate_nb.runtime import Engine, Identity, Options, Work, identify

pytestmark = pytest.mark.usefixtures("engine")


def plain(x, y=2):
    return x


def work(**options) -> Work:
    return Work("plain", Subject.of_function(plain), Options(**options))


def named(arguments, **options) -> Identity:
    found = identify(work(**options), arguments)
    assert isinstance(found, Identity)
    return found


def test_an_automatic_id_is_name_arguments_and_code():
    one, other = named({"x": 1, "y": 2}), named({"x": 2, "y": 2})
    name, rest = one.base.split("/")
    digits, version = rest.split("@")
    assert ("plain", 16, 8) == (name, len(digits), len(version))
    assert one.base != other.base
    assert one.code == other.code
    assert one.wider.base.startswith("plain/" + digits)


@given(st.text(max_size=40))
def test_no_value_of_a_template_can_forge_a_version_or_a_generation(text: str):
    identity = named({"x": text, "y": 2}, id="r/{x}", version=1)
    assert 1 == identity.base.count("@")
    assert "~" not in identity.base
    assert identity.base.endswith("@1")


@given(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=10))
def test_other_values_of_a_template_are_other_ids(one: str, other: str):
    ids = {named({"x": text, "y": 2}, id="r/{x}", version=1).base for text in (one, other)}
    assert len({one, other}) == len(ids)


def test_a_value_that_is_no_text_for_a_database_still_names_a_promise():
    """File names may hold bytes that are no UTF-8; Python shows them as halves of surrogates."""

    @durable(id="file/{name}", version=1)
    def read(name):
        return len(name)

    names = ["caf\udce9.csv", "caf\udce8.csv", "café.csv", "caf%ED%B3%A9.csv"]
    assert [8, 8, 8, 16] == [read(name) for name in names]
    ids = {read.get(name).id for name in names}
    assert 4 == len(ids)
    assert "file/caf%ED%B3%A9.csv@1" in ids


def test_an_id_may_have_512_characters(engine: Engine):
    @durable(id="r/{x}", version=1)
    def f(x):
        return x

    text = "a" * (512 - len("r/@1"))
    assert text == f(text)
    assert 512 == len(f.get(text).id)


def test_an_id_of_more_than_512_characters_is_refused():
    with pytest.raises(InvalidOptionError, match="at most 512"):
        named({"x": "a" * 600, "y": 2}, id="r/{x}", version=1)


def test_an_ignored_argument_is_not_among_those_that_a_template_leaves_out(caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO", "resonate_nb"):

        @durable(id="report/{day}", version=1, ignore=("conn",))
        def report(day, conn):
            return day

    assert [] == [line for line in caplog.messages if "leaves out" in line]


def test_calls_that_meet_in_the_short_form_are_told_apart(engine: Engine):
    """64 bits do not collide on demand, so another call's promise is put under our short id."""
    runs: list[int] = []

    @durable(ignore=("runs",))
    def f(x):
        runs.append(x)
        return x

    f(1)
    short = f.get(1).id
    code = engine.peek([short])[0].param.headers["code"]
    f.forget(1)
    another = Value({"name": "f", "code": code, "arguments": "0" * 32})
    engine.submit([CreatePromise(short, param=another), SettlePromise(short, State.RESOLVED, Value({"codec": "json"}))])
    assert (1, 1) == (f(1), f(1))
    assert [1, 1] == runs
    assert len(short) < len(f.get(1).id)
    assert 1 == f.get(1).result()
    assert 1 == len(f.forget(1))
    assert f.get(1) is None
    assert engine.peek([short])[0] is not None
