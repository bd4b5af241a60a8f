"""One of several copies of a model, each in a process of its own, whose gradients are averaged."""

from weakref import WeakSet

from torch import nn
from torch.nn.parallel import DistributedDataParallel

REPLICAS = WeakSet()


class Replica(nn.Module):
    """Calls a model through ``DistributedDataParallel``, whichever of its methods it is.

    The weights of all copies become those of the first.
    """

    def __init__(self, model):
        super().__init__()
        self.parallel = DistributedDataParallel(_Called(model))
        if hasattr(model, "output_mask"):
            self.output_mask = model.output_mask
        REPLICAS.add(self)

    def forward(self, *args, **options):
        """What the model returns."""
        return self.parallel("forward", *args, **options)

    def forward_with_state(self, x, hx=None):
        """What the model's method of this name returns."""
        return self.parallel("forward_with_state", x, hx)


def part():
    """Take from all replicas what averages their gradients, before the workers part.

    That holds the connection to the others, too. Were it the last to do so, its end would wait for a
    thread of Gloo while holding Python's lock, and that thread may wait for the lock.
    """
    for replica in list(REPLICAS):
        for name in ("reducer", "logger"):
            vars(replica.parallel).pop(name, None)
    REPLICAS.clear()


class _Called(nn.Module):
    """DistributedDataParallel calls ``forward`` alone: here it is told which method is meant."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, method, *args, **options):
        call = self.model if method == "forward" else getattr(self.model, method)
        return call(*args, **options)
