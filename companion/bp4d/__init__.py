"""The BP4D tree on disk, read into a table of frames and a quarantine list."""

from companion.bp4d.folders import AU_NAMES
from companion.bp4d.frames import read_frames

__all__ = ["AU_NAMES", "read_frames"]
