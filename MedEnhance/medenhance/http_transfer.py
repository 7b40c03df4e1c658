"""One transfer over HTTP into a partial file, going on where an earlier one stopped.

The partial file lies beside the final one: ``<name>.part`` holds the bytes so far, ``<name>.part.json`` the address
that they came from and its validator (ETag or date). Proxies are those of the system, as `requests` finds them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medenhance.interruptible import interruptible

if TYPE_CHECKING:
    import requests

BLOCK_BYTES = 1 << 13  # what arrived of an unfinished block is lost when the connection breaks


class RefusedError(Exception):
    """A source will not give this file; asking it again is no use."""


class BrokenOffError(Exception):
    """A source failed in a way that may pass."""


@dataclass(frozen=True)
class PartialFile:
    """A file on its way.

    Attributes:
        target: Its final name.
        size_bytes: Its final size.
    """

    target: Path
    size_bytes: int

    @property
    def path(self) -> Path:
        """Where the bytes so far are."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def _origin(self) -> Path:
        return self.target.with_name(self.target.name + ".part.json")

    def received(self) -> int:
        """Bytes to go on from; a file that is already too long is none."""
        size = self.path.stat().st_size if self.path.is_file() else 0
        return size if size < self.size_bytes else 0

    def remember(self, address: str, headers: requests.structures.CaseInsensitiveDict[str]) -> None:
        """Note where the bytes come from."""
        tag = headers.get("ETag", "")
        # A weak tag only says that two versions mean the same; If-Range takes strong tags and dates.
        validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")
        self._origin.write_text(json.dumps([without_secrets(address), validator]), encoding="utf-8")

    def validator(self, address: str) -> str:
        """The validator of the bytes so far, or an empty string when it is unknown or another address gave them."""
        try:
            origin, validator = json.loads(self._origin.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return ""
        return str(validator) if origin == without_secrets(address) else ""

    def finish(self) -> None:
        """Give the file, checked by the caller, its final name."""
        self.path.replace(self.target)
        self.discard()

    def discard(self) -> None:
        """Forget the bytes so far."""
        self.path.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)


def receive(address: str, part: PartialFile, timeout_s: tuple[float, float], report: Callable[[int], None]) -> None:
    """Bring ``part`` to its full size; what it then contains is for the caller to check.

    Args:
        address: http or https.
        part: Is appended to, or begun again when the server gives the whole file or another version of it.
        timeout_s: For the connection, and for the next bytes.
        report: Is told the number of bytes that are there, several times a second even when none arrive; may raise to
            stop, and the bytes stay.

    Raises:
        RefusedError: This address is no use.
        BrokenOffError: It may work another time.
        OSError: The disk does not take the bytes.
    """
    from requests.exceptions import RequestException

    reported = part.received()

    def passed_on(received: int) -> None:
        nonlocal reported
        reported = received
        report(received)

    asked = _answer(address, _headers(address, part), timeout_s)
    try:
        with closing(interruptible(asked, lambda: report(reported))) as answer:
            response, _ = next(answer)
            first = _first_byte(response, part)
            part.remember(address, response.headers)
            _append((block for _, block in answer), part, first, passed_on)
    except RequestException as error:
        raise _explained(error) from error


def without_secrets(text: str) -> str:
    """Text that can be shown: user names, passwords and query strings in its addresses are masked."""
    masked = re.sub(r"(?<=://)[^\s'\"]*@", "***@", text)
    return re.sub(r"(://[^\s'\"?]*)\?[^\s'\"]+", r"\1?***", masked)


def _headers(address: str, part: PartialFile) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}  # compressed, the positions would not be the file's
    if received := part.received():
        headers["Range"] = f"bytes={received}-"
        if validator := part.validator(address):
            headers["If-Range"] = validator
    return headers


def _answer(
    address: str, headers: dict[str, str], timeout_s: tuple[float, float]
) -> Generator[tuple[requests.Response, bytes], None, None]:
    """What the server says of the file, with nothing of it, and then the file in blocks."""
    import requests

    with (
        requests.Session() as session,
        session.get(address, headers=headers, stream=True, timeout=timeout_s) as response,
    ):
        yield response, b""
        for block in response.iter_content(BLOCK_BYTES):
            yield response, block


def _first_byte(response: requests.Response, part: PartialFile) -> int:
    """The position of the first byte that the response brings."""
    if response.status_code == 200:
        return 0
    if response.status_code in (206, 416):
        stated = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if response.status_code == 206 and stated and int(stated[1]) == part.received():
            return part.received()
        part.discard()
        raise BrokenOffError("the server cannot go on where the last transfer stopped")
    reason = f"the server answered {response.status_code} {response.reason}"
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        raise BrokenOffError(reason)
    raise RefusedError(reason)


def _append(blocks: Iterable[bytes], part: PartialFile, first: int, report: Callable[[int], None]) -> None:
    with part.path.open("r+b" if first else "wb") as stream:
        if first:
            stream.seek(first)
            stream.truncate()
        for block in blocks:
            stream.write(block)
            if stream.tell() > part.size_bytes:
                return  # another file; the check of the whole says so
            report(stream.tell())
        stream.flush()
        os.fsync(stream.fileno())
        if stream.tell() < part.size_bytes:
            raise BrokenOffError(f"the transfer ended after {stream.tell()} of {part.size_bytes} bytes")


def _explained(error: requests.exceptions.RequestException) -> RefusedError | BrokenOffError:
    """The failure in words; the library's own are kept where they name a cause."""
    from requests import exceptions

    cause = without_secrets(str(getattr(error.args[0], "reason", error) if error.args else error))
    if isinstance(error, exceptions.ProxyError):
        return RefusedError(f"the proxy did not pass the request on ({cause})")
    if isinstance(error, exceptions.SSLError):
        return RefusedError(f"its certificate was not accepted ({cause})")
    if isinstance(error, exceptions.Timeout):
        return BrokenOffError(f"no answer in time ({cause})")
    if isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError)):
        return BrokenOffError(f"the connection failed ({cause})")
    return RefusedError(cause)
