"""Tokens of providers: where they come from, and that nothing written or raised shows one.

A token reaches a provider and nothing else. It is kept in an object that does not print it, and is
taken out of every text that others wrote: answers, whose links to further pages hold it, and the
addresses in a library's log.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from streetineq_assets.errors import ImageryError

HIDDEN = "[token]"
# Parts of an address that give access: tokens, keys, and the signatures of links that expire.
_SECRET = frozenset(
    (
        *("access_token", "client_secret", "code", "key", "oe", "oh", "policy", "sig", "sign"),
        *("signature", "token", "x-amz-credential", "x-amz-security-token", "x-amz-signature"),
        "x-goog-signature",
    )
)
_TOKEN = re.compile(r"[!-~]{8,2000}")  # printable ASCII without spaces: fit for a header


class Token:
    """A provider's token, which no message, log or traceback shows."""

    __slots__ = ("_pattern", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        # A character may be written as %7C, and that once more as %257C.
        signs = (f"(?:{re.escape(c)}|%(?:25)*{_any_case(f'{ord(c):02x}')})" for c in text)
        self._pattern = re.compile("".join(signs))

    def reveal(self) -> str:
        """The token itself, for the request alone."""
        return self._text

    def scrub(self, text: str) -> str:
        """A text without the token, however it is written in an address."""
        return self._pattern.sub(HIDDEN, text)

    def __repr__(self) -> str:
        return "Token(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not written anywhere")


def token_of(variable: str, environment: Mapping[str, str], *, title: str, page: str) -> Token:
    """The token in an environment variable.

    Args:
        title: the provider's.
        page: where it gives tokens.

    Raises:
        ImageryError: there is none, or it is none.
    """
    text = environment.get(variable, "").strip()
    if not text:
        raise ImageryError(
            f"{title} gives images only for a token, and {variable} is not set: make one at "
            f"{page}, put it into this environment variable and start the platform again"
        )
    if not _TOKEN.fullmatch(text):
        raise ImageryError(
            f"what {variable} holds is no token: at least 8 letters, digits and signs without "
            f"spaces are expected: copy it again from {page}"
        )
    return Token(text)


def scrubbed(value: Any, token: Token | None) -> Any:
    """A JSON value without the token and without signatures in addresses."""
    if isinstance(value, str):
        text = unsigned(value) if value.startswith(("https://", "http://")) else value
        return token.scrub(text) if token else text
    if isinstance(value, list):
        return [scrubbed(each, token) for each in value]
    if isinstance(value, dict):
        return {scrubbed(key, token): scrubbed(each, token) for key, each in value.items()}
    return value


def unsigned(address: str) -> str:
    """An address without the parts that give access, and without a user's name and password."""
    try:
        parts = urlsplit(address)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:  # no address
        return HIDDEN
    kept = [(name, value) for name, value in pairs if name.lower() not in _SECRET]
    query = parts.query if len(kept) == len(pairs) else urlencode(kept)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


class LogFilter(logging.Filter):
    """Takes a token out of a library's log, for providers that want it in the address."""

    def __init__(self, token: Token) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, without the token."""
        record.msg, record.args = self._token.scrub(record.getMessage()), ()
        return True


def _any_case(digits: str) -> str:
    return "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in digits)
