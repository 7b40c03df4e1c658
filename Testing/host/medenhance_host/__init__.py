"""A small stand-in for 3D Slicer: real MRML (slicer-core), real Qt (PySide6), Slicer's rules. See ../README.md."""

from medenhance_host.host import SOURCE_TREE, Host, install

__all__ = ["SOURCE_TREE", "Host", "install"]
