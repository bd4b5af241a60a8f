"""Small networks that were trained longer than a notebook can wait, kept with the library.

Each is one safetensors file of half-precision weights, under 2 MB, made by a program of ``train/`` in
the repository. ``cards.json`` says of each how it was made and what it measured, and holds the SHA-256 by
which a file is known: a file that was changed is refused.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from lstm_lib.checkpoints import load_arrays, restore_parameters, save_arrays
from lstm_lib.files import write_atomically
from lstm_lib.parameters import to_numpy

__all__ = ["Card", "card", "half", "load", "names", "store"]

FOLDER = Path(__file__).parent
LARGEST = 2_000_000


@dataclass(frozen=True)
class Card:
    """What is known of one stored network.

    Parameters
    ----------
    name : str
    settings : dict
        The arguments that build the model anew.
    notes : dict
        What else its user needs, such as the symbols of its vocabulary.
    measured : dict of str to float
        What the training program measured at the end, with the weights as they are stored.
    seed : int
    seconds : float
        Processor time of the training; of its last part, if it was resumed.
    made_with : str
        Versions and machine.
    parameters : int
    size : int
        Bytes of the file.
    sha256 : str
        Of the file.
    """

    name: str
    settings: dict
    notes: dict
    measured: dict
    seed: int
    seconds: float
    made_with: str
    parameters: int
    size: int
    sha256: str

    def __str__(self):
        measured = ", ".join(f"{name} {value:.4g}" for name, value in self.measured.items())
        return (
            f"{self.name}: {self.parameters} weights in {self.size / 1e6:.2f} MB, "
            f"trained in {self.seconds / 60:.0f} minutes of processor time with seed {self.seed} "
            f"({self.made_with}); "
            f"measured then: {measured}"
        )


def names(folder=FOLDER):
    """The names of the stored networks, sorted.

    Parameters
    ----------
    folder : str or Path
        Where the files lie; those of the library by default.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the list of the folder is damaged.

    Examples
    --------
    >>> isinstance(names(), list)
    True
    """
    return sorted(_cards(folder))


def card(name, folder=FOLDER):
    """What is known of a stored network.

    Parameters
    ----------
    name : str
    folder : str or Path

    Returns
    -------
    Card

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> card("no such network")
    Traceback (most recent call last):
        ...
    ValueError: no stored network 'no such network'; there are ...
    """
    cards = _cards(folder)
    if name not in cards:
        raise ValueError(
            f"no stored network {name!r}; there are {', '.join(sorted(cards)) or 'none'}"
        )
    return Card(**cards[name])


def load(model, name, folder=FOLDER):
    """Put the stored weights into a model of either engine, after checking the file.

    Parameters
    ----------
    model : module of either engine
        Built with the card's settings.
    name : str
    folder : str or Path

    Returns
    -------
    Card

    Raises
    ------
    ValueError
        If there is none of that name, the file is not the one that was stored, or the model is another.
        The model is left as it was then.
    FileNotFoundError
        If the file is missing.
    ModuleNotFoundError
        If safetensors is missing.

    Examples
    --------
    Stored from one engine, loaded into the other:

    >>> import tempfile
    >>> from lstm_lib import numpy as N, torch as T
    >>> folder = tempfile.mkdtemp()
    >>> settings = dict(vocabulary_size=5, embedding_size=3, hidden_size=4)
    >>> model = N.LanguageModel(**settings, rng=0)
    >>> made = store(model, "tiny", settings=settings, seed=0, seconds=1.0, folder=folder)
    >>> copy = T.LanguageModel(**card("tiny", folder).settings)
    >>> load(copy, "tiny", folder) == made
    True
    """
    known, path = card(name, folder), _path(name, folder)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: install lstm_lib again, or make it anew with `make train`"
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != known.sha256:
        raise ValueError(
            f"{path} is not the file that was stored: its SHA-256 is {found[:16]}... and not "
            f"{known.sha256[:16]}...; install lstm_lib again, or make it anew with `make train`"
        )
    arrays, _ = load_arrays(path)
    restore_parameters(model, arrays, path)
    return known


def half(model):
    """Round every weight of a model to half precision, in place, as storing does.

    What is measured afterwards is what a reader of the file will measure.

    Parameters
    ----------
    model : module of either engine

    Returns
    -------
    dict of str to ndarray of float16

    Raises
    ------
    ValueError
        If a weight is not finite, or too large for half precision.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> layer = L.Linear(1, 1, rng=0)
    >>> layer.weight.data[:] = 1 / 3
    >>> half(layer)["weight"].dtype, round(float(layer.weight.data[0, 0]), 6)
    (dtype('float16'), 0.333252)
    """
    with np.errstate(over="ignore"):
        arrays = {
            key: to_numpy(value).astype(np.float16) for key, value in model.state_dict().items()
        }
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"{key} holds a number that half precision cannot: not finite, or above 65504"
            )
    restore_parameters(model, arrays, "half precision")
    return arrays


def store(
    model, name, *, settings, seed, seconds, notes=None, measured=None, made_with="", folder=FOLDER
):
    """Write a network's weights and its card, the weights in half precision.

    Parameters
    ----------
    model : module of either engine
        Its weights are rounded to half precision in place.
    name : str
        Letters, digits and hyphens.
    settings, seed, seconds, notes, measured, made_with
        As in `Card`.
    folder : str or Path

    Returns
    -------
    Card

    Raises
    ------
    ValueError
        For another name, a file above 2 MB, or weights that half precision cannot hold. Nothing is written then.
    ModuleNotFoundError
        If safetensors is missing.

    Examples
    --------
    >>> import tempfile
    >>> from lstm_lib import numpy as L
    >>> settings, folder = dict(in_features=2, out_features=1), tempfile.mkdtemp()
    >>> made = store(L.Linear(**settings, rng=0), "line", settings=settings, seed=0, seconds=1.0, folder=folder)
    >>> made.parameters, names(folder)
    (3, ['line'])
    """
    if not name.replace("-", "").isalnum():
        raise ValueError(f"a name has letters, digits and hyphens only; got {name!r}")
    arrays, path = half(model), _path(name, folder)
    size = sum(array.nbytes for array in arrays.values())
    if size > LARGEST:
        raise ValueError(f"{name} would take {size} bytes; a stored network has at most {LARGEST}")
    save_arrays(path, arrays)
    content = path.read_bytes()
    made = Card(
        name=name,
        settings=settings,
        notes=notes or {},
        measured=measured or {},
        seed=seed,
        seconds=round(seconds, 1),
        made_with=made_with,
        parameters=sum(array.size for array in arrays.values()),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    cards = _cards(folder) | {name: asdict(made)}
    text = json.dumps(dict(sorted(cards.items())), ensure_ascii=False, indent=1) + "\n"
    write_atomically(_list(folder), text.encode("utf-8"))
    return made


def _path(name, folder):
    return Path(folder) / f"{name}.safetensors"


def _list(folder):
    return Path(folder) / "cards.json"


def _cards(folder):
    path = _list(folder)
    if not path.is_file():
        return {}
    try:
        cards = json.loads(path.read_text(encoding="utf-8"))
        complete = all(entry.keys() == {f.name for f in fields(Card)} for entry in cards.values())
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is no list of stored networks: {error}") from error
    if not complete:
        raise ValueError(
            f"{path} is no list of stored networks: an entry has other fields than a card"
        )
    return cards
