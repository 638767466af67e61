"""What the simulation has found, each as a plain test: histories that went wrong once."""

from __future__ import annotations

from glob import escape

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import Engine


def test_a_forgotten_call_takes_its_children_with_it(engine: Engine):
    """They lie at places in it. Left behind they would be met, and not be written, by the next call of its id."""
    runs: list[int] = []

    @durable(keyed_by="call", ignore=("runs",))
    def step(x):
        runs.append(x)
        return len(runs)

    @durable(ignore=("runs", "step"))
    def order(x):
        return step(x)

    assert 1 == order(7)
    below = escape(order.get(7).id) + ":*"
    children = [handle.id for handle in rnb.search(below)]
    assert 1 == len(children)
    assert {order.get(7).id, *children} == set(order.forget(7))
    assert [] == rnb.search(below)
    assert 2 == order(7)
    assert 2 == order(7)
