"""Runs the studies of a batch on a Dask cluster, whose workers see the same folders under the same paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from medenhance import __version__
from medenhance.batch.engine import failed, run_job
from medenhance.batch.plan import Job
from medenhance.batch.table import StudyOutcome
from medenhance.errors import MedEnhanceError
from medenhance.failures import describe
from medenhance.progress import Silent

CONNECT_S = 20


def run_on_cluster(jobs: list[Job], address: str) -> Iterator[tuple[Job, StudyOutcome]]:
    """Do every job on the cluster, in any order.

    Args:
        jobs: With absolute paths.
        address: Of the scheduler, such as "tcp://10.0.0.5:8786".

    Raises:
        MedEnhanceError: `distributed` is not installed, the scheduler does not answer, the workers have another version
            of this program, or an error that concerns all studies.
    """
    distributed = _distributed()
    with _connected(distributed, address) as client:
        _check_workers(client, address)
        waiting = {client.submit(_run_there, job, key=f"medenhance-{job.fingerprint}", pure=False): job for job in jobs}
        try:
            for future in distributed.as_completed(list(waiting)):
                yield waiting[future], _outcome(future, waiting[future])
        finally:
            client.cancel(list(waiting))


def installed_version() -> str:
    """The version of the process that calls it."""
    return __version__


def _run_there(job: Job) -> StudyOutcome:
    return run_job(job, Silent())


def _outcome(future: Any, job: Job) -> StudyOutcome:
    """The job's outcome; a worker that died, for want of memory for example, fails its study and no other."""
    try:
        outcome: StudyOutcome = future.result()
    except MedEnhanceError:  # concerns all studies
        raise
    except Exception as error:
        return failed(job, describe(error))
    return outcome


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        hint = "Install it, here and on the workers: pip install 'medenhance[cluster]'."
        raise MedEnhanceError("bad-option", "--scheduler needs the package distributed.", hint) from error
    return distributed


@contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    try:
        client = distributed.Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        hint = "Give the address that `dask scheduler` prints, such as tcp://10.0.0.5:8786."
        raise MedEnhanceError("bad-option", f"no Dask scheduler answers at {address}: {error}.", hint) from error
    with client:
        yield client


def _check_workers(client: Any, address: str) -> None:
    """Refuse workers on which the same study would give another result."""
    try:
        versions = client.run(installed_version)
    except Exception as error:
        message = f"medenhance {__version__} does not run on the workers of {address}: {error}."
        raise MedEnhanceError("bad-option", message, "Install it in their environment.") from error
    if not versions:
        message = f"the scheduler at {address} has no workers."
        raise MedEnhanceError("bad-option", message, f"Start some: `dask worker {address} --nthreads 1`.")
    other = sorted({version for version in versions.values() if version != __version__})
    if other:
        message = f"workers of {address} have medenhance {', '.join(other)}, and this is {__version__}."
        raise MedEnhanceError("bad-option", message, "Install the same version everywhere.")
