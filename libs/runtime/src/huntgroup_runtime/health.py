"""What an orchestrator and Prometheus ask for over HTTP: `/livez`, `/readyz` and `/metrics`; nothing else."""

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import structlog

from huntgroup_runtime.exposition import Exposition
from huntgroup_runtime.settings import SettingsError

REQUEST_BYTES_MAX: Final = 8_192
REQUEST_S_MAX: Final = 5.0
CONNECTIONS_MAX: Final = 64
JSON: Final = "application/json"

State = Callable[[], tuple[bool, Mapping[str, object]]]
"""Returns whether all is well, and what is not."""
Answer = tuple[HTTPStatus, str, bytes]

_log = structlog.stdlib.get_logger(__name__)


class HealthServer:
    """A small HTTP/1.1 server: one request a connection, bounded in size, time and number."""

    def __init__(
        self, listen: str, *, alive: State, ready: State, exposition: Exposition | None
    ) -> None:
        self._listen = listen
        self._alive = alive
        self._ready = ready
        self._exposition = exposition
        self._connections = 0
        self._server: asyncio.Server | None = None
        self.address = listen
        """Where it listens, `host:port`, with the port that was chosen when 0 was asked for; after `start`."""

    async def start(self) -> None:
        """Answer from now on; raises `SettingsError` when the address cannot be taken."""
        host, _, port = self._listen.rpartition(":")
        try:
            self._server = await asyncio.start_server(
                self._serve, host.strip("[]"), int(port), limit=REQUEST_BYTES_MAX
            )
        except OSError as error:
            raise SettingsError(
                f"HUNTGROUP_HTTP_LISTEN={self._listen!r}: must be an address of this machine"
                f" that is free ({error.strerror})"
            ) from None
        self.address = f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= CONNECTIONS_MAX:
                async with asyncio.timeout(REQUEST_S_MAX):
                    answer, with_body = await self._read_and_answer(reader)
                    writer.write(_response(answer, with_body=with_body))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # the other side is slow or gone
        finally:
            self._connections -= 1
            writer.close()

    async def _read_and_answer(self, reader: asyncio.StreamReader) -> tuple[Answer, bool]:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), True
        request, *headers = head.decode("latin-1").split("\r\n")
        words = request.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, path, version
            return _plain(HTTPStatus.BAD_REQUEST), True
        method, path = words[0], words[1].partition("?")[0]
        if method not in {"GET", "HEAD"}:
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED), True
        return await self._answer(path, headers), method == "GET"

    async def _answer(self, path: str, headers: list[str]) -> Answer:
        match path:
            case "/livez":
                return _state(self._alive())
            case "/readyz":
                return _state(self._ready())
            case "/metrics" if self._exposition is not None:
                accept = _header(headers, "accept")
                try:
                    text, kind = await asyncio.to_thread(self._exposition.text, accept)
                except Exception:  # noqa: BLE001 - a probe must not end the server
                    _log.exception("metrics cannot be shown")
                    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)
                return HTTPStatus.OK, kind, text
            case _:
                return _plain(HTTPStatus.NOT_FOUND)


def _state(state: tuple[bool, Mapping[str, object]]) -> Answer:
    well, body = state
    status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return status, JSON, json.dumps(body).encode() + b"\n"


def _plain(status: HTTPStatus) -> Answer:
    return status, "text/plain; charset=utf-8", f"{status.value} {status.phrase}\n".encode()


def _header(headers: list[str], name: str) -> str:
    for header in headers:
        key, _, value = header.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def _response(answer: Answer, *, with_body: bool) -> bytes:
    status, kind, body = answer
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (body if with_body else b"")
