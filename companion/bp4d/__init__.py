"""The BP4D tree on disk, read into a table of frames and a quarantine list."""

from companion.bp4d.frames import read_frames
from companion.bp4d.layout import AU_NAMES

__all__ = ["AU_NAMES", "read_frames"]
