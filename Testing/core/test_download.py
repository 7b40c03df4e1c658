"""Downloads from a server on this machine that misbehaves as servers, networks and disks do."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from medenhance.cache import weights_path
from medenhance.download import Patience, fetch
from medenhance.errors import Cancelled, MedEnhanceError
from medenhance.http_transfer import BLOCK_BYTES, PartialFile, without_secrets
from medenhance.manifest import ModelEntry, WeightsFile

BODY = bytes(i * i % 251 for i in range(300_000))
OTHER = BODY[::-1]
NAME = "model.safetensors"
QUICK = Patience(connect_s=2.0, read_s=2.0, attempts=3, pause_s=0.0)


@dataclass
class Site:
    """What the server does, and what it was asked."""

    body: bytes = BODY
    validators: dict[str, str] = field(default_factory=lambda: {"ETag": '"v1"'})
    knows_ranges: bool = True
    range_shift: int = 0  # the next range begins so many bytes late
    cuts: list[int] = field(default_factory=list)  # each of the next responses ends after so many bytes
    statuses: list[int] = field(default_factory=list)  # each of the next requests is answered with this alone
    location: str = ""
    silent: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{NAME}"

    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site = self.site
        site.asked.append({**dict(self.headers.items()), "path": self.path})
        if site.silent:
            site.stopped.wait(5)
        elif site.statuses:
            self.answer(site.statuses.pop(0), b"", {"Location": site.location} if site.location else {})
        else:
            self.give_file()

    def give_file(self) -> None:
        site = self.site
        stated = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if stated and site.knows_ranges and condition in (None, *site.validators.values()):
            first, site.range_shift = int(stated[1]) + site.range_shift, 0
            where = f"bytes {first}-{len(site.body) - 1}/{len(site.body)}"
            self.answer(206, site.body[first:], {"Content-Range": where, **site.validators})
        else:
            self.answer(200, site.body, site.validators)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: self.site.cuts.pop(0)] if body and self.site.cuts else body)

    def log_message(self, *args: object) -> None:
        pass


def serve(site: Site) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site}))
    site.port = server.server_port
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def sites() -> Iterator[list[Site]]:
    """Two servers."""
    pair = [Site(), Site()]
    servers = [serve(site) for site in pair]
    yield pair
    for site, server in zip(pair, servers, strict=True):
        site.stopped.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(sites: list[Site]) -> Site:
    return sites[0]


@pytest.fixture
def model(entry: ModelEntry, site: Site) -> ModelEntry:
    return with_urls(entry, site.url)


def with_urls(entry: ModelEntry, *urls: str) -> ModelEntry:
    return replace(entry, files=(WeightsFile(NAME, urls, hashlib.sha256(BODY).hexdigest(), len(BODY)),))


def closed_port() -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.server_close()
    return server.server_port


class Watcher:
    """Keeps all fractions, sees to it that nothing unverified has the final name, and cancels where it is told to."""

    def __init__(self, path: Path, cancel_at: float = 2.0) -> None:
        self.path = path
        self.cancel_at = cancel_at
        self.fractions: list[float] = []

    def update(self, _stage: str, fraction: float) -> None:
        self.fractions.append(fraction)
        if self.path.exists():
            assert self.path.read_bytes() == BODY

    def warn(self, message: str) -> None:
        pass

    def cancelled(self) -> bool:
        return bool(self.fractions) and self.fractions[-1] >= self.cancel_at


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_a_file_arrives_whole_and_is_not_fetched_twice(model: ModelEntry, cache: Path, site: Site) -> None:
    watcher = Watcher(weights_path(model.files[0], cache))
    path = fetch(model, cache, progress=watcher, patience=QUICK)
    assert path.read_bytes() == BODY
    assert path.is_relative_to(cache)
    assert left_in(cache) == [NAME]
    assert watcher.fractions == sorted(watcher.fractions)
    assert watcher.fractions[-1] == 1.0
    assert fetch(model, cache, patience=QUICK) == path
    assert len(site.asked) == 1


def test_a_damaged_file_in_the_cache_is_fetched_again(model: ModelEntry, cache: Path) -> None:
    path = fetch(model, cache, patience=QUICK)
    path.write_bytes(OTHER)
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY


def test_a_broken_connection_is_taken_up_where_it_ended(model: ModelEntry, cache: Path, site: Site) -> None:
    site.cuts = [12 * BLOCK_BYTES, 5 * BLOCK_BYTES + 99]
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert site.ranges() == [None, f"bytes={12 * BLOCK_BYTES}-", f"bytes={17 * BLOCK_BYTES}-"]
    assert [headers.get("If-Range") for headers in site.asked] == [None, '"v1"', '"v1"']


def test_a_cancelled_download_goes_on_the_next_time(model: ModelEntry, cache: Path, site: Site) -> None:
    path = weights_path(model.files[0], cache)
    with pytest.raises(Cancelled):
        fetch(model, cache, progress=Watcher(path, cancel_at=0.4), patience=QUICK)
    assert not path.exists()
    received = PartialFile(path, len(BODY)).received()
    assert 0.4 * len(BODY) <= received < len(BODY)
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert site.ranges() == [None, f"bytes={received}-"]
    assert left_in(cache) == [NAME]


def test_a_server_that_knows_no_ranges_gives_the_whole_file_again(model: ModelEntry, cache: Path, site: Site) -> None:
    site.cuts, site.knows_ranges = [100_000], False
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert len(site.asked) == 2


def test_a_range_that_begins_elsewhere_is_not_appended(model: ModelEntry, cache: Path, site: Site) -> None:
    site.cuts, site.range_shift = [12 * BLOCK_BYTES], 3
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert site.ranges() == [None, f"bytes={12 * BLOCK_BYTES}-", None]


def test_a_range_that_the_server_refuses_is_given_up(model: ModelEntry, cache: Path, site: Site) -> None:
    with pytest.raises(Cancelled):
        fetch(model, cache, progress=Watcher(weights_path(model.files[0], cache), cancel_at=0.1), patience=QUICK)
    site.statuses = [416]
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert site.ranges()[2] is None


def test_bytes_of_an_older_version_are_given_up(model: ModelEntry, cache: Path, site: Site) -> None:
    site.body, site.validators, site.cuts = OTHER, {"ETag": '"old"'}, [100_000]
    with pytest.raises(MedEnhanceError):
        fetch(model, cache, patience=replace(QUICK, attempts=1))
    site.body, site.validators = BODY, {"ETag": '"new"'}
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert site.asked[-1]["If-Range"] == '"old"'


def test_a_weak_tag_is_no_validator_but_the_date_is(model: ModelEntry, cache: Path, site: Site) -> None:
    date = "Tue, 01 Jul 2025 10:00:00 GMT"
    site.validators, site.cuts = {"ETag": 'W/"v1"', "Last-Modified": date}, [100_000]
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert site.asked[1]["If-Range"] == date


def test_without_a_validator_the_hash_finds_bytes_that_do_not_belong_together(
    model: ModelEntry, cache: Path, site: Site
) -> None:
    site.validators = {}
    part = PartialFile(weights_path(model.files[0], cache), len(BODY))
    part.path.parent.mkdir(parents=True)
    part.path.write_bytes(OTHER[:120_000])
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert site.ranges() == ["bytes=120000-", None]


@pytest.mark.parametrize("length", [len(BODY), len(BODY) + 7])
def test_a_part_file_that_is_complete_or_too_long_does_no_harm(
    model: ModelEntry, cache: Path, site: Site, length: int
) -> None:
    part = PartialFile(weights_path(model.files[0], cache), len(BODY))
    part.path.parent.mkdir(parents=True)
    part.path.write_bytes((BODY + OTHER)[:length])
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY
    assert site.ranges() == ([] if length == len(BODY) else [None])
    assert left_in(cache) == [NAME]


@pytest.mark.parametrize("body", [OTHER, BODY + b"more", BODY[:-1]], ids=["other", "longer", "shorter"])
def test_a_wrong_file_never_stays_and_the_next_source_is_tried(
    entry: ModelEntry, cache: Path, sites: list[Site], body: bytes
) -> None:
    bad, good = sites
    bad.body = body
    with pytest.raises(MedEnhanceError) as caught:
        fetch(with_urls(entry, bad.url), cache, patience=QUICK)
    assert caught.value.kind == "download-failed"
    assert "not the right one" in caught.value.message or "ended after 299999 of 300000" in caught.value.message
    assert left_in(cache) == ([f"{NAME}.part", f"{NAME}.part.json"] if body == BODY[:-1] else [])
    assert fetch(with_urls(entry, bad.url, good.url), cache, patience=QUICK).read_bytes() == BODY


def test_a_refusal_is_not_asked_again_but_a_passing_fault_is(entry: ModelEntry, cache: Path, sites: list[Site]) -> None:
    refusing, busy = sites
    refusing.statuses = [404] * 9
    busy.statuses = [503, 429]
    assert fetch(with_urls(entry, refusing.url, busy.url), cache, patience=QUICK).read_bytes() == BODY
    assert (len(refusing.asked), len(busy.asked)) == (1, 3)


def test_when_all_sources_fail_each_is_named_with_its_reason(entry: ModelEntry, cache: Path, sites: list[Site]) -> None:
    sites[0].statuses = [403]
    sites[1].silent = True
    dead = f"http://127.0.0.1:{closed_port()}/{NAME}"
    model = with_urls(entry, sites[0].url, sites[1].url, dead)
    with pytest.raises(MedEnhanceError) as caught:
        fetch(model, cache, patience=replace(QUICK, read_s=0.2, attempts=1))
    message = caught.value.message
    assert caught.value.kind == "download-failed"
    assert f"{sites[0].url}: the server answered 403 Forbidden" in message
    assert f"{sites[1].url}: no answer in time" in message
    assert f"{dead}: the connection failed" in message
    assert "import-pack" in caught.value.hint
    assert left_in(cache) == []


def test_a_model_without_any_address_says_so(entry: ModelEntry, cache: Path) -> None:
    with pytest.raises(MedEnhanceError, match="No address is known"):
        fetch(with_urls(entry), cache, patience=QUICK)


def test_a_redirect_to_a_local_file_is_not_followed(model: ModelEntry, cache: Path, site: Site) -> None:
    site.statuses, site.location = [302], "file:///etc/hostname"
    with pytest.raises(MedEnhanceError, match="No connection adapters"):
        fetch(model, cache, patience=QUICK)


def test_the_users_mirror_comes_first(
    entry: ModelEntry, cache: Path, sites: list[Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, published = sites
    monkeypatch.setenv(
        "MEDENHANCE_MIRROR", f"http://127.0.0.1:{closed_port()} http://127.0.0.1:{mirror.port}/deep/dir/"
    )
    fetch(with_urls(entry, published.url), cache, patience=replace(QUICK, attempts=1))
    assert [headers["path"] for headers in mirror.asked] == [f"/deep/dir/{NAME}"]
    assert published.asked == []


@pytest.mark.parametrize("mirror", ["ftp://example.org", "file:///tmp", "/tmp", "http://"])
def test_a_mirror_that_is_no_web_address_is_refused(model: ModelEntry, cache: Path, mirror: str) -> None:
    with pytest.raises(MedEnhanceError) as caught:
        fetch(model, cache, mirrors=[mirror], patience=QUICK)
    assert caught.value.kind == "bad-option"


def test_the_systems_proxy_is_used(entry: ModelEntry, cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{site.port}")
    url = f"http://weights.invalid/{NAME}"
    assert fetch(with_urls(entry, url), cache, patience=QUICK).read_bytes() == BODY
    assert site.asked[0]["path"] == url


def test_a_dead_proxy_is_named_and_its_password_is_not(
    entry: ModelEntry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://ann:geheim@127.0.0.1:{closed_port()}")
    with pytest.raises(MedEnhanceError, match="the proxy did not pass the request on") as caught:
        fetch(with_urls(entry, f"http://weights.invalid/{NAME}"), cache, patience=QUICK)
    assert "geheim" not in str(caught.value)


def test_a_proxy_that_refuses_is_reported_with_its_answer(
    entry: ModelEntry, cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{site.port}")
    site.statuses = [407]
    with pytest.raises(MedEnhanceError, match="answered 407 Proxy Authentication Required"):
        fetch(with_urls(entry, f"http://weights.invalid/{NAME}"), cache, patience=QUICK)


def test_too_small_a_disk_is_found_before_the_first_byte(
    model: ModelEntry, cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(cache.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=len(BODY) - 1))
    with pytest.raises(MedEnhanceError) as caught:
        fetch(model, cache, patience=QUICK)
    assert caught.value.kind == "disk-full"
    assert site.asked == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
def test_a_disk_that_fills_up_ends_in_an_error_and_gets_its_space_back(model: ModelEntry, cache: Path) -> None:
    part = PartialFile(weights_path(model.files[0], cache), len(BODY))
    part.path.parent.mkdir(parents=True)
    part.path.symlink_to("/dev/full")
    with pytest.raises(MedEnhanceError) as caught:
        fetch(model, cache, patience=QUICK)
    assert caught.value.kind == "disk-full"
    assert "MEDENHANCE_CACHE" in caught.value.hint
    assert not part.path.is_symlink()
    assert left_in(cache) == []


def test_a_cache_that_cannot_be_written_is_an_error_with_a_way_out(model: ModelEntry, cache: Path) -> None:
    cache.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(MedEnhanceError) as caught:
        fetch(model, cache, patience=QUICK)
    assert caught.value.kind == "output-refused"
    assert "MEDENHANCE_CACHE" in caught.value.hint


def test_two_downloads_at_once_fetch_the_file_once(model: ModelEntry, cache: Path, site: Site) -> None:
    threads = [threading.Thread(target=fetch, args=(model, cache), kwargs={"patience": QUICK}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert weights_path(model.files[0], cache).read_bytes() == BODY
    assert len(site.asked) == 1


def test_a_process_that_was_killed_while_downloading_blocks_nobody(model: ModelEntry, cache: Path) -> None:
    path = weights_path(model.files[0], cache)
    path.parent.mkdir(parents=True)
    program = "import sys, filelock; filelock.FileLock(sys.argv[1]).acquire(); print('held', flush=True); input()"
    command = [sys.executable, "-c", program, f"{path}.lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting = Watcher(path, cancel_at=0.0)
        with pytest.raises(Cancelled):
            fetch(model, cache, progress=waiting, patience=QUICK)
        holder.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    assert fetch(model, cache, patience=QUICK).read_bytes() == BODY


def test_a_record_of_the_origin_that_makes_no_sense_is_ignored(tmp_path: Path) -> None:
    part = PartialFile(tmp_path / NAME, 10)
    for text in ("", "[1]", "{}", "null", json.dumps(["http://a", '"t"', 3])):
        (tmp_path / f"{NAME}.part.json").write_text(text, encoding="utf-8")
        assert part.validator("http://a") == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://ann:geheim@proxy:3128", "http://***@proxy:3128"),
        ("via http://ann:ge@heim@proxy and 'https://bob@x/y'", "via http://***@proxy and 'https://***@x/y'"),
        ("https://x/y?token=geheim&a=b now", "https://x/y?*** now"),
        ("what? mail a@b.c", "what? mail a@b.c"),
    ],
)
def test_what_is_shown_holds_no_secret(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
