"""Zaallicht: the composition root, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.runtime import Runtime


def create_app(runtime: Runtime) -> Flask:
    """Put the web application together for a runtime."""
    from app.composition import compose

    return compose(runtime)
