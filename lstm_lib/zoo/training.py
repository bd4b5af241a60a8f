"""Bugs in training: initial weights, dropout, losses, clipping and learning rates. The layers are right."""

import warnings

import numpy as np

from lstm_lib import numpy as L
from lstm_lib import parameters
from lstm_lib.equations import sigmoid
from lstm_lib.zoo.entry import Bug


def initial_weights(input_size, hidden_size, forget_bias, rng):
    """Random weights, and a forget bias that stands in one of the two biases."""
    sizes = dict(input_size=input_size, hidden_size=hidden_size)
    return parameters.recurrent_values(sizes, forget_bias=forget_bias, rng=rng, dtype=np.float64)


def forget_bias_twice(input_size, hidden_size, forget_bias, rng):
    """Both biases get the forget bias, and the layer adds them."""
    weights = initial_weights(input_size, hidden_size, forget_bias, rng)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        weights[name][parameters.gate_rows("f", hidden_size)] = forget_bias
    return weights


def all_equal(input_size, hidden_size, forget_bias, rng):
    """Every weight starts with the same number."""
    weights = initial_weights(input_size, hidden_size, None, rng)
    weights = {name: np.full_like(array, 0.1) for name, array in weights.items()}
    parameters.set_forget_bias(weights, forget_bias, hidden_size)
    return weights


class DropoutUnscaled(L.Dropout):
    """What survives in training is not scaled."""

    def forward(self, x):
        """Drop entries, and leave the others as they are."""
        return x * ~self.coins(x.shape, self.p) if self.training else x


class DropoutAlways(L.Dropout):
    """Evaluation drops entries like training."""

    def forward(self, x):
        """Drop entries in every mode."""
        return x * self.dropout_mask(x.shape, self.p, np.float64)


def dropout_between_layers(p, rng):
    """Two layers have a place between them where dropout acts."""
    return L.LSTM(3, 8, num_layers=2, dropout=p, rng=rng)


def dropout_with_one_layer(p, rng):
    """Dropout acts between layers, and there is one layer; the warning goes unread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return L.LSTM(3, 8, num_layers=1, dropout=p, rng=rng)


def predictions(model, x):
    """The model is in evaluation mode while it predicts."""
    return L.predict(model, x)


def eval_forgotten(model, x):
    """The model predicts as training left it."""
    return model(x)


def cross_entropy(logits, target):
    """The loss gets the logits, because it takes the softmax itself."""
    return L.CrossEntropyLoss()(logits, target)


def softmax_twice(logits, target):
    """Probabilities go into a loss that takes the softmax itself."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return L.CrossEntropyLoss()(weights / weights.sum(axis=-1, keepdims=True), target)


def masked_loss(prediction, target, lengths):
    """The mean is taken over the valid steps."""
    valid = np.arange(prediction.shape[1]) < np.asarray(lengths)[:, None]
    return L.MSELoss()(prediction, target, valid)


def loss_over_padding(prediction, target, lengths):
    """Padding, where prediction and target are zero, counts as a success."""
    return L.MSELoss()(prediction, target)


def clipped(params, max_norm):
    """All gradients are scaled together by their joint norm."""
    L.clip_grad_norm_(params, max_norm)


def clipped_one_by_one(params, max_norm):
    """Each parameter's gradient is clipped by its own norm."""
    for parameter in params:
        L.clip_grad_norm_([parameter], max_norm)


def rates(optimizer, schedule, epochs, batches):
    """The schedule takes one step an epoch."""
    seen = []
    for _ in range(epochs):
        for _ in range(batches):
            optimizer.step()
        schedule.step()
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def rate_of_every_batch(optimizer, schedule, epochs, batches):
    """The schedule, made for epochs, takes one step a batch."""
    seen = []
    for _ in range(epochs):
        for _ in range(batches):
            optimizer.step()
            schedule.step()
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def gradient_norms(model, criterion, batches):
    """Each batch starts from gradients of zero."""
    norms = []
    for x, y in batches:
        model.zero_grad()
        criterion(model(x), y)
        model.backward(criterion.backward())
        norms.append(np.sqrt(sum((p.grad**2).sum() for p in model.parameters())))
    return norms


def gradients_pile_up(model, criterion, batches):
    """The gradients of all earlier batches stay."""
    norms = []
    for x, y in batches:
        criterion(model(x), y)
        model.backward(criterion.backward())
        norms.append(np.sqrt(sum((p.grad**2).sum() for p in model.parameters())))
    return norms


