"""ClickHouse's HTTP interface over one engine: what clickhouse-connect, curl and Grafana use of it.

Offered: GET /ping; GET and POST / with the query in the URL, in the body or in both, settings and
`param_*` in the URL, three ways to log in, compressed bodies, errors as ClickHouse words them. A
GET may only read. Not offered: sessions, multipart forms, compressed answers, progress.
https://clickhouse.com/docs/interfaces/http
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from costspan.errors import TooLarge, Undecodable, UnsupportedFormat
from costspan.store.body import collect, decompress
from costspan.store.engine import Answer, Engine, QueryError
from costspan.store.query import answer_format, bound_parameters, settings, statement

MAX_BODY = 256 * 1024 * 1024
_AT_ONCE = 4  # statements; each may use every core, and memory on top of what the engine holds

_GONE = 499  # nginx's number for a client that hung up
_AUTHENTICATION_FAILED = 516
_NOT_IMPLEMENTED = 48
# What is wrong with a request before the engine sees it, by ClickHouse's numbers.
_CODES: dict[type[Exception], int] = {
    TooLarge: 307,  # TOO_LARGE_SIZE
    UnsupportedFormat: 89,  # UNKNOWN_COMPRESSION_METHOD
    Undecodable: 271,  # CANNOT_DECOMPRESS
    ValueError: 36,  # BAD_ARGUMENTS
}
# As ClickHouse's HTTPHandler maps them; every other code is a 500.
_STATUS = {
    **dict.fromkeys((6, 26, 27, 33, 36, 38, 41, 43, 53, 62, 70, 72, 117, 190, 271, 456), 400),
    **dict.fromkeys((16, 46, 47, 50, 56, 60, 73, 81, 115), 404),
    **dict.fromkeys((164, 497, 516), 403),
    48: 501,
    89: 415,
    159: 408,
    202: 503,
    241: 503,
    307: 413,
}


class Interface:
    """The ASGI application and the pool that its statements run in."""

    def __init__(
        self, engine: Engine, user: str, password: str, *, max_body: int = MAX_BODY
    ) -> None:
        self._engine = engine
        self._login = (user.encode(), password.encode())
        self._max_body = max_body
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="statement")
        self.app = Starlette(
            routes=[
                Route("/ping", _ping, methods=["GET"]),
                Route("/", self._handle, methods=["GET", "POST"]),
            ]
        )

    def close(self) -> None:
        """Wait for the statements that run."""
        self._pool.shutdown()

    async def _handle(self, request: Request) -> Response:
        query_id = request.query_params.get("query_id") or str(uuid.uuid4())
        try:
            self._check_login(request)
            return await self._answer(request, query_id)
        except QueryError as error:
            code, text = error.code, str(error)
        except tuple(_CODES) as error:
            code = next(code for kind, code in _CODES.items() if isinstance(error, kind))
            text = _worded(code, str(error))
        except ClientDisconnect:  # it died while it sent: nothing was run, nobody reads this
            return Response(status_code=_GONE)
        headers = {"X-ClickHouse-Exception-Code": str(code), "X-ClickHouse-Query-Id": query_id}
        return PlainTextResponse(f"{text}\n", _STATUS.get(code, 500), headers)

    async def _answer(self, request: Request, query_id: str) -> Response:
        """Run the statement of the request. Raises what `_handle` words."""
        if request.headers.get("content-type", "").startswith("multipart/"):
            text = "expected the query in the URL or the body, got a form"
            raise QueryError(_NOT_IMPLEMENTED, _worded(_NOT_IMPLEMENTED, text))
        encoding = request.headers.get("content-encoding", "").lower()
        limit = self._max_body
        body = decompress(await collect(request.stream(), limit), encoding, limit)
        wanted, parameters = (
            statement(request.query_params.get("query", ""), body),
            dict(request.query_params),
        )
        output = answer_format(wanted.sql, parameters.get("default_format", "TabSeparated"))
        chosen = settings(parameters) | ({"readonly": "2"} if request.method == "GET" else {})
        start = perf_counter_ns()
        answer = await asyncio.get_running_loop().run_in_executor(
            self._pool,
            lambda: self._engine.run(
                wanted,
                database=parameters.get("database", ""),
                settings=chosen,
                parameters=bound_parameters(parameters),
                output=output,
            ),
        )
        headers = {
            "X-ClickHouse-Summary": _summary(answer, perf_counter_ns() - start),
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Format": output,
            "X-ClickHouse-Timezone": self._engine.timezone,
        }
        return Response(answer.body, headers=headers, media_type=_media_type(output))

    def _check_login(self, request: Request) -> None:
        """Raises QueryError."""
        user, password = _credentials(request)
        same = hmac.compare_digest
        if not same(user, self._login[0]) & same(password, self._login[1]):
            text = f"{self._login[0].decode()}: Authentication failed: wrong user or password."
            raise QueryError(_AUTHENTICATION_FAILED, _worded(_AUTHENTICATION_FAILED, text))


async def _ping(_: Request) -> Response:
    return PlainTextResponse("Ok.\n")


def _credentials(request: Request) -> tuple[bytes, bytes]:
    """User and password from the headers, from Basic authentication or from the URL."""
    headers, parameters = request.headers, request.query_params
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"].encode(), headers.get("x-clickhouse-key", "").encode()
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(encoded, validate=True).partition(b":")
        except binascii.Error:
            return b"", b""
        return user, password
    return parameters.get("user", "default").encode(), parameters.get("password", "").encode()


def _worded(code: int, text: str) -> str:
    return f"Code: {code}. DB::Exception: {text}"


def _summary(answer: Answer, elapsed_ns: int) -> str:
    """Numbers as texts, as ClickHouse sends them."""
    numbers: dict[str, Any] = {
        "read_rows": answer.read_rows,
        "read_bytes": answer.read_bytes,
        "written_rows": answer.written_rows,
        "written_bytes": answer.written_bytes,
        "total_rows_to_read": answer.read_rows,
        "result_rows": answer.written_rows,
        "result_bytes": len(answer.body),
        "elapsed_ns": elapsed_ns,
    }
    return json.dumps({name: str(number) for name, number in numbers.items()})


def _media_type(output: str) -> str:
    if output.startswith("JSON"):
        return "application/json; charset=UTF-8"
    if output.startswith(("Tab", "TSV")):
        return "text/tab-separated-values; charset=UTF-8"
    return (
        "text/plain; charset=UTF-8" if output in ("CSV", "Pretty") else "application/octet-stream"
    )
