"""One of several copies of a model, each in a process of its own, whose gradients are averaged."""

from torch import nn
from torch.nn.parallel import DistributedDataParallel


class Replica(nn.Module):
    """Calls a model through ``DistributedDataParallel``, whichever of its methods it is.

    The weights of all copies become those of the first.
    """

    def __init__(self, model):
        super().__init__()
        self.parallel = DistributedDataParallel(_Called(model))
        if hasattr(model, "output_mask"):
            self.output_mask = model.output_mask

    def forward(self, *args, **options):
        """What the model returns."""
        return self.parallel("forward", *args, **options)

    def forward_with_state(self, x, hx=None):
        """What the model's method of this name returns."""
        return self.parallel("forward_with_state", x, hx)


class _Called(nn.Module):
    """DistributedDataParallel calls ``forward`` alone: here it is told which method is meant."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, method, *args, **options):
        call = self.model if method == "forward" else getattr(self.model, method)
        return call(*args, **options)
