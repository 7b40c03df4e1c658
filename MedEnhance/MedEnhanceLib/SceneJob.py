"""What all work has in common that ends in the scene: it starts, is watched and cancelled, and tells its end once.

Nothing in the scene changes before the whole result is there, so a job that is cancelled or fails leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from MedEnhanceLib.FileTrip import Means, failureOf
from MedEnhanceLib.SceneWatch import SceneWatch
from MedEnhanceLib.WorkerClient import WorkerFailure


@dataclass
class JobCallbacks:
    """What a job tells; exactly one of the last three is called, once, on the main thread.

    Attributes:
        progress: Stage, fraction of it in [0, 1], seconds left or None.
        warning: Something that the user should know.
        finished: Nodes by result name, and the worker's result.
        failed: What happened and what to do.
        cancelled: The scene is as it was.
    """

    progress: Callable[[str, float, float | None], None] = lambda *_: None
    warning: Callable[[str], None] = lambda *_: None
    finished: Callable[[dict[str, Any], dict[str, Any]], None] = lambda *_: None
    failed: Callable[[WorkerFailure], None] = lambda *_: None
    cancelled: Callable[[], None] = lambda: None


class Trip(Protocol):
    """A request on its way to the worker and back."""

    def start(self) -> None: ...

    def cancel(self) -> None: ...

    def wait(self) -> None: ...


class SceneJob:
    """Base of the jobs; one gives it a trip, and ends that trip with `_conclude`, `_failed` or `_cancelled`.

    Args:
        scene: Where the results go.
        needed: Nodes without which the job stops; None among them is ignored.
        means: Worker, pump and folder.
        callbacks: Are told how it goes.

    Attributes:
        isActive: Its end has not been told yet.
    """

    _trip: Trip

    def __init__(self, scene: Any, needed: Iterable[Any], means: Means, callbacks: JobCallbacks) -> None:
        self._scene, self._means, self._callbacks = scene, means, callbacks
        self._needed = [node for node in needed if node is not None]
        self._watch = SceneWatch(scene, self._needed, callbacks.warning, self.cancel)
        self.isActive = False

    def start(self) -> None:
        """Begin; the callbacks tell the rest."""
        self.isActive = True
        self._watch.start()
        self._trip.start()

    def cancel(self) -> None:
        """Stop; `cancelled` is called within two seconds, whatever the job is doing."""
        self._trip.cancel()

    def wait(self) -> None:
        """Block until the job has ended, for callers whose pump does not wait for an event loop."""
        self._trip.wait()

    def _conclude(self, publish: Callable[[], dict[str, Any]], result: dict[str, Any]) -> None:
        """Give the results to the scene, all at once, and tell.

        Args:
            publish: Does it; returns the nodes by result name. What it raises, such as for an input that has changed
                its size since, becomes a failure.
            result: The worker's.
        """
        self._watch.stop()
        try:
            nodes = publish()
        except Exception as error:
            self._failed(failureOf(error, Path(self._means.temporaryFolder)))
            return
        # A turn of its own: those who are told have work to do, too.
        self._means.pump.run(iter(()), lambda: self._tell(nodes, result), _reraise)

    def _tell(self, nodes: dict[str, Any], result: dict[str, Any]) -> None:
        self.isActive = False
        if all(node.GetScene() is self._scene for node in list(nodes.values()) or self._needed):
            self._callbacks.finished(nodes, result)
        else:  # deleted since
            self._callbacks.cancelled()

    def _failed(self, failure: WorkerFailure) -> None:
        self._watch.stop()
        self.isActive = False
        self._callbacks.failed(failure)

    def _cancelled(self) -> None:
        self._watch.stop()
        self.isActive = False
        self._callbacks.cancelled()


def _reraise(error: Exception) -> None:
    """Let an error of those who are told go on to whoever called, who reports it."""
    raise error
