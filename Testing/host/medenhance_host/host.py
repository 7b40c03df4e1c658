"""Puts the stand-ins where modules look for them, and starts each test in a fresh scene."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE_TREE = Path(__file__).resolve().parents[3] / "MedEnhance"

_host: Host | None = None


def install(modulesFolder: Path | str = SOURCE_TREE) -> Host:
    """The host of this process, made on the first call.

    Args:
        modulesFolder: Folder of the module files, in a source tree or installed; appended to sys.path as Slicer does.
    """
    global _host
    if _host is None:
        # Without a display Qt would end the process.
        if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY") and sys.platform == "linux":
            os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        _host = Host()
    _host.useFolder(Path(modulesFolder))
    return _host


class Host:
    """Slicer, as far as tests of the panels need it.

    Attributes:
        app: slicer.app unwrapped; ``host.app.testing`` is what testingEnabled() answers.
        dialogs: What opened, and answers to give.
        packages: What pip was asked for.
        modulesFolder: Where modules are loaded from.
        dicomDatabase: slicer.dicomDatabase; a dict of instance UID to file.
    """

    def __init__(self) -> None:
        import slicer

        from medenhance_host import dialogs, namespaces, python_slicer

        python_slicer.putOnPath()
        namespaces.install()
        from medenhance_host.application import qSlicerApplication
        from medenhance_host.packaging import packages

        self.app = qSlicerApplication()
        slicer.app = self._wrapped(self.app)
        self.dialogs, self.packages = dialogs.dialogs, packages
        dialogs.install()
        self.modulesFolder = SOURCE_TREE
        self._folder: Path | None = None
        self.renew()
        atexit.register(self.shutDown)
        # VTK and PySide6 report what observers and overridden methods raise through this hook, and go on.
        sys.excepthook = self._raised

    def _raised(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        from medenhance_host import pythonqt

        sys.__excepthook__(kind, error, trace)
        pythonqt.handlerErrors.append((error, "".join(traceback.format_exception(kind, error, trace))))

    @staticmethod
    def _wrapped(obj: Any) -> Any:
        from medenhance_host.pythonqt import wrap

        return wrap(obj)

    def useFolder(self, folder: Path) -> None:
        """Load modules from this folder from now on."""
        if folder != self.modulesFolder:
            for name in [one for one in sys.modules if one.split(".")[0] in ("MedEnhanceLib", *self.moduleNames())]:
                del sys.modules[name]
            sys.path[:] = [one for one in sys.path if one != str(self.modulesFolder)]
        self.modulesFolder = folder
        if str(folder) not in sys.path:
            sys.path.append(str(folder))

    def moduleNames(self) -> list[str]:
        """Names of the module files, as Slicer finds them: every .py directly in the folder."""
        return sorted(path.stem for path in self.modulesFolder.glob("*.py"))

    def renew(self) -> None:
        """A fresh scene, settings, temporary folder; closed modules, no dialogs, no errors."""
        from medenhance_host import pythonqt, scenes

        self.closeAll()
        self.dialogs.clear()
        self.packages.clear()
        pythonqt.handlerErrors.clear()
        pythonqt.handlerTimes.clear()
        self.removeFolder()
        self._folder = Path(tempfile.mkdtemp(prefix="medenhance-host-"))
        self.dicomDatabase = scenes.renew(self.app, self._folder)

    def shutDown(self) -> None:
        """What is left when the process ends."""
        self.app.aboutToQuit.emit()
        self.closeAll()
        self.app.hierarchy.follow(None)
        self.removeFolder()

    def removeFolder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def errors(self) -> list[tuple[BaseException, str]]:
        """What handlers of signals and observers raised; Slicer would have printed it and gone on."""
        from medenhance_host import pythonqt

        return pythonqt.handlerErrors

    @property
    def longestCall(self) -> tuple[str, float]:
        """The handler that held the main thread longest since the test began: name and seconds."""
        from medenhance_host import pythonqt

        return max(pythonqt.handlerTimes, key=lambda one: one[1], default=("", 0.0))

    def forgetCalls(self) -> None:
        """Start measuring `longestCall` anew."""
        from medenhance_host import pythonqt

        pythonqt.handlerTimes.clear()

    def openModule(self, name: str) -> Any:
        """Load a module and enter its panel; returns its widget object, such as MedEnhanceLowDoseCTWidget."""
        if name not in self.app.modules.loaded:
            self.app.modules.load(self.modulesFolder / f"{name}.py")
        return self.app.modules.enter(name)

    def loadModule(self, path: Path | str) -> Any:
        """Load a module from any file without its panel; returns its module object."""
        return self.app.modules.load(Path(path)).python

    def closeModule(self, name: str) -> None:
        """Leave the panel and unload the module, with all that it does then."""
        self.app.modules.unload(name)
        self.app.drain()
        gc.collect()

    def closeAll(self) -> None:
        for name in [one for one, module in self.app.modules.loaded.items() if hasattr(module, "representation")]:
            self.closeModule(name)

    def processEvents(self, seconds: float = 0.0) -> None:
        """Let Qt work for so long."""
        end = time.monotonic() + seconds
        self.app.drain()
        while time.monotonic() < end:
            self.app.drain()
            time.sleep(0.002)

    def waitFor(self, condition: Callable[[], bool], timeoutS: float = 20.0) -> None:
        """Let Qt work until a condition holds.

        Raises:
            AssertionError: It did not within the time.
        """
        end = time.monotonic() + timeoutS
        while not condition():
            assert time.monotonic() < end, f"waited {timeoutS} s in vain"
            self.processEvents(0.005)

    @property
    def temporaryFolder(self) -> Path:
        return self.app.folder / "temporary"
