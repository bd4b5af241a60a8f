"""A stranger's code for torch.nn, run as it is and with nothing changed but the line of its import."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.helpers import distance

IMPORT = "from torch.nn import KIND"
OURS = "from lstm_lib.torch import KIND"

STRANGER = """
import copy

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import KIND
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Classifier(nn.Module):
    def __init__(self, features, hidden, classes):
        super().__init__()
        self.rnn = KIND(
            input_size=features,
            hidden_size=hidden,
            num_layers=2,
            batch_first=True,
            dropout=0.0,
            bidirectional=True,
        )
        self.norm = nn.LayerNorm(2 * hidden)
        self.fc = nn.Linear(2 * hidden, classes)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        packed_output, state = self.rnn(packed)
        output, _ = pad_packed_sequence(packed_output, batch_first=True)
        h_n = state[0] if isinstance(state, tuple) else state
        last = torch.cat((h_n[-2], h_n[-1]), dim=1)
        return self.fc(self.norm(last)), output


class Stream(nn.Module):
    def __init__(self, features, hidden):
        super().__init__()
        self.rnn = KIND(features, hidden)

    def forward(self, chunks):
        state, outputs = None, []
        for chunk in chunks:
            output, state = self.rnn(chunk, state)
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            outputs.append(output)
        return torch.cat(outputs)


torch.manual_seed(0)
x = torch.randn(4, 9, 3)
lengths = torch.tensor([9, 2, 5, 7])
target = torch.tensor([0, 2, 1, 1])
results = {}

model = Classifier(3, 6, 3)
model.load_state_dict(load_file(weights))
print(sum(p.numel() for p in model.parameters()), "parameters")
model.eval()
with torch.no_grad():
    results["logits"], results["output"] = model(x, lengths)
print("logits", *(f"{v:.4f}" for v in results["logits"].flatten()))

model.train()
best = copy.deepcopy(model.state_dict())
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
losses = []
for epoch in range(5):
    optimizer.zero_grad()
    logits, _ = model(x, lengths)
    loss = nn.functional.cross_entropy(logits, target)
    loss.backward()
    clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.detach())
    print(f"epoch {epoch}: loss {loss.item():.4f}")
results["losses"] = torch.stack(losses)
model.load_state_dict(best)
results["again"] = model.eval()(x, lengths)[0].detach()

stream = Stream(3, 6)
stream.rnn.load_state_dict({
    name: value[:, :3] if name == "weight_ih_l0" else value
    for name, value in model.rnn.state_dict().items()
    if name.endswith("_l0")
})
results["stream"] = stream(x.transpose(0, 1).split(4)).detach()
one, _ = stream.rnn(x[0])
results["one sequence"] = one.detach()
print("stream", f"{results['stream'].sum():.4f}", "one", f"{one.sum():.4f}")
"""


def run(kind, line, weights, capsys):
    """What the stranger's program computed, and what it printed."""
    code = STRANGER.replace(IMPORT, line).replace("KIND", kind)
    space = {"weights": weights}
    exec(compile(code, "<a stranger's program>", "exec"), space)
    results = {name: value.numpy() for name, value in space["results"].items()}
    return results, capsys.readouterr().out, space


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text)]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_only_the_import_changes(kind, tmp_path, capsys):
    assert STRANGER.count(IMPORT) == 1
    weights = tmp_path / "stranger.safetensors"
    save_file(trained_weights(kind), weights)
    expected, printed, _ = run(kind, IMPORT, weights, capsys)
    results, ours, space = run(kind, OURS, weights, capsys)
    assert type(space["model"].rnn).__module__.startswith("lstm_lib.torch")
    assert results.keys() == expected.keys()
    for name in expected:
        assert distance(results[name], expected[name]) <= 2e-6, name
    assert re.sub(r"-?\d+\.\d+", "#", ours) == re.sub(r"-?\d+\.\d+", "#", printed)
    assert np.allclose(numbers(ours), numbers(printed), rtol=0, atol=1.01e-4)


def trained_weights(kind):
    """Weights with random biases of the stranger's classifier, made by torch.nn alone."""
    generator = torch.Generator().manual_seed(1)
    rnn = getattr(torch.nn, kind)(3, 6, 2, batch_first=True, bidirectional=True)
    shapes = {f"rnn.{name}": p.shape for name, p in rnn.named_parameters()}
    shapes |= {"norm.weight": (12,), "norm.bias": (12,), "fc.weight": (3, 12), "fc.bias": (3,)}
    return {name: torch.randn(shape, generator=generator) * 0.5 for name, shape in shapes.items()}
