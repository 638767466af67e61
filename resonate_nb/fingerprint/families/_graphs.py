"""networkx: graphs by their kind, nodes and edges in the order in which they are met, and all attributes."""

from __future__ import annotations

import sys
from typing import Any

from ..values._containers import attributes
from ..values._instances import attributes_of
from ..values._reduced import handler_of as handler_of_others
from ..values._walk import Attribute, Children, Handler, Walk

# What a graph keeps of itself, as content or to answer faster: it is written by other means.
_OWN = frozenset(("graph", "_node", "_adj", "_succ", "_pred"))


def handler_of(cls: type) -> Handler:
    """The handler for objects of one class of networkx."""
    return subclass_of(cls) or handler_of_others(cls)


def subclass_of(cls: type) -> Handler | None:
    """The handler for a class of graphs, by whomever; None for all others."""
    networkx: Any = sys.modules.get("networkx")
    if networkx is None or not hasattr(networkx, "Graph") or not issubclass(cls, networkx.Graph):
        return None
    # Properties that fill themselves: views of the graph.
    views = frozenset(
        name
        for owner in cls.__mro__
        for name, member in vars(owner).items()
        if type(member).__name__ in ("cached_property", "_CachedPropertyResetterAdj", "_CachedPropertyResetterPred")
    )
    passed_over = _OWN | views | {"__networkx_cache__"}

    def write(walk: Walk, value: Any) -> Children | None:
        if walk.met(value):
            return None
        walk.pen.write(b"graph;")
        walk.token(cls)
        return parts(walk, value)

    def parts(walk: Walk, value: Any) -> Children:
        yield Attribute("graph"), value.graph
        yield Attribute("nodes"), dict(value._node)
        yield Attribute("adj"), {node: dict(value._adj[node]) for node in value._adj}
        if value.is_directed():
            yield Attribute("pred"), {node: list(value._pred[node]) for node in value._pred}
        more = {name: part for name, part in attributes_of(value).items() if name not in passed_over}
        yield from attributes(walk, more)

    return write
