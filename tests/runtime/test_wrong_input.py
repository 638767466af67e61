"""Wrong input is refused at the earliest moment, with what, where, and what to write instead."""

from __future__ import annotations

import functools

import pytest

import resonate_nb as rnb
from resonate_nb import durable


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"retries": 3}, "retries.*id, version, name, tags, ignore"),
        ({"id": ""}, "empty"),
        ({"id": 5}, "id must be a string"),
        ({"id": "a:b"}, "':'"),
        ({"id": "a@b"}, "'@'"),
        ({"id": "a~2"}, "'~'"),
        ({"id": "a\nb"}, r"'\\n'"),
        ({"id": "a/{days}"}, "'days'.*day"),
        ({"id": "a/{}"}, "unnamed"),
        ({"id": "a/{day"}, "malformed"),
        ({"id": "a/{day!x}"}, "conversion"),
        ({"id": "a/{env}"}, r"env\[NAME\]"),
        ({"id": "a/{day}", "ignore": ("day",)}, "'day', which ignore= leaves out"),
        ({"id": "a" * 513}, "at most 512"),
        ({"id": "a/" + "{day}b" * 400 + "c" * 200}, "512 characters"),
        ({"id": "a/\ud800"}, "holds the character"),
        ({"version": 1.5}, "version must be"),
        ({"version": True}, "version must be"),
        ({"version": ""}, "version is empty"),
        ({"version": "a@b"}, "'@'"),
        ({"name": "a:b"}, "':'"),
        ({"name": 3}, "name must be"),
        ({"name": "n" * 513}, "513 characters.*at most 512"),
        ({"version": "v" * 513}, "513 characters.*at most 512"),
        ({"tags": {"a": 1}}, "tags must be"),
        ({"tags": "a"}, "tags must be"),
        ({"ignore": 3}, "ignore must be"),
    ],
    ids=lambda case: ascii(case)[:60],
)
def test_a_wrong_option_is_refused_at_decoration(options, said):
    with pytest.raises(rnb.InvalidOptionError, match=said):

        @durable(**options)
        def f(day):
            return day


def generator():
    yield 1


async def async_generator():
    yield 1


class Plain:
    pass


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (generator, "generator function"),
        (async_generator, "generator function"),
        (Plain, "is a class"),
        (len, "not a function written in Python"),
        (functools.partial(print, 1), "not a function written in Python"),
        ("features/{day}", r"write @durable\(id="),
        (eval("lambda: 1"), "source"),
    ],
    ids=["generator", "async generator", "class", "builtin", "partial", "string", "no source"],
)
def test_what_cannot_be_durable_is_refused_at_decoration(given, said):
    with pytest.raises(rnb.UndecoratableError, match=said):
        durable(given)


def test_a_durable_function_is_not_decorated_twice():
    @durable
    def f():
        return 1

    with pytest.raises(rnb.UndecoratableError, match="durable already"):
        durable(f)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"durability": "maybe"}, "full, adaptive, process"),
        ({"enabled": "yes"}, "True or False"),
        ({"store": "  "}, "empty path"),
        ({"store": 5}, "path of a directory"),
        ({"store": b"results"}, "path of a directory"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused(settings, said):
    with pytest.raises(rnb.InvalidOptionError, match=said):
        rnb.configure(**settings)


@pytest.mark.parametrize("state", ["done", 5, ["resolved", "done"], [5]], ids=str)
def test_a_wrong_state_lists_the_right_ones(state):
    with pytest.raises(rnb.InvalidOptionError, match="pending, resolved"):
        rnb.search("*", state=state)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"glob": 5}, "glob takes a shell pattern"),
        ({"tags": "growth"}, "tags must be"),
        ({"limit": 0}, "limit"),
        ({"limit": "3"}, "limit"),
        ({"name": 5}, "name takes a shell pattern"),
        ({"tags": {"day": 1}}, "a dict of texts"),
        ({"order": "up"}, "'newest' or 'oldest'"),
        ({"state": "running"}, "some that are 'pending' are shown as 'running'"),
    ],
    ids=str,
)
def test_a_wrong_search_is_refused(query, said):
    for look in (rnb.search, rnb.to_frame):
        with pytest.raises(rnb.InvalidOptionError, match=said):
            look(**query)


@pytest.mark.parametrize("look", [rnb.get, rnb.forget], ids=["get", "forget"])
@pytest.mark.parametrize("id", [None, 5, ["a"]], ids=str)
def test_what_is_no_id_is_refused(look, id):
    with pytest.raises(rnb.InvalidOptionError, match="an id is a string"):
        look(id)


def test_forgetting_what_is_not_there_says_so(engine):
    with pytest.raises(rnb.PromiseNotFoundError, match=r"rnb\.search"):
        rnb.forget("nothing@1")
    assert [] == rnb.forget("nothing*")