def _different_units(implementation, rng, units=6):
    """How many different hidden states a layer has after some training with a head of ones."""
    lstm = L.LSTM(2, units, dtype=np.float64)
    lstm.load_state_dict(implementation(2, units, 1.0, rng))
    x, target = rng.normal(size=(8, 10, 2)), rng.normal(size=10)
    optimizer, criterion = L.Adam(lstm.parameters(), lr=0.05), L.MSELoss()
    for _ in range(20):
        _, (h_n, c_n) = lstm(x)
        criterion(h_n[0].sum(axis=-1), target)
        optimizer.zero_grad()
        d_h = np.repeat(criterion.backward()[None, :, None], units, axis=2)
        lstm.backward(None, (d_h, np.zeros_like(c_n)))
        optimizer.step()
    h_n = lstm(x)[1][0][0]
    return len(np.unique(h_n.round(9), axis=1).T)


def _units_stay_equal(implementation, rng):
    count = _different_units(implementation, rng)
    return "" if count == 6 else f"Of 6 units {count} differ after 20 steps of training."


def _forget_bias_counted(implementation, rng):
    weights = implementation(2, 4, 1.5, rng)
    rows = parameters.gate_rows("f", 4)
    total = weights["bias_ih_l0"][rows] + weights["bias_hh_l0"][rows]
    return "" if np.allclose(total, 1.5) else f"Asked for 1.5, the gate gets {total[0]:.3g}."


def _forget_gate_at_rest(implementation, rng):
    weights = implementation(2, 4, 1.0, rng)
    rows = parameters.gate_rows("f", 4)
    return sigmoid(weights["bias_ih_l0"][rows] + weights["bias_hh_l0"][rows]).mean()


def _mean_in_training(implementation, rng):
    """Mean of ones after dropout in training over that in evaluation."""
    layer = implementation(0.5)
    layer.reseed(int(rng.integers(2**32)))
    ones = np.ones(20_000)
    return layer.train()(ones).mean() / layer.eval()(ones).mean()


def _scale_differs(implementation, rng):
    ratio = _mean_in_training(implementation, rng)
    return "" if abs(ratio - 1) < 0.05 else f"The ratio of the two means is {ratio:.2f}."


def _dropped_in_evaluation(implementation, rng):
    layer = implementation(0.5)
    layer.reseed(int(rng.integers(2**32)))
    return (layer.eval()(np.ones(1000)) == 0).mean()


def _evaluation_changes_the_input(implementation, rng):
    share = _dropped_in_evaluation(implementation, rng)
    return f"It dropped {share:.0%} of the entries." if share else ""


def _change_between_passes(implementation, rng):
    layer, x = implementation(0.5, rng), rng.normal(size=(4, 2, 3))
    return np.abs(layer(x)[0] - layer(x)[0]).max()


def _nothing_is_dropped(implementation, rng):
    change = _change_between_passes(implementation, rng)
    return "" if change > 0 else "Two passes in training mode gave the same outputs."


class _Noisy(L.Module):
    """A small model with dropout."""

    def __init__(self, rng):
        self.dropout, self.linear = (
            L.Dropout(0.5, rng=rng),
            L.Linear(10, 1, dtype=np.float64, rng=rng),
        )

    def forward(self, x):
        return self.linear(self.dropout(x))


def _spread_of_predictions(implementation, rng):
    model, x = _Noisy(rng), rng.normal(size=(4, 10))
    return np.ptp([implementation(model, x) for _ in range(20)], axis=0).mean()


def _predictions_vary(implementation, rng):
    spread = _spread_of_predictions(implementation, rng)
    return f"Twenty predictions for the same data differ by {spread:.2g}." if spread else ""


def _loss_when_sure(implementation, rng):
    target = rng.integers(3, size=8)
    return implementation(100.0 * np.eye(3)[target], target)


def _certainty_costs(implementation, rng):
    loss = _loss_when_sure(implementation, rng)
    return f"Sure and right about 3 classes, it costs {loss:.3g}." if loss > 1e-6 else ""


def _padded_errors(rng, steps):
    """Predictions that are wrong by 1 on 5 valid steps and zero, like the target, in the padding."""
    target = np.zeros((4, steps))
    target[:, :5] = rng.normal(size=(4, 5))
    prediction = target.copy()
    prediction[:, :5] += 1
    return prediction, target, [5] * 4


