"""What can go wrong with a call of a model, and what that means: one classification for every vendor."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from aca.core.events import Category
from aca.safety import secrets

Kind = Literal["transient", "quota", "authentication", "permission", "request", "context", "refusal"]

CATEGORIES: dict[Kind, Category] = {
    "transient": "transient",
    "quota": "system",
    "authentication": "system",
    "permission": "system",
    "request": "input",
    "context": "task",
    "refusal": "task",
}
CURES: dict[Kind, str] = {
    "transient": "",
    "quota": "see to the account's balance or its limits",
    "authentication": "set {key} to a key that is valid",
    "permission": "the key may not do this: use another one, or another model",
    "request": "see model and providers.{provider} in the plan",
    "context": "split the task into smaller ones, or refer to fewer files",
    "refusal": "say in the task what it is for, or give it to another model",
}
"""What to do about it."""
_TELLING: tuple[tuple[str, Kind], ...] = (
    ("insufficient_quota|billing|credit balance|payment", "quota"),
    ("context.?length|context.?window|context.?size|(prompt|input) is too long|too many tokens"
     "|request_too_large", "context"),
    ("content_policy|content_filter", "refusal"),
)  # fmt: skip
"""What the code or the text of an error contains that its status does not tell; the first that fits."""
_BY_STATUS: dict[int, Kind] = {
    401: "authentication", 402: "quota", 403: "permission", 413: "context",
    408: "transient", 409: "transient", 425: "transient", 429: "transient",
}  # fmt: skip
BUSY = (503, 529)
"""HTTP statuses of a vendor that cannot serve anybody for now."""
UNREACHED = "unreached"
"""What is told in the place of an HTTP status where there was no connection."""
_UNREACHED = ("ConnectError", "ConnectTimeout")
"""What the HTTP libraries, httpx and httpx2, call it."""
LONGEST_PAUSE = 60.0
"""Who wants to be left alone for longer than this is closed, as when a quota window is."""


@dataclass(eq=False)
class ModelError(Exception):
    """A call that failed: what the vendor told of it. ``status`` is that of HTTP, where it came so far."""

    told: str
    status: int | None = None
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    known: Kind | None = None
    """What it is, where that does not need to be found out."""
    unreached: bool = False
    """There was no connection, so that nobody has got the call."""

    @property
    def kind(self) -> Kind:
        """What it is. What got no answer, or half of one, is a matter of the moment."""
        if self.known:
            return self.known
        if self.status in (429, *BUSY) and (self.pause or 0) > LONGEST_PAUSE:
            return "quota"
        words = f"{self.code} {self.told}"
        telling = (kind for pattern, kind in _TELLING if re.search(pattern, words, re.I))
        if (kind := next(telling, None)) and (self.status != 429 or kind == "quota"):
            return kind
        if self.status is None or self.status < 400 or self.status >= 500:
            return "transient"
        return _BY_STATUS.get(self.status, "request")

    @property
    def pause(self) -> float | None:
        """Seconds that the model asks to be left alone for."""
        millis, after = self.headers.get("retry-after-ms"), self.headers.get("retry-after", "")
        with contextlib.suppress(ValueError):
            return _bounded(float(millis) / 1000 if millis else float(after))
        with contextlib.suppress(ValueError):
            return _bounded(parsedate_to_datetime(after).timestamp() - time.time())
        return None

    @property
    def until(self) -> float | None:
        """The Unix time before which the model asks to be left alone."""
        return None if self.pause is None else time.time() + self.pause

    @property
    def limits(self) -> dict[str, Any]:
        """What the answer says of the model's limits."""
        if self.status != 429:
            return {}
        told = {name: value for name, value in self.headers.items() if "ratelimit" in name}
        return {"status": self.status, "retry_after": self.pause, **told}

    def reason(self, provider: str, key: str) -> str:
        """What happened and what to do, on one line."""
        cure = "" if self.status in BUSY else CURES[self.kind].format(provider=provider, key=key)
        status = f" (HTTP {self.status})" if self.status and self.status >= 400 else ""
        told = secrets.struck_out(" ".join(self.told.split()))[:500]
        return f"{told}{status}" + (f"; {cure}" if cure else "")

    @classmethod
    def of(cls, error: Exception) -> ModelError:
        """What an exception of the Anthropic or the OpenAI SDK, or of the HTTP library below them, tells."""
        body = getattr(error, "body", None)
        inner = body.get("error", body) if isinstance(body, dict) else {}
        inner = inner if isinstance(inner, dict) else {}
        response = getattr(error, "response", None)
        told = str(inner.get("message") or getattr(error, "error", "") or error) or type(error).__name__
        codes = (getattr(error, "code", ""), inner.get("code"), inner.get("type"))
        return cls(
            told=told,
            status=getattr(error, "status_code", None),
            code=" ".join(str(code) for code in codes if code),
            unreached=any(type(one).__name__ in _UNREACHED for one in _causes(error)),
            headers=lowered(getattr(response, "headers", {})),
        )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """HTTP headers with their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def _bounded(seconds: float) -> float:
    """No window is closed for longer than a week, whatever an odd header says."""
    return min(max(0.0, seconds), 7 * 86_400.0)


def cut() -> ModelError:
    """A stream that stopped before its end."""
    return ModelError("the answer was cut off in the middle of the stream")


@contextlib.contextmanager
def understanding() -> Iterator[None]:
    """Where a reply is read. The SDKs do not look at what they hand on: what is not as was agreed upon shows
    in the use of it, and is no bug of ours."""
    try:
        yield
    except (AssertionError, AttributeError, LookupError, TypeError) as error:
        raise ModelError(f"the answer cannot be understood: {type(error).__name__}: {error}") from error
