"""Asking a schema registry that speaks Confluent's REST API, with this package's errors."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..errors import Configuration, Connection
from ..printable import without_userinfo

TIMEOUT_S = 5.0
"""For one request. There are no retries in the client: a partition that needs a schema waits, and asks again."""

QUIET = 4.0
"""After a question without an answer the next is put off for so many times as long as that one took: one partition
asks, and as long as it waits for the answer the others wait too."""

_SHOWN = 400
"""Characters of a registry's own message that are shown: Confluent's tell both schemas in full."""

_T = TypeVar("_T")

_NUMBERS = {
    "timeout", "max.retries", "retries.wait.ms", "retries.max.wait.ms", "cache.capacity", "cache.latest.ttl.sec",
}  # fmt: skip


_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What the client raises for an answer that it did not expect: it takes answers apart unchecked."""


class Refused(Configuration):
    """The registry understands what it is asked to do, and does not do it. conflict: with what it has."""

    def __init__(self, message: str, *, conflict: bool) -> None:
        super().__init__(message)
        self.conflict = conflict


class RegistryClient:
    """confluent-kafka's client of the registry.

    url: one or several with commas; may hold userinfo. properties: of that client, as text.
    Raises errors.Configuration for properties it does not accept, and when it is not installed.
    """

    def __init__(self, url: str, properties: Mapping[str, str], monotonic: Callable[[], float]) -> None:
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient
        except ImportError:
            raise Configuration(
                "schema_registry_url needs the extra `registry`: pip install '.[registry]' in the checkout"
            ) from None
        self.url = without_userinfo(url)
        """As it is shown: without credentials."""
        given = {name: _as_client_wants(name, text) for name, text in properties.items()}
        try:
            self._client: Any = SchemaRegistryClient.new_client(
                {"url": url, "max.retries": 0, "timeout": TIMEOUT_S, **given}
            )
        except (ValueError, TypeError, OSError) as error:  # OSError: of a certificate's file
            raise Configuration(
                f"schema_registry_properties cannot be used: {_one_line(error)}; correct them"
            ) from None
        # a codec is closed by nobody, and its connections shall not outlive it
        weakref.finalize(self, self._client.close)
        self._monotonic = monotonic
        self._quiet_until = 0.0
        self._silence = ""

    def ask(self, what: str, call: Callable[[Any], _T]) -> _T | None:
        """The client's answer; None where the registry does not have what is asked for.

        Raises errors.Connection, with what was asked, and Refused.
        """
        began = self._monotonic()
        if began < self._quiet_until:
            raise Connection(self._silence)
        try:
            return call(self._client)
        except Exception as error:  # noqa: BLE001 - the HTTP library's, whose name differs between the client's versions
            raised = self._typed(what, error)
        if isinstance(raised, Connection):
            ended = self._monotonic()
            self._quiet_until, self._silence = ended + QUIET * (ended - began), str(raised)
        if raised is None:
            return None
        raise raised

    def _typed(self, what: str, error: Exception) -> Exception | None:
        """As this package's error; None where the registry does not have what was asked for."""
        from confluent_kafka.schema_registry.error import OAuthTokenError, SchemaRegistryError

        if isinstance(error, SchemaRegistryError):
            return self._told(what, error)
        if type(error).__module__.startswith("httpx"):
            says = "does not answer"
        elif isinstance(error, OAuthTokenError):
            says = "was not asked, because there is no token for it"
        elif isinstance(error, _MALFORMED):  # a page of a proxy, where JSON is expected, or other JSON
            says = "gives an answer that is not of Confluent's REST API"
        else:
            return error
        text, advice = _one_line(error), "start it, or correct schema_registry_url"
        if "CERTIFICATE_VERIFY_FAILED" in text:
            advice = "give its authority's certificate as ssl.ca.location in schema_registry_properties"
        return Connection(f"schema registry {self.url} {says} ({what}): {text}; {advice}")

    def _told(self, what: str, error: Any) -> Exception | None:
        status, message = error.http_status_code, _one_line(error.error_message)
        code = error.error_code if isinstance(error.error_code, int) else 0
        match status:
            case 401 | 403:
                return Connection(
                    f"schema registry {self.url} refused the credentials (HTTP {status}, {what}); correct "
                    "basic.auth.user.info in schema_registry_properties, or user and password in schema_registry_url"
                )
            case 404 if code // 100 == status:  # 40401 and so on
                return None
            case 404:  # a wrong path's, or a proxy's: it says nothing of any schema
                return Connection(
                    f"schema registry {self.url} has no Confluent REST API at this address (HTTP 404, {what}); correct "
                    "schema_registry_url (of Apicurio it ends with /apis/ccompat/v7)"
                )
            case 409:
                return Refused(f"schema registry {self.url} refuses {what}: {message}", conflict=True)
            case 422:
                return Refused(f"schema registry {self.url} refuses {what}: {message}", conflict=False)
        return Connection(f"schema registry {self.url} fails ({what}): HTTP {status}, {message}; see its log")


def _as_client_wants(name: str, text: str) -> str | float | bool:
    if name == "ssl.ca.location" and text == "false":
        return False
    try:
        return float(text) if name in _NUMBERS else text
    except ValueError:
        raise Configuration(f"schema_registry_properties: {name} is {text!r}; expected a number") from None


def _one_line(message: object) -> str:
    text = " ".join(str(message).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
