"""``python -m app.cli``, for who has no ``zaallicht`` on the path."""

from app.cli import main

main()
