"""Drop sphinx-thebe's scripts and styles from every page.

Jupyter Book 1 sets the extension up and its theme does so again, which declares one JavaScript variable
twice: an error in the console of each page. The book has no live cells, so neither copy is needed.
"""


def _is_thebe(entry) -> bool:
    body = getattr(entry, "attributes", {}).get("body") or ""
    return "thebe" in f"{getattr(entry, 'filename', entry)} {body}".lower()


def _strip(app, pagename, templatename, context, doctree):
    for key in ("script_files", "css_files"):
        if key in context:
            context[key] = [entry for entry in context[key] if not _is_thebe(entry)]


def setup(app):
    """Run after both have added theirs."""
    app.connect("html-page-context", _strip, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
