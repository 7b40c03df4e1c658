"""`run.json`: the resolved configuration of a run, and what it ran on, session by session."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import fields, is_dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from medenhance_training.config import RunConfig

PACKAGES = ("medenhance", "medenhance-training", "torch", "lightning-fabric", "numpy", "SimpleITK")


def write_run_record(config: RunConfig, samples_seen: int) -> Path:
    """Record this session beside the earlier ones of the same run."""
    path = config.folder / "run.json"
    earlier = json.loads(path.read_text(encoding="utf-8"))["sessions"] if path.exists() else []
    session = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "from_samples": samples_seen,
        "command": sys.argv,
        "commit": commit_of(Path(__file__).parent),
        "versions": versions(),
        "platform": platform.platform(),
        "config": to_plain(config),
    }
    record = {"recipe": config.recipe, "config": to_plain(config), "sessions": [*earlier, session]}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
    temporary.replace(path)
    return path


def to_plain(value: Any) -> Any:
    """A config as JSON values; a nested dataclass also says which one it is, under "type"."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__, **{f.name: to_plain(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def versions() -> dict[str, str]:
    """Versions of what computes; a package run from a checkout without being installed is "source"."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "source"
    return found


def commit_of(folder: Path) -> str:
    """The commit of the checkout that holds `folder`, "+changes" if files differ; "unknown" outside a checkout."""
    try:
        _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)  # not installed inside someone else's checkout
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
