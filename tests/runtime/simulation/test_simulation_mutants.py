"""The simulation finds faults that are put in on purpose, each within a few hundred histories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sim_law import run_law
from sim_ledger import Violation
from sim_mutants import ENGINES, LAWS, TOO_MANY_TRIES
from sim_schedule import Failure, Plan, run

from resonate_nb.runtime import Engine

pytestmark = pytest.mark.slow

SEEDS = 400


def first_violation(play: Callable[[int], Any]) -> str:
    """What it says, "" when all histories hold; a mutant that fails by itself is no answer."""
    for seed in range(SEEDS):
        try:
            play(seed)
        except Violation as found:
            return str(found)
        except Failure as failure:
            if not isinstance(failure.__cause__, Violation):
                raise
            return str(failure)
    return ""


@pytest.mark.parametrize("mutant", LAWS, ids=lambda law: law.__name__)
def test_a_broken_law_is_found(mutant: Any):
    """Each rule that a mutant breaks is one that somebody relies on."""
    assert "" != first_violation(lambda seed: run_law(seed, law=mutant))


@pytest.mark.parametrize("mutant", ENGINES, ids=lambda engine: engine.__name__)
def test_a_broken_runtime_is_found(mutant: type[Engine]):
    """The same for what the runtime adds to the law."""
    within = getattr(mutant, "within", {})
    assert "" != first_violation(lambda seed: run(Plan(seed, engine_class=mutant, **within)))


def test_a_policy_that_allows_too_much_is_found():
    """The number of attempts is a promise too."""
    assert "beyond the budget" in first_violation(lambda seed: run(Plan(seed, names=TOO_MANY_TRIES)))
