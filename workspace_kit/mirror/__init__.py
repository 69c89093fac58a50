"""A columnar copy of what was read, kept current by reading only what changed; deletable at any time."""

from workspace_kit.mirror.manifest import Parts, mirror_folder
from workspace_kit.mirror.refresh import Progress, refresh

__all__ = ["Parts", "Progress", "mirror_folder", "refresh"]
