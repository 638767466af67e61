"""Kills processes at random instants while they work on one store, and looks at what they leave.

    python killing.py STORE ROUNDS DURABILITY SEED

Workers and checkers are forked from this process, which has imported the package and opened nothing: a start costs
milliseconds, so that a thousand kills fit into two minutes. In each round ten workers, five at a time, do all kinds of
work on the same few promises, and each gets SIGKILL at an instant of its own; then a checker, one more process, opens
the store as the next kernel would, looks whether what was acknowledged is there, and finishes the work.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torture_steps as steps
from others import fork
from torture_steps import lines_of, log

import resonate_nb as rnb
from resonate_nb.protocol import State
from resonate_nb.runtime import engine

KILLS = 10
WORKERS = 5
KEYS = 4
"""Promises of each function in one round: few, so that workers meet."""
SHORTEST_SECONDS, FIRST_SECONDS, LONGEST_SECONDS = 0.1, 0.25, 0.75
"""Within which workers are killed: longer on a machine that has other things to do, so that they come to their work."""
EACH_ONCE = (steps.once, steps.middle, steps.large, steps.parent, steps.flaky, steps.basket)
ONE_VALUE = ("awaited", *(function.__name__ for function in EACH_ONCE))
"""Nobody asks these to be run again: whoever calls them gets the value of the one run that was settled."""
RUN_ONCE = (*(name for name in ONE_VALUE if name != "flaky"), "charged")
"""A body of these that has come to its end is not run again while its process lives."""


# -- a worker ---------------------------------------------------------------------------------------------------------


def ask(chance: random.Random, first: int) -> None:
    """One use of the package, and a line for what it acknowledged."""
    x = first + chance.randrange(KEYS)
    match chance.choices(range(8), (6, 2, 1, 2, 2, 2, 2, 1))[0]:
        case 0 | 1 as many:
            function = chance.choice(EACH_ONCE) if many else steps.once
            if function is steps.large:
                x = first
            log("ack", function.__name__, x, function(x)["token"])
        case 2:
            log("ack", "again", x, steps.again.rerun(x)["token"])
        case 3:
            log("ack", "again", x, steps.again(x)["token"])
        case 4:
            log("ack", "failing", x, failure_of(x))
        case 5:
            log("ack", "fleeting", x, steps.fleeting(x)["token"])
            try:
                steps.fleeting.forget(x)
            except rnb.PromiseBusyError:
                log("busy", x)
        case 6:
            wanted = [x, first, x]

            async def gathered() -> list[dict[str, Any]]:
                return await asyncio.gather(*map(steps.awaited, wanted))

            for asked, value in zip(wanted, asyncio.run(gathered()), strict=True):
                log("ack", "awaited", asked, value["token"])
        case 7:
            for handle in rnb.search(f"*/{x}@1", state="pending"):
                if handle.id.startswith("once/"):
                    log("ack", "once", x, handle.result()["token"])


def failure_of(x: int) -> str:
    try:
        steps.failing(x)
    except ValueError as error:
        return str(error)
    raise AssertionError("it did not raise")


def work(store: Path, durability: Any, first: int, seed: int) -> NoReturn:
    """Ask for ever; every third worker on three threads at once."""
    rnb.configure(store=store, durability=durability)

    def ask_for_ever(number: int) -> NoReturn:
        chance = random.Random(f"{seed} {number}")
        try:
            while True:
                ask(chance, first)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    for number in range(2 if seed % 3 == 0 else 0):
        threading.Thread(target=ask_for_ever, args=(number,), daemon=True).start()
    ask_for_ever(-1)


# -- the checker ------------------------------------------------------------------------------------------------------


def check(store: Path, durability: Any, first: int) -> None:
    """All workers of this round are dead: what they acknowledged is there, the rest is free, and nothing is half."""
    rnb.configure(store=store, durability=durability)
    assert [] == engine().store.check(), engine().store.check()
    every = lines_of(Path(os.environ["TORTURE_LOG"]))
    lines = every[max(index for index, words in enumerate(every) if words[0] == "round") :]
    no_two_bodies_at_once(lines)
    acknowledged: dict[tuple[str, int], set[str]] = {}
    for words in lines:
        if words[0] == "ack":
            acknowledged.setdefault((words[1], int(words[2])), set()).add(words[3])
    for (name, x), tokens in acknowledged.items():
        found = settled_tokens(name, x)
        assert len(found) == len(set(found)), f"one run of {name}({x}) settled two generations: {found}"
        if name != "fleeting":
            assert tokens <= set(found), f"{name}({x}): {tokens - set(found)} acknowledged, and {found} stored"
        if name in ONE_VALUE:
            assert 1 == len(tokens), f"{name}({x}) was acknowledged with {tokens}"
    finish(first, acknowledged)
    for handle in rnb.search():
        attempts_add_up(handle)
    assert [] == rnb.search(state="pending")
    assert [] == engine().store.check(), engine().store.check()


def no_two_bodies_at_once(lines: list[list[str]]) -> None:
    """A body begins only when the run before it has ended or its process is being killed. One that nobody asks to
    repeat, only when that process is being killed: its end would have been its last."""
    running: dict[tuple[str, str], tuple[str, str]] = {}
    ended: set[str] = set()
    killed: set[str] = set()
    for words in lines:
        match words:
            case ["kill", pid]:
                killed.add(pid)
            case ["end", token]:
                ended.add(token)
            case ["run", name, x, pid, token]:
                before = running.get((name, x))
                if before is not None and before[0] not in killed:
                    assert before[1] in ended, f"two bodies of {name}({x}) at once: {before} and {(pid, token)}"
                    assert name not in RUN_ONCE, f"{name}({x}) ran in {before}, which lives, and in {(pid, token)}"
                running[name, x] = (pid, token)
                if name == "charged":
                    later = running.get((name, str(int(x) + 1)))
                    assert int(x) % 10 == 2 or later is None, f"charged({x}) ran again after {later} had begun"


def attempts_add_up(handle: rnb.Handle) -> None:
    """They are numbered without a gap, each has ended, and the last one as the promise did."""
    attempts = handle.attempts
    assert list(range(1, len(attempts) + 1)) == [attempt.number for attempt in attempts], attempts
    *former, last = attempts
    assert str(handle.state) == last.outcome, attempts
    assert {attempt.outcome for attempt in former} <= {"lost", "failed"}, attempts


def settled_tokens(name: str, x: int) -> list[str]:
    """The token in each settled generation, in whatever way it settled."""
    found = []
    for handle in rnb.search(f"{name}/{x}@1*"):
        if handle.state is State.REJECTED:
            found.append(str(handle.exception()))
        elif handle.state is State.RESOLVED:
            value = handle.result()
            assert set(value["filler"]) <= set(value["token"].encode())
            found.append(value["token"])
    return found


def finish(first: int, acknowledged: dict[tuple[str, int], set[str]]) -> None:
    """What was begun goes on in this process, at once, and comes to the value that others have seen."""
    for x in range(first, first + KEYS):
        for function in (*EACH_ONCE, steps.again, steps.fleeting):
            if function is steps.large and x != first:
                continue
            value = function(x)
            known = acknowledged.get((function.__name__, x), set())
            if function in EACH_ONCE and known:
                assert known == {value["token"]}
            if function is steps.basket:
                children = rnb.search(f"basket/{x}@1:*")
                assert sorted(value["parts"]) == sorted(child.result()["token"] for child in children)
            if function is steps.parent:
                children = {"once": steps.once(x)["token"], "middle": steps.middle(x)["token"]}
                assert children == value["children"]
        value = asyncio.run(_awaited(x))
        assert acknowledged.get(("awaited", x), {value["token"]}) == {value["token"]}
        assert failure_of(x) in settled_tokens("failing", x)
    rnb.forget("large/*")


async def _awaited(x: int) -> dict[str, Any]:
    return await steps.awaited(x)


# -- the killer -------------------------------------------------------------------------------------------------------


def kill_at_random(chance: random.Random, within_seconds: float, start: Callable[[int], int]) -> None:
    """Ten workers, five at a time, each killed at its own instant, which may be before it has opened the store."""
    doomed: list[tuple[float, int]] = []
    for number in range(KILLS + WORKERS - 1):
        if number < KILLS:
            heapq.heappush(doomed, (time.monotonic() + chance.uniform(0, within_seconds), start(number)))
        if number < WORKERS - 1:
            continue
        instant, pid = heapq.heappop(doomed)
        time.sleep(max(0.0, instant - time.monotonic()))
        log("kill", pid)
        os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert -signal.SIGKILL == status, f"worker {pid} had ended by itself, with {status}"


def main(store: Path, rounds: int, durability: str, seed: int) -> None:
    """Prints how many were killed, how many calls had been acknowledged, and how often a promise was taken over."""
    chance = random.Random(seed)
    steps.warm_up(store.with_name("warm"))
    within_seconds, acknowledged = FIRST_SECONDS, 0
    for number in range(rounds):
        first = number * KEYS
        log("round", number)
        kill_at_random(
            chance,
            within_seconds,
            lambda worker, first=first, number=number: fork(
                lambda: work(store, durability, first, seed * 1_000_000 + number * KILLS + worker)
            ),
        )
        pid = fork(lambda first=first: check(store, durability, first))
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), f"round {number}: the checker failed"
        lines = lines_of(Path(os.environ["TORTURE_LOG"]))
        acknowledged, before = sum(words[0] == "ack" for words in lines), acknowledged
        per_kill = (acknowledged - before) / KILLS
        longer = 1.5 if per_kill < 1 else 0.7 if per_kill > 3 else 1
        within_seconds = min(LONGEST_SECONDS, max(SHORTEST_SECONDS, longer * within_seconds))
    runs = [tuple(words[1:3]) for words in lines if words[0] == "run" and words[1] in RUN_ONCE]
    kills = sum(words[0] == "kill" for words in lines)
    print(kills, acknowledged, len(runs) - len(set(runs)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
