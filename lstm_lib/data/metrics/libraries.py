"""The libraries that compute metrics, imported when they are needed."""

from importlib import import_module

__all__ = ["library"]


def library(name):
    """Return a module of the extra ``metrics``, or say how to install it."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = name.partition(".")[0]
        raise ModuleNotFoundError(
            f"this metric needs {missing}: pip install 'lstm_lib[metrics]'", name=missing
        ) from error