def _padding_lowers_the_loss(implementation, rng):
    problem = _padded_errors(rng, 5)
    short, long = implementation(*problem), implementation(*_padded_errors(rng, 25))
    return (
        "" if abs(long - short) < 1e-12 else f"From {short:.2f} to {long:.2f} by 20 padded steps."
    )


def _gradients(rng):
    """Four parameters whose gradients are large, small and in between."""
    params = [L.Parameter(np.zeros(5)) for _ in range(4)]
    for parameter, size in zip(params, (10.0, 3.0, 1.0, 0.1), strict=True):
        parameter.grad = size * rng.normal(size=5)
    return params


def _cosine_after_clipping(implementation, rng):
    params = _gradients(rng)
    before = np.concatenate([p.grad for p in params])
    implementation(params, 1.0)
    after = np.concatenate([p.grad for p in params])
    return before @ after / np.linalg.norm(before) / np.linalg.norm(after)


def _direction_changed(implementation, rng):
    cosine = _cosine_after_clipping(implementation, rng)
    return f"Its cosine to the gradient is {cosine:.3f}." if cosine < 1 - 1e-9 else ""


def _rates(implementation, epochs, batches):
    parameter = L.Parameter(np.zeros(1))
    optimizer = L.SGD([parameter], lr=1.0)
    return implementation(optimizer, L.StepLR(optimizer, 1, gamma=0.9), epochs, batches)


def _rate_depends_on_batches(implementation, rng):
    few, many = (_rates(implementation, 3, batches) for batches in (1, 7))
    if np.allclose(few, many):
        return ""
    return f"After an epoch of 1 batch {few[0]:.3g} is left, of 7 batches {many[0]:.3g}."


def _same_batch(implementation, rng, times=20):
    model = L.Linear(3, 1, dtype=np.float64, rng=rng)
    batch = rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    return implementation(model, L.MSELoss(), [batch] * times)


def _growth(implementation, rng):
    norms = _same_batch(implementation, rng)
    return norms[-1] / norms[0]


def _gradients_remember(implementation, rng):
    growth = _growth(implementation, rng)
    return (
        "" if abs(growth - 1) < 1e-9 else f"At the twentieth time its norm is {growth:.1f} times."
    )


