"""What a record looks like: rows, static HTML and text, and the page's ES module. Pure: no state, no widgets."""

from ._assets import inspector_module, inspector_style
from ._format import age, count, duration, instant, one_line, plain, size
from ._html import (
    counts_text,
    detail_payload,
    details_html,
    details_text,
    handle_html,
    handle_text,
    outputs_html,
    outputs_text,
    table_html,
    table_text,
    tally_text,
)
from ._rows import LOOKS, Look, Row, Segment, coming_text, counts, reading_order, row_of, rows_of, segment_bytes

__all__ = [
    "LOOKS",
    "Look",
    "Row",
    "Segment",
    "age",
    "coming_text",
    "count",
    "counts",
    "counts_text",
    "detail_payload",
    "details_html",
    "details_text",
    "duration",
    "handle_html",
    "handle_text",
    "inspector_module",
    "inspector_style",
    "instant",
    "one_line",
    "outputs_html",
    "outputs_text",
    "plain",
    "reading_order",
    "row_of",
    "rows_of",
    "segment_bytes",
    "size",
    "table_html",
    "table_text",
    "tally_text",
]
