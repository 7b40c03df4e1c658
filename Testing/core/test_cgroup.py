"""Memory limits of containers and batch jobs, read from a control-group tree built by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from medenhance.cgroup import free_bytes


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n", encoding="utf-8")


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    path = tmp_path / "membership"
    path.write_text("0::/slurm/job_7/step_0\n", encoding="utf-8")
    return path


def test_without_control_groups_there_is_no_limit(tmp_path: Path, membership: Path) -> None:
    assert free_bytes(tmp_path, membership) is None
    assert free_bytes(tmp_path, tmp_path / "nothing") is None


def test_an_unlimited_group_is_no_limit(tmp_path: Path, membership: Path) -> None:
    write(tmp_path / "slurm", memory__max="max", memory__current=5)
    assert free_bytes(tmp_path, membership) is None


def test_the_tightest_limit_above_the_process_counts(tmp_path: Path, membership: Path) -> None:
    write(tmp_path / "slurm", memory__max=10_000, memory__current=1_000)
    write(tmp_path / "slurm" / "job_7", memory__max=5_000, memory__current=900)
    write(tmp_path / "slurm" / "job_7" / "step_0", memory__max="max", memory__current=900)
    assert free_bytes(tmp_path, membership) == 4_100


def test_cached_files_are_given_up_when_memory_is_needed(tmp_path: Path, membership: Path) -> None:
    write(tmp_path, memory__max=1_000, memory__current=900, memory__stat="anon 300\ninactive_file 600\nfile 650")
    assert free_bytes(tmp_path, membership) == 700


def test_more_used_than_allowed_leaves_nothing(tmp_path: Path, membership: Path) -> None:
    write(tmp_path, memory__max=1_000, memory__current=1_200)
    assert free_bytes(tmp_path, membership) == 0


def test_version_1_keeps_memory_in_a_tree_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("5:cpu:/a\n4:memory:/docker/abc\n", encoding="utf-8")
    group = tmp_path / "memory" / "docker" / "abc"
    write(group, memory__limit_in_bytes=2_000, memory__usage_in_bytes=1_500, memory__stat="total_inactive_file 100")
    assert free_bytes(tmp_path, tmp_path / "membership") == 600
