"""Headers that tell browsers what our pages never do: run inline code, load from elsewhere, sit in a frame."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, Response, request

# Bootstrap's own style sheet draws arrows and ticks with data: images; nothing else of that kind is allowed.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def install(app: Flask) -> None:
    """Put the headers on every answer; a view that needs another value of one sets it itself."""
    app.after_request(_add_headers)


def framed_by(origins: Iterable[str]) -> str:
    """Return our policy for a page that these origins, and nobody else, may show in a frame."""
    return CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {' '.join(origins)}")


def _may_be_framed(response: Response) -> bool:
    # X-Frame-Options knows no list; where a view says who may frame it, the policy alone decides (CSP level 3, 6.4.2).
    return "frame-ancestors http" in response.headers.get("Content-Security-Policy", "")


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        if name == "X-Frame-Options" and _may_be_framed(response):
            continue
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    # Pages, answers and downloads hold data about people: no cache keeps them, and the back button after logging out
    # shows none of it. What may be kept (our own files) says so itself.
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response
