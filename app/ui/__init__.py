"""Base templates, components, static assets and translations."""
