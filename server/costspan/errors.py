"""The exception tree and its two verdicts. No gRPC or HTTP code: `receiver.status` maps them.

CostspanError
├── ConfigError            the configuration can't be used; exit code 3
├── StartError             a socket or a directory can't be had; exit code 1
├── Permanent              the same bytes will never be accepted: do not send them again
│   ├── Undecodable        the outermost message is not what the endpoint takes
│   ├── TooLarge           above the size limit, before or after decompression
│   ├── Refused            the destination said so (its text is kept)
│   └── UnsupportedFormat  a content type, encoding or journal version that we do not read
└── Retryable              the same bytes may be accepted later; carries `after` (seconds)
    ├── Full               the journal's byte limit is reached for a reader with back pressure
    ├── Unwritable         the journal's disk is full or faulty
    ├── Overloaded         too many bytes in flight
    ├── Draining           the process is shutting down
    └── Unreachable        the destination did not answer, or answered with a retryable status
"""

from __future__ import annotations


class CostspanError(Exception):
    """Base of everything that this package raises on purpose."""


class ConfigError(CostspanError):
    """The configuration can't be used. `faults` holds every fault, one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class StartError(CostspanError):
    """A socket, a directory or a child process can't be had; the text is the sentence to print."""


class Permanent(CostspanError):
    """Sending the same bytes again can't help."""


class Undecodable(Permanent):
    """The outermost message does not parse."""


class TooLarge(Permanent):
    """Above the size limit. `limit` is that limit in bytes if it is known, else 0."""

    def __init__(self, message: str, limit: int = 0) -> None:
        super().__init__(message)
        self.limit = limit


class Refused(Permanent):
    """A destination refused for good; `reason` is a short closed label for the counter.

    `scope` says what the refusal is about: CONTENT, so that smaller requests may pass; SENDER, so
    that nothing of the kind will; DOUBTFUL, content by its word, but a fault of the destination
    sounds alike: it is asked a few times before it is believed.
    """

    CONTENT, SENDER, DOUBTFUL = "content", "sender", "doubtful"

    def __init__(self, message: str, reason: str = "refused", scope: str = CONTENT) -> None:
        super().__init__(message)
        self.reason = reason
        self.scope = scope


class UnsupportedFormat(Permanent):
    """A content type, a content encoding or a format version that we do not read."""


class Retryable(CostspanError):
    """The same bytes may be accepted after `after` seconds."""

    def __init__(self, message: str, after: float = 5.0) -> None:
        super().__init__(message)
        self.after = after


class Full(Retryable):
    """The journal can't take more until a reader with back pressure has moved on."""


class Unwritable(Retryable):
    """The journal can't be written: its disk is full or faulty."""


class Overloaded(Retryable):
    """Too many bytes are in flight."""


class Draining(Retryable):
    """The process is shutting down; another instance, or the next one, will take it."""


class Unreachable(Retryable):
    """A destination did not answer or asked to come back later.

    `after` is 0 unless it asked; `reason` is a short closed label for the counter.
    """

    def __init__(self, message: str, after: float = 0.0, reason: str = "unreachable") -> None:
        super().__init__(message, after)
        self.reason = reason
