"""The NumPy engine: layers whose backward pass is derived and written by hand.

Every object follows one pattern. ``forward`` (or a call) computes and remembers what its
derivative needs; ``backward`` takes the derivative of the loss by the output of the latest
call, adds to the ``grad`` of every parameter and returns the derivative by the input.

The names, arguments and shapes are those of :mod:`lstm_lib.torch`.
"""

from lstm_lib.initialisers import initialise
from lstm_lib.numpy.attention import Attention, AttentionPooling
from lstm_lib.numpy.cells import GRUCell, LSTMCell, RNNCell
from lstm_lib.numpy.convolution import Conv1d
from lstm_lib.numpy.generation import (
    LanguageModel,
    generate,
    generate_points,
    stream_loss,
    stream_value_and_grad,
)
from lstm_lib.numpy.layers import (
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    ReLU,
    Sequential,
    Tanh,
)
from lstm_lib.numpy.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
)
from lstm_lib.numpy.mixture import MDNLoss, MixtureDensity
from lstm_lib.numpy.models import SequenceModel, device, evaluate, predict, value_and_grad
from lstm_lib.numpy.module import Module, Parameter, reseed
from lstm_lib.numpy.optim import (
    SGD,
    Adam,
    AdamW,
    RMSprop,
    clip_grad_norm_,
    clip_grad_value_,
)
from lstm_lib.numpy.recurrent import GRU, LSTM, RNN
from lstm_lib.numpy.schedules import CosineAnnealingLR, ReduceLROnPlateau, StepLR
from lstm_lib.numpy.seq2seq import EncoderDecoder
from lstm_lib.numpy.window import HandwritingModel, WindowLSTM

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "AdamW",
    "Attention",
    "AttentionPooling",
    "BCEWithLogitsLoss",
    "Conv1d",
    "CosineAnnealingLR",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "EncoderDecoder",
    "GRUCell",
    "HandwritingModel",
    "HuberLoss",
    "L1Loss",
    "LSTMCell",
    "LanguageModel",
    "LayerNorm",
    "Linear",
    "MDNLoss",
    "MSELoss",
    "MixtureDensity",
    "Module",
    "Parameter",
    "RMSprop",
    "RNNCell",
    "ReLU",
    "ReduceLROnPlateau",
    "SequenceModel",
    "Sequential",
    "StepLR",
    "Tanh",
    "WindowLSTM",
    "clip_grad_norm_",
    "clip_grad_value_",
    "device",
    "evaluate",
    "generate",
    "generate_points",
    "initialise",
    "predict",
    "reseed",
    "stream_loss",
    "stream_value_and_grad",
    "value_and_grad",
]
