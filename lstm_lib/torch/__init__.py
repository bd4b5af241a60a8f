"""The torch engine: the same names and weights as :mod:`lstm_lib.numpy`, on CPU or GPU.

The LSTM is written from :mod:`lstm_lib.equations`, not wrapped around ``torch.nn.LSTM``; autograd
differentiates it. What torch has and the course does not derive (linear layers, optimisers,
clipping) is torch's own.
"""

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "lstm_lib.torch needs PyTorch: pip install torch (or use lstm_lib.numpy)", name="torch"
    ) from error

from torch.nn import Module, Parameter, ReLU, Sequential, Tanh
from torch.nn.utils import clip_grad_value_
from torch.optim import SGD, Adam, AdamW, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

from lstm_lib.initialisers import initialise
from lstm_lib.torch.attention import Attention, AttentionPooling
from lstm_lib.torch.cells import GRUCell, LSTMCell, RNNCell
from lstm_lib.torch.convolution import Conv1d
from lstm_lib.torch.generation import (
    LanguageModel,
    generate,
    generate_points,
    stream_loss,
    stream_value_and_grad,
)
from lstm_lib.torch.layers import Dropout, Embedding, LayerNorm, Linear
from lstm_lib.torch.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
)
from lstm_lib.torch.masks import reseed
from lstm_lib.torch.mixture import MDNLoss, MixtureDensity
from lstm_lib.torch.models import SequenceModel, device, evaluate, predict, value_and_grad
from lstm_lib.torch.optim import clip_grad_norm_
from lstm_lib.torch.recurrent import GRU, LSTM, RNN
from lstm_lib.torch.seq2seq import EncoderDecoder
from lstm_lib.torch.window import HandwritingModel, WindowLSTM

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
