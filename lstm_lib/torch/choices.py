"""Which backend ``backend="auto"`` takes: a table, and where its lines were measured.

The first line that fits a request names the backends in the order in which they are asked; the first
that serves the request is taken. A new measurement is a new line here and a file in
``benchmarks/results``, nothing else.
"""

from typing import NamedTuple

NOT_MEASURED = "not measured"
"""What stands in a line of the table that rests on no measurement."""


class Choice(NamedTuple):
    """One line: where it holds, the backends in their order, and the file with the numbers.

    `kind` is the cell and `device` the type of the device, None for any; `steps` is the largest number
    of steps, None for any.
    """

    kind: object
    device: object
    steps: object
    backends: tuple
    measured: str

    def fits(self, request):
        """Whether the line is about this request."""
        return (
            (self.kind is None or self.kind == request.kind)
            and (self.device is None or self.device == request.device.type)
            and (self.steps is None or request.steps <= self.steps)
        )


CPU = "choices-cpu.json"
"""Written by ``python -m benchmarks.choices``."""

CHOICES = (
    Choice("RNN", "cpu", 2, ("loop",), CPU),
    Choice(None, "cpu", 1, ("loop",), CPU),
    Choice(None, "cpu", None, ("fused", "loop"), CPU),
    Choice(None, "cuda", None, ("cudnn", "fused", "loop"), NOT_MEASURED),
    Choice(None, None, None, ("loop",), NOT_MEASURED),
)
"""The table, in the order in which it is read."""
