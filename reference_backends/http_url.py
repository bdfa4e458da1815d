"""The URL of a platform, as the HTTP store is given it: checked, and as it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult


def check_url(url: str) -> str:
    """Answer the URL without slashes at its end, or raise ValueError."""
    # The messages don't show the URL: what is wrong with it may be the password in it.
    if not url.isprintable() or " " in url:
        raise ValueError("the URL of a platform has no spaces, line ends or the like")
    parts = _split(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the URL of a platform begins with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL has a user or password in it: hand over the secret as token=")
    if "?" in url or "#" in url:
        raise ValueError("the URL of a platform has no query and no fragment")
    return url.rstrip("/")


def in_ascii(url: str) -> str:
    """Answer a URL that was checked with its host and path in ASCII."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    host, colon, port = parts.netloc.partition(":")
    if not host.isascii():
        host = host.encode("idna").decode()
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~")
    return parts._replace(netloc=f"{host}{colon}{port}", path=path).geturl()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is looked at when it is asked for
    except ValueError:  # which quotes what is before the path, a password too
        raise ValueError("the URL of a platform has no host, or no port, that there is") from None
    return parts
