"""Sphinx extension: fields of named tuples are described in the docstring of their class alone.

Python's own text for each is "Alias for field number 0", which tells a reader nothing.
"""


def skip_alias(app, what, name, thing, skip, options):
    """Leave out a field whose only text is Python's own."""
    return True if str(getattr(thing, "__doc__", "")).startswith("Alias for field number") else None


def setup(app):
    """Ask at every member that autodoc is about to show."""
    app.connect("autodoc-skip-member", skip_alias)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
