"""Many processes that ask for the same hundred promises.

    python asking.py STORE PROCESSES

They are forked from this process, which has imported the package and opened nothing. A wait of theirs has no tick of
its own: what ends it is the feed, which tells that somebody has committed, or nothing does.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import torture_steps as steps
from others import Line, Other
from torture_steps import begun, ended

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import engine

PROMISES = 100
NEVER_SECONDS = 3600.0


@durable(id="held/{x}", version=1, ignore=("begun", "ended", "hold"))
def held(x: int) -> dict[str, Any]:
    token = begun("held", x)
    hold()
    return ended(token)


hold: Callable[[], object]


def count_waits_without_ticks(driver: Line) -> list[str]:
    """From here on a wait ends by news only. Returns where each wait leaves a word; the driver is told of the first."""
    waits: list[str] = []
    feed = engine().feed
    wait = feed.wait

    def wait_for_news(seen: int, _: float) -> None:
        if not waits:
            driver.say("waiting")
        waits.append("wait")
        wait(seen, NEVER_SECONDS)

    feed.wait = wait_for_news  # type: ignore[method-assign]
    return waits


def ask(store: Path, number: int, driver: Line) -> NoReturn:
    """Asks for the first promise when told to, then for the others in orders of its own; says all tokens, and how
    often it has waited."""
    global hold
    hold = lambda: driver.ask("in the middle")  # noqa: E731
    rnb.configure(store=store, durability="process")
    waits = count_waits_without_ticks(driver)
    driver.say("ready")
    driver.hear()
    first = held(0)["token"]

    def ask_for_the_others(seed: str) -> list[str]:
        order = random.Random(seed).sample(range(1, PROMISES), PROMISES - 1)
        found = {x: steps.once(x)["token"] for x in order}
        return [found[x] for x in range(1, PROMISES)]

    # Two threads, so that news which one of them meets while it looks must still wake the other.
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(ask_for_the_others, f"{number} beside")
        found = ask_for_the_others(f"{number}")
        assert found == beside.result()
    driver.say(len(waits), first, *found)
    driver.hear()
    raise AssertionError("told to go on")


def main(store: Path, processes: int) -> None:
    """Prints how many values there are, how many different ones, and how often somebody waited."""
    steps.warm_up(store.with_name("warm"))
    others = [Other(lambda driver, number=number: ask(store, number, driver)) for number in range(processes)]
    try:
        assert [["ready"]] * processes == [other.hear() for other in others]
        for other in others:
            other.say("go")
        # One has the first promise, and holds it until all others have said that they wait.
        said = [other.hear() for other in others]
        assert [["in", "the", "middle"], *[["waiting"]] * (processes - 1)] == sorted(said)
        others[said.index(["in", "the", "middle"])].say("go on")
        ends = []
        for other in others:
            while (end := other.hear()) == ["waiting"]:
                pass  # the one that held it had not waited until then, and both of its threads may say so now
            ends.append(end)
    finally:
        for other in others:
            other.end()
    tokens = [token for end in ends for token in end[1:]]
    print(len(tokens), len(set(tokens)), sum(int(end[0]) for end in ends))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
