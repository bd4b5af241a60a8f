"""The running IPython shell: what is displayed in a notebook is printed elsewhere."""

import sys

__all__ = ["display", "display_page", "running_shell"]


def running_shell():
    """The running IPython shell, or None; IPython is not imported where nobody has.

    Returns
    -------
    IPython.core.interactiveshell.InteractiveShell or None

    Examples
    --------
    >>> running_shell() is None  # no notebook
    True
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or not hasattr(ipython, "display"):
        return None
    return ipython.get_ipython()


def display(bundle):
    """Display one thing in a notebook; print its text elsewhere.

    Parameters
    ----------
    bundle : dict of str to str
        The thing by MIME type, ``text/plain`` among them.

    Examples
    --------
    >>> display({"text/html": "<b>bold</b>", "text/plain": "bold"})
    bold
    """
    if running_shell() is None:
        print(bundle["text/plain"])
    else:
        sys.modules["IPython"].display.display(bundle, raw=True)


def display_page(page, kind, alt):
    """Display HTML in a notebook; print what kind of thing it is and its description elsewhere.

    Parameters
    ----------
    page, kind, alt : str

    Examples
    --------
    >>> display_page("<table></table>", "Table", "Nothing in no rows.")
    Table: Nothing in no rows.
    """
    display({"text/html": page, "text/plain": f"{kind}: {' '.join(alt.split())}"})
