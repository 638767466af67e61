"""`dataclass` as the standard library has it, made without compiling, which takes half a millisecond for each class.

There are some seventy records in this package, and every session imports it. The methods made here are closures;
`__init__` alone is compiled, once a class is made often. Fields may have a default or a factory, no more, and
`fields`, `replace` and `astuple` of `dataclasses` work as ever. Type checkers see the standard library's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from dataclasses import _FIELD, MISSING, Field, FrozenInstanceError, field
    from inspect import get_annotations
    from operator import attrgetter
    from reprlib import recursive_repr

    _FEW = 32
    """So many instances of a class are made before its `__init__` is compiled, which takes as long as they do. Most
    records of a session are fewer."""

    def dataclass(*, frozen=False, slots=False, eq=True):
        """The class as a record: see the module."""

        def made(cls):
            if hasattr(cls, "__post_init__"):
                raise TypeError(f"{cls.__qualname__} has a __post_init__, which only `dataclasses.dataclass` calls")
            own = {name: _field(cls, name, hint) for name, hint in get_annotations(cls).items()}
            fields = {}
            for base in reversed(cls.__mro__[1:]):
                fields |= base.__dict__.get("__dataclass_fields__", {})
            fields |= own
            record = _slotted(cls, tuple(own)) if slots else _with_defaults(cls, own)
            record.__doc__ = cls.__doc__ or cls.__name__
            record.__dataclass_fields__ = fields
            record.__match_args__ = tuple(fields)
            _add_methods(record, tuple(fields), frozen, slots, eq)
            return record

        return made

    def _field(cls, name, hint):
        """As the standard library describes a field, so that its functions know it."""
        default = cls.__dict__.get(name, MISSING)
        made = default if isinstance(default, Field) else field(default=default)
        if made.kw_only is True or not (made.init and made.repr and made.compare and made.hash is None):
            raise TypeError(f"field {name!r} of {cls.__qualname__} asks for more than a default")
        if any(word in str(hint) for word in ("ClassVar", "InitVar", "KW_ONLY")):
            raise TypeError(f"{name!r} of {cls.__qualname__} is no field, and only `dataclasses.dataclass` knows")
        made.name, made.type, made.kw_only, made._field_type = name, hint, False, _FIELD
        return made

    def _has_default(one):
        return one.default is not MISSING or one.default_factory is not MISSING

    def _with_defaults(cls, own):
        for name, one in own.items():
            if one.default is not MISSING:
                setattr(cls, name, one.default)
            elif name in cls.__dict__:
                delattr(cls, name)
        return cls

    def _slotted(cls, names):
        """The class once more, since slots cannot be added to one that is there."""
        left_out = {*names, "__dict__", "__weakref__"}
        members = {name: value for name, value in cls.__dict__.items() if name not in left_out}
        made = type(cls)(cls.__name__, cls.__bases__, members | {"__slots__": names})
        made.__qualname__ = cls.__qualname__
        return made

    def _add_methods(cls, names, frozen, slots, eq):
        values = attrgetter(*names, "__class__")

        made = 0
        others = {name: one for name, one in cls.__dataclass_fields__.items() if _has_default(one)}

        def __init__(self, *args, **kwargs):
            nonlocal made
            made += 1
            values = dict(zip(names, args, strict=False)) | kwargs
            if made <= _FEW and len(values) == len(args) + len(kwargs):  # no more than there are, and none twice
                for name, one in others.items():
                    if name not in values:
                        values[name] = one.default if one.default is not MISSING else one.default_factory()
                if values.keys() == cls.__dataclass_fields__.keys():
                    for name, value in values.items():
                        object.__setattr__(self, name, value)
                    return
            # The compiled one also says what is wrong with the arguments.
            cls.__init__ = _compiled_init(cls)
            cls.__init__(self, *args, **kwargs)

        @recursive_repr()
        def __repr__(self):
            shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
            return f"{self.__class__.__qualname__}({shown})"

        def __eq__(self, other):
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        def __hash__(self):
            return hash(values(self))

        def __setattr__(self, name, value):
            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name):
            raise FrozenInstanceError(f"cannot delete field {name!r}")

        def __getstate__(self):
            return [getattr(self, name) for name in names]

        def __setstate__(self, state):
            for name, value in zip(names, state, strict=True):
                object.__setattr__(self, name, value)

        methods = [__init__, __repr__]
        methods += [__eq__] if eq else []
        methods += [__hash__] if eq and frozen else []
        methods += [__setattr__, __delattr__] if frozen else []
        methods += [__getstate__, __setstate__] if frozen and slots else []
        for method in methods:
            if method.__name__ not in cls.__dict__:
                method.__qualname__ = f"{cls.__qualname__}.{method.__name__}"
                setattr(cls, method.__name__, method)
        if eq and not frozen:
            cls.__hash__ = None

    def _compiled_init(cls):
        """What the standard library would have made of the fields."""
        # With the name of this module it is known as ours; without one it would count as the user's, put in by them.
        given, lines, names = [], [], {"__name__": __name__, "_set": object.__setattr__, "_none": object()}
        for name, one in cls.__dataclass_fields__.items():
            if one.default is not MISSING:
                names[f"_default_{name}"] = one.default
                given.append(f"{name}=_default_{name}")
                lines.append(f"_set(self, {name!r}, {name})")
            elif one.default_factory is not MISSING:
                names[f"_make_{name}"] = one.default_factory
                given.append(f"{name}=_none")
                lines.append(f"_set(self, {name!r}, _make_{name}() if {name} is _none else {name})")
            else:
                given.append(name)
                lines.append(f"_set(self, {name!r}, {name})")
        exec(f"def __init__(self, {', '.join(given)}):\n " + "\n ".join(lines or ["pass"]), names)
        names["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
        return names["__init__"]


__all__ = ["dataclass"]
