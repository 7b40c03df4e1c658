"""Pictures of every panel: ``python -m medenhance_host.screenshots FOLDER [--scale 1 1.5 2] [--theme light dark]``.

Qt reads the scale when it starts, so each scale is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from medenhance_host.host import SOURCE_TREE, Host, install

WIDTH = 460
SAMPLE_LIMIT_S = 300.0
COLOURS = {
    "Window": 0x353535,
    "WindowText": 0xF0F0F0,
    "Base": 0x232323,
    "AlternateBase": 0x353535,
    "Text": 0xF0F0F0,
    "Button": 0x404040,
    "ButtonText": 0xF0F0F0,
    "ToolTipBase": 0x353535,
    "ToolTipText": 0xF0F0F0,
    "Highlight": 0x2A82DA,
    "HighlightedText": 0x000000,
    "Link": 0x5AA9F0,
    "PlaceholderText": 0x909090,
}


def main(arguments: list[str] | None = None) -> int:
    """Take the pictures; returns an exit code."""
    parser = argparse.ArgumentParser(description="Pictures of the panels, named MODULE-THEME-SCALE.png.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", nargs="+", type=float, default=[1.0])
    parser.add_argument("--theme", nargs="+", choices=["light", "dark"], default=["light"])
    parser.add_argument("--modules", nargs="+", default=None, help="names of modules; all by default")
    parser.add_argument("--sample", action="store_true", help="run panels that have a sample on it first")
    parser.add_argument("--tree", type=Path, default=SOURCE_TREE, help="folder of the module files")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    scale = os.environ.get("QT_SCALE_FACTOR")
    if len(options.scale) > 1 or scale != f"{options.scale[0]}":
        return max(inOwnProcess(options, one) for one in options.scale)
    host = install(options.tree)
    for theme in options.theme:
        paint(host, theme)
        for name in options.modules or host.moduleNames():
            take(host, name, options.folder / f"{name}-{theme}-{options.scale[0]:g}.png", options.sample)
    return 0


def inOwnProcess(options: argparse.Namespace, scale: float) -> int:
    command = [sys.executable, "-m", "medenhance_host.screenshots", str(options.folder), "--scale", str(scale)]
    command += ["--theme", *options.theme, "--tree", str(options.tree)]
    command += ["--modules", *options.modules] if options.modules else []
    command += ["--sample"] if options.sample else []
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "QT_SCALE_FACTOR": str(scale), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run(command, env=environment, check=False).returncode


def paint(host: Host, theme: str) -> None:
    """Slicer's two looks: Qt's Fusion style with a light or a dark palette."""
    from PySide6.QtGui import QColor, QFontDatabase, QPalette

    if not QFontDatabase.families():
        raise SystemExit("no fonts: text would be empty boxes; install some, such as fonts-dejavu-core")
    host.app.setStyle("Fusion")
    palette = host.app.style().standardPalette()
    if theme == "dark":
        for name, colour in COLOURS.items():
            palette.setColor(QPalette.ColorRole[name], QColor(colour))
        for name in ("WindowText", "Text", "ButtonText"):
            palette.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole[name], QColor(0x808080))
    host.app.setPalette(palette)


def take(host: Host, name: str, path: Path, withSample: bool) -> None:
    """One picture of a panel as wide as Slicer's module panel, as high as it wants to be."""
    host.renew()
    panel = host.openModule(name)
    if withSample and hasattr(panel, "onLoadSample"):
        runSample(host, panel)
    widget = panel.parent._qt
    widget.resize(WIDTH, 100)
    widget.show()
    for _ in range(3):
        host.processEvents(0.05)
        height = widget.layout().heightForWidth(WIDTH) if widget.layout().hasHeightForWidth() else 0
        widget.resize(WIDTH, max(height, widget.sizeHint().height()))
    picture = widget.grab()
    if not picture.save(str(path)):
        raise SystemExit(f"could not write {path}")
    print(f"{path}: {picture.width()} x {picture.height()}")
    host.closeModule(name)


def runSample(host: Host, panel: Any) -> None:
    """Do what a user does first: load the sample and press Apply."""
    panel.onLoadSample()
    panel.ui.applyButton.click()
    host.waitFor(lambda: not panel.controls.isRunning, SAMPLE_LIMIT_S)
    # The first time, the packages are checked before the run begins.
    host.processEvents(0.2)
    host.waitFor(lambda: not panel.controls.isRunning, SAMPLE_LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
