"""Owners that die, stop, or are deaf for long: who takes over, when, and what becomes of a late value."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import subprocess

import pytest
from tortured import Tortured

from resonate_nb.clock import SystemClock

pytestmark = pytest.mark.slow

WAITERS = 2


def owner_in_the_middle(tortured: Tortured, function: str) -> subprocess.Popen[str]:
    owner = tortured.start("owning.py", function, 1)
    assert "in the middle\n" == owner.stdout.readline()
    return owner


def waiters_for(
    tortured: Tortured, owner: subprocess.Popen[str], function: str, count: int = WAITERS
) -> list[subprocess.Popen[str]]:
    """Processes that have said that they wait for this owner."""
    waiters = [tortured.start("owning.py", function, 1) for _ in range(count)]
    for waiter in waiters:
        assert any("waiting for" in line and f"process {owner.pid}" in line for line in waiter.stderr)
    return waiters


def lease_until(tortured: Tortured, lapse: bool = False) -> int:
    """When the first lease ends, in milliseconds since the epoch; on demand it has ended long ago."""
    database = sqlite3.connect(tortured.store / "promises.db")
    try:
        with database:
            if lapse:
                lapsed = "UPDATE promises SET lease_until = 1, lease_ms = 50 WHERE owner IS NOT NULL"
                assert 1 == database.execute(lapsed).rowcount
            ((found,),) = database.execute("SELECT MIN(lease_until) FROM promises")
        return int(found)
    finally:
        database.close()


def one_takes_over(tortured: Tortured, waiters: list[subprocess.Popen[str]]) -> str:
    """The token that all waiters got, from the one of them that ran the body."""
    readers = {waiter.stdout.fileno(): waiter for waiter in waiters}
    # The first that says a word is in the body: the others have nothing to say before it has settled.
    ready, _, _ = select.select(readers, [], [], 60)
    successor = readers[ready[0]]
    assert "in the middle\n" == successor.stdout.readline()
    tokens = {tortured.end(successor, "go on\n").strip()}
    tokens |= {tortured.end(waiter).strip() for waiter in waiters if waiter is not successor}
    (token,) = tokens
    return token


@pytest.mark.parametrize("function", ["plain", "in_c"])
def test_a_killed_owner_is_replaced_long_before_its_lease_ends(tortured: Tortured, function: str) -> None:
    """By one of those that wait for it; the others get that one's value."""
    owner = owner_in_the_middle(tortured, function)
    waiters = waiters_for(tortured, owner, function)
    end_of_lease = lease_until(tortured)
    owner.kill()
    token = one_takes_over(tortured, waiters)
    assert SystemClock().now_ms() < end_of_lease
    assert [1, 1] == tortured.runs(function)
    assert f"{token}\n" == tortured.run("owning.py", function, 1)
    assert [1, 1] == tortured.runs(function)


def test_a_killed_owner_of_a_call_inside_a_call_is_replaced_in_both(tortured: Tortured) -> None:
    owner = owner_in_the_middle(tortured, "around")
    waiters = waiters_for(tortured, owner, "around")
    end_of_lease = lease_until(tortured)
    owner.kill()
    one_takes_over(tortured, waiters)
    assert SystemClock().now_ms() < end_of_lease
    assert [1, 1] == tortured.runs("around")
    assert [1, 1] == tortured.runs("plain")


@pytest.mark.parametrize("function", ["with_a_program", "with_a_fork"])
def test_a_killed_owner_is_replaced_though_a_child_of_its_lives(tortured: Tortured, function: str) -> None:
    """Its lock dies with it, and not with whoever has inherited what it had open."""
    owner = owner_in_the_middle(tortured, function)
    waiters = waiters_for(tortured, owner, function, 1)
    end_of_lease = lease_until(tortured)
    owner.kill()
    one_takes_over(tortured, waiters)
    assert SystemClock().now_ms() < end_of_lease
    left = [int(words[1]) for words in tortured.lines if words[0] == "left"]
    assert 2 == len(left)
    for pid in left:
        os.kill(pid, signal.SIGKILL)  # so it lived


def stopped(owner: subprocess.Popen[str]) -> None:
    owner.send_signal(signal.SIGSTOP)
    assert owner.pid == os.waitpid(owner.pid, os.WUNTRACED)[0]


def test_a_stopped_owner_is_replaced_by_a_waiter_when_its_lease_ends(tortured: Tortured) -> None:
    """Its late value is its caller's, and is not settled a second time."""
    owner = owner_in_the_middle(tortured, "plain")
    waiters = waiters_for(tortured, owner, "plain")
    stopped(owner)
    lease_until(tortured, lapse=True)
    token = one_takes_over(tortured, waiters)
    owner.send_signal(signal.SIGCONT)
    said, errors = owner.communicate("go on\n", timeout=300)
    own = next(words[4] for words in tortured.lines if words[:2] == ["run", "plain"])
    assert f"{own}\n" == said
    assert "another owner took it over" in errors
    assert own != token
    assert f"{token}\n" == tortured.run("owning.py", "plain", 1)
    assert [1, 1] == tortured.runs("plain")


def test_a_stopped_owner_that_goes_on_after_a_successor_was_killed(tortured: Tortured) -> None:
    """The version of its task is gone for good: what it brings is its caller's alone, though nobody else is there."""
    owner = owner_in_the_middle(tortured, "plain")
    (waiter,) = waiters_for(tortured, owner, "plain", 1)
    stopped(owner)
    lease_until(tortured, lapse=True)
    assert "in the middle\n" == waiter.stdout.readline()
    waiter.kill()
    waiter.wait()
    owner.send_signal(signal.SIGCONT)
    said, errors = owner.communicate("go on\n", timeout=300)
    assert "another owner took it over" in errors
    last = tortured.start("owning.py", "plain", 1)
    token = tortured.end(last, "go on\n").splitlines()[-1]
    assert [1, 1, 1] == tortured.runs("plain")
    assert token != said.strip()


def test_a_stopped_owner_is_waited_for_while_its_lease_lasts(tortured: Tortured) -> None:
    owner = owner_in_the_middle(tortured, "plain")
    stopped(owner)
    waiters = waiters_for(tortured, owner, "plain")
    owner.send_signal(signal.SIGCONT)
    tokens = {tortured.end(owner, "go on\n").strip(), *(tortured.end(waiter).strip() for waiter in waiters)}
    assert 1 == len(tokens)
    assert [1] == tortured.runs("plain")


def test_an_owner_in_a_long_call_of_c_is_never_taken_over(tortured: Tortured) -> None:
    """Its heart cannot beat, and its lease has long ended; its lock says that it lives."""
    owner = owner_in_the_middle(tortured, "in_c")
    before = waiters_for(tortured, owner, "in_c")
    lease_until(tortured, lapse=True)
    after = waiters_for(tortured, owner, "in_c")
    assert "busy\n" == tortured.run("owning.py", "in_c", 1, "forget")
    assert 1 == lease_until(tortured)
    tokens = {tortured.end(process, "go on\n").strip() for process in (owner, *before, *after)}
    assert 1 == len(tokens)
    assert [1] == tortured.runs("in_c")
