"""LSTM networks from their equations, in two engines behind one API.

    from lstm_lib import numpy as L     # hand-derived backpropagation, NumPy alone
    from lstm_lib import torch as L     # the same names and weights, CPU or GPU

What lives where:

    equations    one step of an LSTM and its derivative: the mathematics, once
    variants     one step with peepholes, projection, coupled gate, layer norm, zoneout
    parameters   names, shapes, gate order and initial values of the weights
    layout       what a recurrent layer is made of: options, names of weights and masks
    notation     every symbol: its name in code, its shape, its rows
    kernels      the loops over time in NumPy, forward and backward, fast
    normalisation  layer normalisation and its derivative
    convolution  lengths and padding of convolutions over time
    averages     the loss of many batches as if they were one
    initialisers where recurrent weights start: Xavier, He, orthogonal, identity, by gate
    masks        random masks that can be repeated, for dropout and its relatives
    mixtures     mixtures of Gaussians that a network puts out: density, mean and samples
    sampling     drawing the next token: temperature, top-k, nucleus
    decoding     greedy search and beam search for the likeliest sequence
    seq2seq      what the encoder-decoders of both engines share
    softwindow   a window that a writing network moves over its text
    inputs       models with one input or several
    numpy        the NumPy engine: layers, losses, optimisers, all with ``backward``
    torch        the torch engine: the same names on autograd and CUDA
    gradcheck    complex step, differences and Taylor slope, with readable reports
    probe        every gate and its gradient at every step, Jacobians, how far memory reaches
    training     ``fit()``: one training loop for both engines, with checkpoints
    convert      layers and weights to and from torch.nn, ONNX, Keras and Flax
    streams      training and judging language models on one long text
    distributed  training in several processes, on one machine or many
    runs         one run of training: history, checkpoint, progress bar
    checkpoints  weights on disk as safetensors, written atomically
    pretrained   small networks that were trained for long, each known by its hash
    files        files that are whole or not there
    data         windows, scaling, baselines, text and real data sets
    checks       the properties that exercises are graded by, with messages for students
    zoo          well-known LSTM bugs, each with its symptom and the check that catches it
    claims       ``claim()``: state, check and record one result
    figures      the figure style of the book and its own plots
    highlight    words on coloured ground: which of them speak for an answer
    tables       tables of words that a phone can wrap, for what networks answer
    music        melodies as piano roll, sound and MIDI file, with a player for the page

Importing ``lstm_lib`` imports neither torch nor matplotlib.
"""

from importlib import import_module
from importlib.util import find_spec

__version__ = "0.1.0"
__all__ = ["engine"]


def engine(name="auto"):
    """Return one of the two engines as a module.

    Parameters
    ----------
    name : {"auto", "numpy", "torch"}
        ``"auto"`` gives the torch engine where torch finds a CUDA device and the
        NumPy engine otherwise.

    Returns
    -------
    module
        ``lstm_lib.numpy`` or ``lstm_lib.torch``. Both export the same names.

    Raises
    ------
    ValueError
        If `name` is not one of the three.
    ModuleNotFoundError
        If torch is asked for and not installed.

    Examples
    --------
    >>> import lstm_lib
    >>> L = lstm_lib.engine("numpy")
    >>> L.__name__
    'lstm_lib.numpy'
    """
    if name not in ("auto", "numpy", "torch"):
        raise ValueError(f"engine must be 'auto', 'numpy' or 'torch', got {name!r}")
    if name == "auto":
        name = "torch" if _cuda_is_available() else "numpy"
    return import_module(f"lstm_lib.{name}")


def _cuda_is_available():
    if find_spec("torch") is None:
        return False
    return import_module("torch").cuda.is_available()
