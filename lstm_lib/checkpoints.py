"""Weights and training state on disk: safetensors, never pickle, never half-written.

A file is written beside its target and then put in its place in one step, so an interruption
leaves either the old file or the new one.
"""

import json
from pathlib import Path

import numpy as np

from lstm_lib.files import write_atomically
from lstm_lib.parameters import to_numpy

__all__ = ["load_arrays", "load_weights", "save_arrays", "save_weights"]


def save_arrays(path, arrays, notes=None):
    """Write named arrays and a JSON-able `notes` to a safetensors file, atomically.

    Parameters
    ----------
    path : str or Path
    arrays : dict of str to array
        NumPy arrays or torch tensors.
    notes : object, optional
        Anything JSON can hold.

    Raises
    ------
    ModuleNotFoundError
        If safetensors is missing.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> save_arrays(path, {"w": np.ones(2)}, {"epoch": 3})
    >>> load_arrays(path)
    ({'w': array([1., 1.])}, {'epoch': 3})
    """
    save, _ = _safetensors()
    path = Path(path)
    contiguous = {name: np.asarray(to_numpy(array), order="C") for name, array in arrays.items()}
    data = save(contiguous, metadata={"notes": json.dumps(notes)})
    write_atomically(path, data)


def load_arrays(path):
    """Read back ``(arrays, notes)`` from :func:`save_arrays`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    arrays : dict of str to ndarray
    notes : object

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole safetensors file with notes.
    ModuleNotFoundError
        If safetensors is missing.

    Examples
    --------
    Half a file is no file:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> save_arrays(path, {"w": np.ones(2)})
    >>> path.write_bytes(path.read_bytes()[:-4]) > 0
    True
    >>> load_arrays(path)
    Traceback (most recent call last):
        ...
    ValueError: ...weights.safetensors is not a whole checkpoint ...
    """
    _, safe_open = _safetensors()
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            notes = json.loads((file.metadata() or {})["notes"])
    except Exception as error:  # safetensors raises its own type for each kind of damage
        raise ValueError(
            f"{path} is not a whole checkpoint ({type(error).__name__}: {error}); "
            "it is corrupt or of another kind. Delete it or give another path"
        ) from error
    return arrays, notes


def save_weights(model, path):
    """Write the parameters of a model of either engine to a safetensors file.

    Parameters
    ----------
    model : module of either engine
    path : str or Path

    Raises
    ------
    ModuleNotFoundError
        If safetensors is missing.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from lstm_lib import numpy as L
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "lstm.safetensors"
    >>> save_weights(L.LSTM(2, 3, rng=0), path)
    >>> other = L.LSTM(2, 3, rng=1)
    >>> load_weights(other, path)
    >>> bool((other.weight_ih_l0.data == L.LSTM(2, 3, rng=0).weight_ih_l0.data).all())
    True
    """
    save_arrays(path, model.state_dict())


def load_weights(model, path):
    """Read the parameters of a model of either engine from a safetensors file.

    Parameters
    ----------
    model : module of either engine
    path : str or Path

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not whole, or a name or shape does not fit. The model is left as it was then.

    Examples
    --------
    From the NumPy engine to the torch engine, through a file:

    >>> import pathlib, tempfile
    >>> from lstm_lib import numpy as N, torch as T
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "lstm.safetensors"
    >>> save_weights(N.LSTM(2, 3, rng=0), path)
    >>> lstm = T.LSTM(2, 3, rng=1)
    >>> load_weights(lstm, path)
    >>> bool((lstm.weight_hh_l0.detach().numpy() == N.LSTM(2, 3, rng=0).weight_hh_l0.data).all())
    True
    """
    arrays, _ = load_arrays(path)
    restore_parameters(model, arrays, path)


def restore_parameters(model, arrays, path):
    """Copy arrays into the model's parameters after checking every name and shape."""
    own = model.state_dict()
    if own.keys() != arrays.keys():
        missing, unknown = sorted(own.keys() - arrays.keys()), sorted(arrays.keys() - own.keys())
        raise ValueError(
            f"{path} belongs to another model: missing {missing}, not expected {unknown}"
        )
    for name, value in own.items():
        if arrays[name].shape != tuple(value.shape):
            raise ValueError(
                f"{path} belongs to another model: {name} has shape {arrays[name].shape} there "
                f"and {tuple(value.shape)} in the model"
            )
    model.load_state_dict({name: _like(value, arrays[name]) for name, value in own.items()})


def _like(value, array):
    """The array as what `value` is: a tensor on its device, or an array."""
    return value.new_tensor(array) if hasattr(value, "new_tensor") else array


def _safetensors():
    try:
        from safetensors import safe_open
        from safetensors.numpy import save
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "checkpoints need safetensors: pip install 'lstm_lib[train]'", name="safetensors"
        ) from error
    return save, safe_open
