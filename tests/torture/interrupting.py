"""Ctrl-C at random instants of a call, hundreds of times: it was heard, and the promise is settled or free.

    python interrupting.py STORE ROUNDS SEED

All are forked from this process, which has imported the package and opened nothing: a *victim* makes one call after
another and gets one or two SIGINTs in each; a *looker* looks after each what became of the promise, from another
process, and calls the function in its turn; a *holder* owns the promises that the victim is to wait for.
"""

from __future__ import annotations

import asyncio
import gc
import mmap
import os
import random
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torture_steps as steps
from others import Line, Other
from torture_steps import begun, ended, lines_of

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.protocol import State
from resonate_nb.runtime import engine

FIRST_SECONDS = 0.03
LONGEST_SECONDS = 0.3


sent = mmap.mmap(-1, 8)
"""Shared by all: the number of the round whose interrupts are all sent."""


@durable(id="held/{x}", version=1, ignore=("begun", "ended", "release", "taken"))
def held(x: int) -> dict[str, Any]:
    token = begun("held", x)
    taken()
    release()
    return ended(token)


taken: Callable[[], object]
release: Callable[[], object]


def token_of_handle(x: int) -> str:
    handle = held.get(x)
    assert handle is not None
    return handle.result()["token"]


async def _await_handle(x: int) -> str:
    handle = held.get(x)
    assert handle is not None
    return (await handle)["token"]


async def _gather(x: int) -> str:
    values = await asyncio.gather(steps.awaited(x), steps.awaited(x))
    assert values[0] == values[1]
    return values[0]["token"]


MODES: dict[str, tuple[Any, Callable[[int], str]]] = {
    "first": (steps.once, lambda x: steps.once(x)["token"]),
    "small": (steps.once, lambda x: steps.once(x)["token"]),
    "middle": (steps.middle, lambda x: steps.middle(x)["token"]),
    "large": (steps.large, lambda x: steps.large(x)["token"]),
    "encoding": (steps.slow_to_store, lambda x: steps.slow_to_store(x)["token"]),
    "nested": (steps.parent, lambda x: steps.parent(x)["token"]),
    "awaited": (steps.awaited, lambda x: asyncio.run(_gather(x))),
    "waits": (held, lambda x: held(x)["token"]),
    "waits_for_handle": (held, token_of_handle),
    "awaits_handle": (held, lambda x: asyncio.run(_await_handle(x))),
}

ON_A_LOOP = ("awaited", "awaits_handle")
"""Where asyncio.run hears the interrupt. A second one can leave the loop itself in pieces, and one that comes while it
is taken apart is lost in a finalizer, whatever it runs."""


# -- the victim -------------------------------------------------------------------------------------------------------


def be_interrupted(driver: Line) -> NoReturn:
    """Calls when told to; says whether it got a value, and how many interrupts came, if one was raised."""
    while True:
        mode, x = driver.hear()
        if mode == "leave":
            owner = engine().store.owner
            rnb.configure(store="elsewhere")
            driver.say(owner)
            continue
        # What loops of earlier rounds have left is gone: an interrupt that comes in its finalizers is lost there, and
        # one that came as asyncio.run ended has left its handler standing (Lib/asyncio/runners.py: `Runner.run` raises
        # before it has put the former one back). From then on no run would set its own, and an interrupt would be
        # raised wherever the loop is, which drops what it was about to call: plain asyncio hangs then as well.
        gc.collect()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        driver.say(*interrupted_call(mode, int(x), driver))


def interrupted_call(mode: str, x: int, driver: Line) -> tuple[str, str, int]:
    token, came, is_done, is_caught = "", 0, False, False

    def interrupt(*_: object) -> None:
        nonlocal came
        came += 1
        if not is_caught:
            raise KeyboardInterrupt

    if mode not in ON_A_LOOP:  # asyncio.run takes over from Python's own handler only
        signal.signal(signal.SIGINT, interrupt)
    try:
        driver.say("begin")
        token = MODES[mode][1](x)
        is_done = True
        wait_for_the_last_interrupt(x)
    # One that comes before asyncio.run has begun to count leaves it as a cancellation.
    except (KeyboardInterrupt, asyncio.CancelledError) as stop:
        is_caught = True  # before anything else: the next one would leave this block by the way of an error
        # Kept, as a notebook keeps the last one, with all that its frames hold.
        sys.last_value = stop
    wait_for_the_last_interrupt(x)
    return ("returned" if is_done else "interrupted"), token or "-", came if is_caught else 0


def wait_for_the_last_interrupt(x: int) -> None:
    """When this returns, what was sent in round `x` has come: at the latest with the end of its last system call."""
    while struct.unpack("=Q", sent)[0] != x:
        os.sched_yield()
    for _ in range(3):
        os.sched_yield()


def be_interrupted_at_once(driver: Line) -> NoReturn:
    """The first call of a process, which opens the store; and another one, which must find it whole."""
    mode, x = driver.hear()
    driver.say(*interrupted_call(mode, int(x), driver))
    driver.hear()
    driver.say(steps.once(int(x))["token"])
    driver.hear()
    raise AssertionError("told to go on")


# -- the looker -------------------------------------------------------------------------------------------------------


def look(driver: Line) -> NoReturn:
    """Told of a call that was interrupted, or returned: looks, calls in its turn, and says what it was like."""
    rnb.configure(durability="process")
    while True:
        mode, x, outcome, token = driver.hear()
        if mode == "end":
            assert not engine().store.is_alive(x), "the interrupted process cannot let go of its store"
            assert [] == rnb.search(state="pending")
            assert [] == engine().store.check(), engine().store.check()
            driver.say("sound")
        elif mode == "tell":
            driver.say(steps.once(int(x))["token"])
        else:
            driver.say(looked(mode, int(x), outcome, token))