BUGS = (
    Bug(
        name="forget_bias_twice",
        kind="initial weights",
        title="The forget bias counted twice",
        wrong="A layer with two biases gets the forget bias in both.",
        looks="The gate starts more open than asked for; a comparison of forget biases is off by two.",
        promise="Both biases of the forget gate add up to the forget bias.",
        seen="Common with torch, whose LSTM has two biases.",
        fix="Write it into one bias and zero into the other.",
        broken=forget_bias_twice,
        correct=initial_weights,
        quantity="forget gate at rest for a forget bias of 1",
        judge=_forget_bias_counted,
        measure=_forget_gate_at_rest,
    ),
    Bug(
        name="all_equal",
        kind="initial weights",
        title="All weights equal",
        wrong="Every weight starts as the same constant.",
        looks="The loss falls at first; a hundred units do the work of one.",
        promise="After some training all units differ.",
        seen="Tutorials.",
        fix="Draw the weights at random; only biases may start equal.",
        broken=all_equal,
        correct=initial_weights,
        quantity="different units among 6 after training",
        judge=_units_stay_equal,
        measure=_different_units,
    ),
    Bug(
        name="dropout_unscaled",
        kind="dropout",
        title="Dropout without scaling",
        wrong="What survives is not divided by 1 - p.",
        looks="Training looks fine; in evaluation all activations are larger than the next layer knows them.",
        promise="The mean activation is the same in training and in evaluation.",
        seen="Common.",
        fix="Divide by 1 - p in training.",
        broken=DropoutUnscaled,
        correct=L.Dropout,
        quantity="mean activation in training over that in evaluation, p = 0.5",
        judge=_scale_differs,
        measure=_mean_in_training,
    ),
    Bug(
        name="dropout_in_evaluation",
        kind="dropout",
        title="Dropout that never stops",
        wrong="The layer does not ask whether it is training.",
        looks="Test results are worse than they should be and differ from run to run.",
        promise="In evaluation the layer changes nothing.",
        seen="Common.",
        fix="Return the input unchanged in evaluation mode.",
        broken=DropoutAlways,
        correct=L.Dropout,
        quantity="share of entries that evaluation drops, p = 0.5",
        judge=_evaluation_changes_the_input,
        measure=_dropped_in_evaluation,
    ),
    Bug(
        name="dropout_with_one_layer",
        kind="layer with dropout",
        title="Dropout in a layer that stands alone",
        wrong="dropout=0.5 is given to an LSTM of one layer, where it has no place to act.",
        looks="Overfitting as before, whatever the value of dropout, to the last digit.",
        promise="In training mode two passes over the same data differ.",
        seen="Tutorials.",
        fix="Put a Dropout after the layer, use recurrent_dropout, or take two layers.",
        broken=dropout_with_one_layer,
        correct=dropout_between_layers,
        quantity="largest difference of two training passes over the same data, dropout 0.5",
        judge=_nothing_is_dropped,
        measure=_change_between_passes,
    ),
    Bug(
        name="eval_forgotten",
        kind="prediction",
        title="Prediction in training mode",
        wrong="Nobody calls eval() before predicting.",
        looks="The same question gets another answer each time.",
        promise="The same data give the same predictions.",
        seen="Common.",
        fix="Predict in evaluation mode, and return to the mode that was.",
        broken=eval_forgotten,
        correct=predictions,
        quantity="largest minus smallest of 20 predictions for the same data",
        judge=_predictions_vary,
        measure=_spread_of_predictions,
    ),
    Bug(
        name="softmax_twice",
        kind="classification loss",
        title="Softmax before a loss that has its own",
        wrong="Probabilities are given to a loss that expects logits.",
        looks="Accuracy rises, but the loss stops far above zero, however long the training.",
        promise="A sure and right answer costs nothing.",
        seen="Common.",
        fix="Give the loss the logits; use the softmax for showing probabilities alone.",
        broken=softmax_twice,
        correct=cross_entropy,
        quantity="loss of sure and right answers among 3 classes",
        judge=_certainty_costs,
        measure=_loss_when_sure,
    ),
    Bug(
        name="loss_over_padding",
        kind="masked loss",
        title="The mean taken over padding",
        wrong="Padded steps, which are right by construction, count in the mean.",
        looks="The loss is pleasantly low and depends on the longest sequence of the batch.",
        promise="Longer padding does not change the loss.",
        seen="Common.",
        fix="Mask the padding, in the sum and in the number that divides it.",
        broken=loss_over_padding,
        correct=masked_loss,
        quantity="loss where every valid step is wrong by 1 and 4 of 5 steps are padding",
        judge=_padding_lowers_the_loss,
        measure=lambda implementation, rng: implementation(*_padded_errors(rng, 25)),
    ),
    Bug(
        name="clipped_one_by_one",
        kind="clipping",
        title="Each gradient clipped by its own norm",
        wrong="Clipping by norm is applied to one parameter after another.",
        looks="Training is stable and slow: the step no longer follows the gradient.",
        promise="Clipping by norm keeps the direction of the whole gradient.",
        seen="Common.",
        fix="Compute one norm of all gradients together.",
        broken=clipped_one_by_one,
        correct=clipped,
        quantity="cosine between the gradient before and after clipping",
        judge=_direction_changed,
        measure=_cosine_after_clipping,
    ),
    Bug(
        name="rate_of_every_batch",
        kind="schedule",
        title="The rate decayed every batch",
        wrong="A schedule made for epochs takes a step after every batch.",
        looks="The loss falls in the first epoch and stands still from then on.",
        promise="The rate after an epoch does not depend on its number of batches.",
        seen="Stock-price tutorials.",
        fix="Step the schedule once an epoch, or give it a decay meant for batches.",
        broken=rate_of_every_batch,
        correct=rates,
        quantity="learning rate left after an epoch of 50 batches, decay 0.9",
        judge=_rate_depends_on_batches,
        measure=lambda implementation, rng: _rates(implementation, 1, 50)[0],
    ),
    Bug(
        name="gradients_pile_up",
        kind="gradients of batches",
        title="Gradients never set to zero",
        wrong="zero_grad is missing from the loop.",
        looks="The gradient's norm grows from batch to batch and the loss begins to swing.",
        promise="The same batch gives the same gradient each time.",
        seen="Common.",
        fix="Forget the gradients before every backward pass.",
        broken=gradients_pile_up,
        correct=gradient_norms,
        quantity="norm of the gradient at the twentieth time over that at the first, same batch",
        judge=_gradients_remember,
        measure=_growth,
    ),
)
