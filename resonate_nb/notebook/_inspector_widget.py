"""The live inspector's kernel side: traits that the page reads. Imported only where anywidget is there."""

from __future__ import annotations

import anywidget
import traitlets

from resonate_nb.view import inspector_module, inspector_style


class InspectorWidget(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget's base is untyped
    """A view of promises. Everything goes from the kernel to the page; back come only requests for details."""

    _esm = inspector_module()
    _css = inspector_style()

    def __repr__(self) -> str:
        # What a page says that cannot show the widget, above the static table.
        return "the live view needs a running kernel; this is how it last stood:"

    token = traitlets.Unicode().tag(sync=True)
    """Names this inspector on its page: the static table beside it carries the same."""
    title = traitlets.Unicode().tag(sync=True)
    scope = traitlets.Unicode().tag(sync=True)
    """What the list is narrowed to, for people; empty for all promises."""
    note = traitlets.Unicode().tag(sync=True)
    """One line for the foot, e.g. that only the newest rows are shown."""
    problem = traitlets.Unicode().tag(sync=True)
    """What went wrong in the last look; empty while all is well."""
    closed = traitlets.Bool(False).tag(sync=True)
    base = traitlets.Bytes().tag(sync=True)
    middle = traitlets.Bytes().tag(sync=True)
    tail = traitlets.Bytes().tag(sync=True)
