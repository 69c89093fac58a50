"""Frames in, pages out: a workspace's story as HTML text and as a picture. Nothing here writes a file."""

from workspace_kit.report.index import index_page
from workspace_kit.report.page import page, performance_chart
from workspace_kit.report.story import Story

__all__ = ["Story", "index_page", "page", "performance_chart"]
