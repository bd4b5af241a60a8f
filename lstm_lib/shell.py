"""The running IPython shell, for what prints in a terminal and displays in a notebook."""

import sys

__all__ = ["running_shell"]


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
