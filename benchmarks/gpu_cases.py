"""What the gates of correctness are tried on: layers of many shapes, I, H, B and T all different."""

from typing import NamedTuple


class Case(NamedTuple):
    """One layer's work: sizes and what is special about it."""

    kind: str
    batch: int
    steps: int
    inputs: int
    hidden: int
    layers: int = 1
    directions: int = 1
    lengths: bool = False

    def __str__(self):
        text = f"{self.kind} {self.batch}x{self.steps}x{self.inputs}x{self.hidden}"
        text += f", {self.layers} layers" if self.layers > 1 else ""
        text += ", both directions" if self.directions == 2 else ""
        return text + (", lengths" if self.lengths else "")


SMALL = (
    Case("LSTM", 5, 9, 3, 7),
    Case("LSTM", 5, 9, 3, 7, lengths=True),
    Case("LSTM", 1, 11, 4, 6, directions=2),
    Case("LSTM", 3, 8, 5, 6, 2, 2, True),
    Case("GRU", 4, 9, 3, 5, 1, 2, True),
    Case("RNN", 4, 9, 3, 5, 1, 2, True),
)
"""Cases for every device, quick on a CPU."""

LARGE = (
    Case("LSTM", 3, 50, 40, 64),
    Case("LSTM", 17, 65, 96, 128, directions=2),
    Case("LSTM", 2, 60, 130, 256, lengths=False),
    Case("LSTM", 33, 70, 96, 256, lengths=True),
    Case("LSTM", 18, 40, 100, 384, 2, 2, True),
    Case("LSTM", 65, 129, 200, 512),
    Case("LSTM", 1, 90, 300, 512, directions=2),
    Case("LSTM", 7, 66, 129, 1024),
    Case("GRU", 19, 66, 100, 256, 1, 2, True),
    Case("RNN", 19, 66, 100, 256),
)
"""Cases with more than one program a layer; for a GPU."""

SMOKE = (SMALL[0], Case("LSTM", 3, 5, 4, 136))
"""Cases for the sanitizer; in the second, programs wait for each other."""
