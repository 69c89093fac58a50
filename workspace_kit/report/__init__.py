"""Frames in, pages out: a workspace's story as HTML text and as pictures. Nothing here writes a file.

A panel of one's own is a `Panel` whose function takes the `Story` and returns blocks: `Note`, `chart`,
`table`. Drawings take their colours from `colour` (``ensemble``, ``gain``, ``loss``, ``muted``, ``ink``), so
that they follow the page's theme.
"""

from workspace_kit.report.blocks import Block, Note, chart, table
from workspace_kit.report.index import index_page
from workspace_kit.report.ink import blank, colour, place
from workspace_kit.report.page import Report, page, performance_chart, report
from workspace_kit.report.panels import Panel
from workspace_kit.report.story import Story

__all__ = [
    "Block",
    "Note",
    "Panel",
    "Report",
    "Story",
    "blank",
    "chart",
    "colour",
    "index_page",
    "page",
    "performance_chart",
    "place",
    "report",
    "table",
]