def looked(mode: str, x: int, outcome: str, token: str) -> str:
    function = MODES[mode][0]
    handle = function.get(x)
    state = "absent" if handle is None else "free" if handle.state is State.PENDING else str(handle.state.value)
    if handle is not None and state == "free":
        assert handle.owner is None, f"{handle} is held by {handle.owner}"
    assert state in ("absent", "free", "resolved"), f"{mode} {x}: {handle} after the call was {outcome}"
    assert state == "resolved" or outcome == "interrupted", f"{mode} {x}: returned {token}, and {handle} is stored"
    before = runs_of(function.__name__, x)
    value = asyncio.run(_async_call(x)) if mode == "awaited" else function(x)
    assert outcome == "interrupted" or value["token"] == token
    after = runs_of(function.__name__, x)
    assert after == before + (state != "resolved"), f"{mode} {x}: {handle} has run {before} times, and then {after}"
    assert after <= 2
    return state


async def _async_call(x: int) -> dict[str, Any]:
    return await steps.awaited(x)


def runs_of(name: str, x: int) -> int:
    lines = lines_of(Path(os.environ["TORTURE_LOG"]))
    return sum(words[:3] == ["run", name, str(x)] for words in lines)


# -- the holder -------------------------------------------------------------------------------------------------------


def hold(driver: Line) -> NoReturn:
    """Takes the promise that it is told, says so, and keeps it until it is told to let go; says the token."""
    global taken, release
    taken, release = (lambda: driver.say("taken")), driver.hear
    while True:
        (x,) = driver.hear()
        driver.say(held(int(x))["token"])


# -- all of it --------------------------------------------------------------------------------------------------------


def main(store: Path, rounds: int, seed: int) -> None:
    """Prints how often a call was interrupted or returned and how its promise was then, for each way to call."""
    chance = random.Random(seed)
    steps.warm_up(store.with_name("warm"))
    rnb.configure(store=store, durability="full")
    victim, looker, holder = others = Other(be_interrupted), Other(look), Other(hold)
    try:
        found = interrupt_at_random(chance, rounds, victim, looker, holder)
    finally:
        for other in others:
            other.end()
    for words, count in sorted(found.items()):
        print(*words, count)


def missed(found: dict[tuple[str, ...], int]) -> list[str]:
    """The ways to call of which something has not been met that has to be: else the rest would show little."""
    states = {mode: {state for other, _, state in found if other == mode} for mode in MODES}
    # Of its own promise a call is interrupted before and after the settlement, of another's it is only a guest.
    wanted = {mode: {"resolved"} if of is held else {"free", "resolved"} for mode, (of, _) in MODES.items()}
    modes = [mode for mode in MODES if not wanted[mode] <= states[mode]]
    # An interrupt that comes while a finished body is stored is held back until it is.
    return modes if ("encoding", "interrupted", "resolved") in found else [*modes, "encoding"]


def interrupt_at_random(
    chance: random.Random, rounds: int, victim: Other, looker: Other, holder: Other
) -> dict[tuple[str, ...], int]:
    """How often, by the way to call, what became of the call, and how its promise was found."""
    lasts: dict[str, float] = dict.fromkeys(MODES, FIRST_SECONDS)
    found: dict[tuple[str, ...], int] = {}
    before: Other | None = None
    newcomer: Other | None = None
    for x in range(1, 2 * rounds * len(MODES) + 1):
        # What chance has left out by then comes in further rounds.
        modes = list(MODES) if x <= rounds * len(MODES) else missed(found)
        if not modes:
            break
        mode = chance.choice(modes)
        waits = MODES[mode][0] is held
        if waits:
            assert ["taken"] == holder.ask(x)
        if mode == "first":
            before, newcomer = newcomer, Other(be_interrupted_at_once)
        hit = newcomer if mode == "first" else victim
        assert hit is not None
        assert ["begin"] == hit.ask(mode, x)
        times = 1 if mode in ON_A_LOOP else chance.choice((1, 1, 2))
        instants = sorted(chance.uniform(0, lasts[mode]) for _ in range(times))
        began = time.monotonic()
        for instant in instants:
            time.sleep(max(0.0, began + instant - time.monotonic()))
            os.kill(hit.pid, signal.SIGINT)
        sent[:] = struct.pack("=Q", x)
        outcome, token, came = hit.hear()
        if mode not in ON_A_LOOP:
            assert 1 <= int(came) <= times, f"{mode} {x}: {outcome}, and {came} of {times} interrupts came"
        # Most instants shall be inside the call: what returns early is interrupted earlier from now on. A wait lasts
        # for ever.
        if not waits:
            lasts[mode] = min(LONGEST_SECONDS, max(0.001, lasts[mode] * (0.7 if outcome == "returned" else 1.2)))
        else:
            assert "interrupted" == outcome
            token = holder.ask("let go")[0]
            outcome = "returned"
        (state,) = looker.ask(mode, x, outcome, token)
        if hit is newcomer:
            assert hit.ask("once more") == looker.ask("tell", x, "-", "-")
            # Until now it was still there, with whatever locks its interrupt had left it.
            if before is not None:
                before.end()
        found[mode, outcome, state] = found.get((mode, outcome, state), 0) + 1
    if newcomer is not None:
        newcomer.end()
    (owner,) = victim.ask("leave", 0)
    assert ["sound"] == looker.ask("end", owner, "-", "-")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
