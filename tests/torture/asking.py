"""One of many processes that ask for the same hundred promises.

    python asking.py SEED

A wait here has no tick of its own: what ends it is the feed, which tells that somebody has committed, or nothing does.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import torture_steps as steps
from torture_steps import begun, ended

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import engine

PROMISES = 100
NEVER_SECONDS = 3600.0


def say(*words: object) -> None:
    print(*words, flush=True)


@durable(id="held/{x}", version=1, ignore=("begun", "ended", "say", "sys"))
def held(x: int) -> dict[str, Any]:
    """Its body goes on when its process is told to."""
    token = begun("held", x)
    say("in the middle")
    sys.stdin.readline()
    return ended(token)


def without_ticks() -> list[str]:
    """From here on a wait ends by news only. Returns where each wait leaves a word."""
    waits: list[str] = []
    feed = engine().feed
    wait = feed.wait

    def wait_for_news(seen: int, _: float) -> None:
        if not waits:
            say("waiting")
        waits.append("wait")
        wait(seen, NEVER_SECONDS)

    feed.wait = wait_for_news  # type: ignore[method-assign]
    return waits


if __name__ == "__main__":
    steps.begin()
    rnb.configure(durability="process")
    waits = without_ticks()
    say("ready")
    sys.stdin.readline()
    tokens = [held(0)["token"]]
    order = random.Random(int(sys.argv[1])).sample(range(1, PROMISES), PROMISES - 1)
    found = {x: steps.once(x)["token"] for x in order}
    tokens += [found[x] for x in range(1, PROMISES)]
    say(*tokens)
    say(len(waits))
