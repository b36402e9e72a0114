"""The look and the manners of every page: base templates, components, forms, errors, translations.

Knows nothing of the rooms above it. What a page needs to know about who looks at it comes in through ``viewer.py``.
"""
