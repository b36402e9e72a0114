"""The stand-ins, for the tests of connectors."""

from tests.standins.fixtures import captured_pretix, pretix_standin

__all__ = ["captured_pretix", "pretix_standin"]
