"""The book's figures: one style, one way to show them, and the course's own plots.

A figure here is a transparent SVG whose ink reads on a white page and on a near-black
one, whose text is large enough for a phone, whose colours stay apart for colour-blind
readers, and which carries its alternative text in its ``<title>``. The same drawing
gives the same bytes. Nothing here computes a result: the plots take arrays.
matplotlib is imported when the first figure is drawn, not before.
"""

import io
import sys

import numpy as np

from lstm_lib.shell import display

__all__ = [
    "COLOURS",
    "INK",
    "bootstrap_interval",
    "plot_errors_with_confidence",
    "plot_forecast",
    "plot_gates",
    "plot_learning_curve",
    "rasterise",
    "show",
    "to_svg",
    "use_style",
]

INK = "#757c87"
"""Grey of text and axes: contrast 4.2 on white (#ffffff) and 4.4 on #0f141b."""

COLOURS = ("#3861ae", "#e37218", "#b474ff", "#15a59a", "#8f543f")
"""Blue, orange, violet, teal, brown: contrast above 3 on both pages, and apart from one
another under the three colour-vision deficiencies (tests/test_figures.py measures both)."""

SIZE = (6.4, 3.4)
"""Inches; on a phone the browser halves it and 12 point text still reads."""

SYMBOLS = {
    "i": ("input gate $i_t$", "gate"),
    "f": ("forget gate $f_t$", "gate"),
    "g": ("candidate $g_t$", "signed"),
    "o": ("output gate $o_t$", "gate"),
    "c": ("cell state $c_t$", "signed"),
    "h": ("hidden state $h_t$", "signed"),
}


def _matplotlib():
    """Import matplotlib, or say how to get it."""
    try:
        import matplotlib
        import matplotlib.pyplot
    except ModuleNotFoundError as error:
        raise ImportError('figures need matplotlib: pip install "lstm_lib[plot]"') from error
    return matplotlib


def use_style():
    """Set matplotlib to the style of the book for the rest of the session.

    Every plot of this module sets it by itself; call it before drawing your own. The colour
    map ``shades`` comes with it, from clear to blue, so that the page shows through.

    Raises
    ------
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import matplotlib
    >>> use_style()
    >>> matplotlib.rcParams["text.color"] == INK
    True
    """
    mpl = _matplotlib()
    ends = (COLOURS[0] + "00", COLOURS[0])
    if "shades" not in mpl.colormaps:
        mpl.colormaps.register(mpl.colors.LinearSegmentedColormap.from_list("shades", ends))
    mpl.rcParams.update(
        {
            "figure.figsize": SIZE,
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "savefig.transparent": True,
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": INK,
            "grid.alpha": 0.25,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "font.size": 12,
            "axes.titlesize": 12,
            "axes.labelsize": 12,
            "xtick.labelsize": 11,
            "ytick.labelsize": 11,
            "legend.fontsize": 11,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "image.cmap": "viridis",
            "axes.prop_cycle": mpl.cycler(color=COLOURS),
            "svg.fonttype": "path",  # the same letters everywhere, no font to fetch
            "svg.hashsalt": "lstm-book",  # stable ids: the same drawing, the same bytes
        }
    )


def to_svg(fig, alt):
    """Return `fig` as SVG text that carries `alt` as its title, without date or version.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    alt : str
        What a reader who cannot see the figure needs to know, in a sentence or two.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If `fig` is no figure.
    ValueError
        If `alt` is empty or shorter than a few words.

    Examples
    --------
    >>> svg = to_svg(plot_forecast([1, 2, 4], {"persistence": [1, 1, 2]}), "Persistence lags by a step.")
    >>> "<title>Persistence lags by a step.</title>" in svg
    True
    """
    if not hasattr(fig, "savefig"):
        raise TypeError(f"fig must be a matplotlib Figure, got {type(fig).__name__}")
    if not isinstance(alt, str) or len(alt.split()) < 3:
        raise ValueError(
            "alt must say in words what the figure shows, such as 'Predicted and real price,"
            f" which stay within a dollar of each other'; got {alt!r}"
        )
    alt = " ".join(alt.split())
    buffer = io.StringIO()
    metadata = {"Title": alt, "Date": None, "Creator": None, "Format": None, "Type": None}
    mpl = _matplotlib()
    with mpl.rc_context({"svg.hashsalt": "lstm-book", "svg.fonttype": "path"}):
        fig.savefig(buffer, format="svg", metadata=metadata, transparent=True)
    head, mark, body = buffer.getvalue().partition("<svg ")
    return f'{head}{mark}role="img" {body}'


def show(fig, alt, caption=None):
    """Show a figure as SVG in a notebook, elsewhere its alternative text, and close it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    alt : str
        As for :func:`to_svg`.
    caption : str, optional
        A line of Markdown to stand under the figure.

    Raises
    ------
    TypeError, ValueError
        As for :func:`to_svg`.

    Examples
    --------
    >>> show(plot_forecast([1, 2, 4], {"persistence": [1, 1, 2]}), "Persistence lags by a step.")
    Figure: Persistence lags by a step.
    """
    svg = to_svg(fig, alt)
    sys.modules["matplotlib.pyplot"].close(fig)
    alt = " ".join(alt.split())
    display({"image/svg+xml": svg, "text/plain": f"Figure: {alt}"})
    if caption:
        display({"text/markdown": caption, "text/plain": caption})


def rasterise(artist, dpi=150):
    """Draw dense artists as one picture inside the SVG, and return them.

    A scatter of 5,000 points is 500 kB of SVG; rasterised it is a tenth of that, while axes
    and text stay sharp.

    Parameters
    ----------
    artist : matplotlib Artist, or a list of them
        What ``ax.plot``, ``ax.scatter`` or ``ax.pcolormesh`` returned.
    dpi : int

    Returns
    -------
    artist

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> fig, ax = plt.subplots()
    >>> rasterise(ax.scatter([1, 2], [3, 4])).get_rasterized()
    True
    >>> plt.close(fig)
    """
    artists = artist if isinstance(artist, (list, tuple)) else [artist]
    for one in artists:
        one.set_rasterized(True)
        figure = one.get_figure()
        if figure is not None:
            figure.set_dpi(dpi)
    return artist


def _new(**kwargs):
    use_style()
    return sys.modules["matplotlib.pyplot"].subplots(**kwargs)


def _vector(name, values):
    """`values` as a one-dimensional float array that is not empty."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must be a sequence of numbers, got shape {array.shape}")
    return array


def plot_forecast(real, forecasts, *, x=None, band=None, xlabel="step", ylabel="value"):
    """Plot a real series and one or more predictions of it.

    Parameters
    ----------
    real : array of shape (T,)
        What happened.
    forecasts : dict of str to array of shape (T,)
        Predictions by method; NaN where there is none.
    x : array of shape (T,), optional
        Positions or dates; 0, 1, 2, … otherwise.
    band : pair of arrays of shape (T,), optional
        Lower and upper edge of an interval around the first prediction.
    xlabel, ylabel : str

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no prediction, or something is not as long as `real`.

    Examples
    --------
    >>> show(plot_forecast([1, 2, 4], {"persistence": [1, 1, 2]}), "Persistence lags by a step.")
    Figure: Persistence lags by a step.
    """
    real = _vector("real", real)
    x = np.arange(len(real)) if x is None else np.asarray(x)
    if not forecasts:
        raise ValueError("forecasts must hold at least one prediction")
    rows = {name: _vector(f"forecasts[{name!r}]", row) for name, row in forecasts.items()}
    edges = [_vector("band", edge) for edge in band] if band is not None else []
    for name, row in [("x", x), *rows.items(), *(("band", edge) for edge in edges)]:
        if len(row) != len(real):
            raise ValueError(f"{name} must be as long as real ({len(real)}), got {len(row)}")
    fig, ax = _new()
    ax.plot(x, real, color=INK, linewidth=2.5, alpha=0.8, label="real")
    for k, (name, row) in enumerate(rows.items()):
        ax.plot(x, row, linestyle=("-", "--", "-.", ":")[k % 4], linewidth=1.7, label=name)
    if edges:
        ax.fill_between(x, *edges, color=COLOURS[0], alpha=0.2, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if x.dtype.kind == "M":
        _date_axis(ax)
    ax.legend(loc="best")
    return fig


def _date_axis(ax):
    import matplotlib.dates as dates

    locator = dates.AutoDateLocator(minticks=3, maxticks=7)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def plot_learning_curve(history, *, baselines=None, ylabel="loss", log=True):
    """Plot the loss on training and validation data over the epochs.

    Parameters
    ----------
    history : History
        What ``lstm_lib.training.fit`` returns: ``train_loss`` and ``valid_loss`` (which may
        be empty), or a dict with these keys.
    baselines : dict of str to float, optional
        Losses of other methods, drawn as level lines.
    ylabel : str
    log : bool
        Whether the vertical axis is logarithmic.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no training loss.

    Examples
    --------
    >>> history = {"train_loss": [1.0, 0.5, 0.25], "valid_loss": [1.1, 0.6, 0.7]}
    >>> show(plot_learning_curve(history, baselines={"persistence": 0.9}), "The second is lowest.")
    Figure: The second is lowest.
    """
    get = history.get if isinstance(history, dict) else lambda key: getattr(history, key, None)
    train = _vector("history.train_loss", get("train_loss"))
    valid = get("valid_loss")
    fig, ax = _new()
    epochs = np.arange(1, len(train) + 1)
    ax.plot(epochs, train, label="training")
    if valid is not None and len(valid):
        valid = _vector("history.valid_loss", valid)
        ax.plot(np.arange(1, len(valid) + 1), valid, "--", label="validation")
        lowest = int(np.nanargmin(valid))
        ax.plot(lowest + 1, valid[lowest], "o", color=COLOURS[1], label="best")
    for k, (name, loss) in enumerate((baselines or {}).items()):
        ax.axhline(loss, color=INK, linestyle=(":", "-.", "--")[k % 3], label=name)
    if log:
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel=ylabel)
    ax.legend(loc="best")
    return fig


def plot_gates(trace, *, names="ifgoch", xlabel="step", order=None):
    """Plot every unit of every gate over time, one strip a symbol.

    Parameters
    ----------
    trace : dict of str to array of shape (T, H)
        Any of the symbols i, f, g, o, c, h.
    names : iterable of str
        The symbols to show, from top to bottom; those missing in `trace` are left out.
    xlabel : str
    order : array of int, shape (H,), optional
        Units from top to bottom.

    Returns
    -------
    matplotlib.figure.Figure
        Gates run from 0 to 1, signed quantities from -m to m around zero.

    Raises
    ------
    ValueError
        If a symbol is unknown, none is left, or the shapes differ.

    Examples
    --------
    >>> trace = {"f": np.full((10, 3), 0.9), "c": np.zeros((10, 3))}
    >>> show(plot_gates(trace), "Open forget gates keep empty cells empty.")
    Figure: Open forget gates keep empty cells empty.
    """
    unknown = set(trace) - set(SYMBOLS)
    if unknown:
        raise ValueError(f"trace knows the symbols {', '.join(SYMBOLS)}; got {sorted(unknown)}")
    rows = {name: np.asarray(trace[name], dtype=float) for name in names if name in trace}
    if not rows:
        raise ValueError(f"trace holds none of the symbols {list(names)}")
    shape = next(iter(rows.values())).shape
    for name, row in rows.items():
        if row.ndim != 2 or row.shape != shape:
            raise ValueError(
                f"trace[{name!r}] must be of shape (T, H) like the others, {shape}; got {row.shape}"
            )
    height = max(SIZE[1], 0.5 + 0.95 * len(rows))
    fig, axes = _new(nrows=len(rows), sharex=True, squeeze=False, figsize=(SIZE[0], height))
    for ax, (name, row) in zip(axes[:, 0], rows.items(), strict=True):
        title, kind = SYMBOLS[name]
        top = 1.0 if kind == "gate" else max(float(np.abs(row).max()), 1e-12)
        image = ax.imshow(
            row.T if order is None else row.T[np.asarray(order)],
            aspect="auto",
            interpolation="nearest",
            cmap="viridis" if kind == "gate" else "RdBu_r",
            vmin=0.0 if kind == "gate" else -top,
            vmax=top,
        )
        ax.set_title(title, loc="left", pad=3)
        ax.set_yticks([])
        ax.grid(False)
        ax.spines[:].set_visible(False)
        bar = fig.colorbar(image, ax=ax, pad=0.01, aspect=8)
        bar.outline.set_visible(False)
        bar.set_ticks([0, 1] if kind == "gate" else [-top, 0, top])
        bar.ax.yaxis.set_major_formatter("{x:.2g}")
    axes[-1, 0].set_xlabel(xlabel)
    return fig


def plot_errors_with_confidence(errors, *, baselines=None, confidence=0.95, xlabel="error"):
    """Plot the errors of several methods over seeds: each run, the mean, its interval.

    Parameters
    ----------
    errors : dict of str to array of shape (seeds,)
        One error a seed, by method; at least two seeds.
    baselines : dict of str to float, optional
        Errors of methods that have no seed, drawn as one mark each.
    confidence : float
        Level of the percentile bootstrap interval of the mean.
    xlabel : str
        The error's name, with its unit.

    Returns
    -------
    matplotlib.figure.Figure
        Methods from top to bottom, baselines below them.

    Raises
    ------
    ValueError
        If there is no method, a method has fewer than two seeds, or `confidence` is no share.

    Examples
    --------
    >>> fig = plot_errors_with_confidence({"LSTM": [1.0, 1.2, 0.9]}, baselines={"persistence": 1.1})
    >>> show(fig, "The LSTM's interval holds the error of persistence.")
    Figure: The LSTM's interval holds the error of persistence.
    """
    if not errors:
        raise ValueError("errors must hold at least one method")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    baselines = baselines or {}
    labels = [*errors, *baselines]
    fig, ax = _new(figsize=(SIZE[0], max(2.2, 0.9 + 0.5 * len(labels))))
    for k, (name, runs) in enumerate(errors.items()):
        runs = _vector(f"errors[{name!r}]", runs)
        if len(runs) < 2:
            raise ValueError(f"errors[{name!r}] needs at least two seeds, got {len(runs)}")
        low, high = bootstrap_interval(runs, confidence)
        colour = COLOURS[k % len(COLOURS)]
        ax.plot(runs, np.full(len(runs), k) + 0.18, ".", color=colour, alpha=0.6, markersize=6)
        ax.plot([low, high], [k, k], color=colour, linewidth=3, solid_capstyle="butt")
        ax.plot(runs.mean(), k, "o", color=colour, markersize=8)
    for k, (_, value) in enumerate(baselines.items(), start=len(errors)):
        ax.plot(value, k, "D", color=INK, markersize=7)
        ax.axvline(value, color=INK, linestyle=":", linewidth=1)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(xlabel)
    return fig


def bootstrap_interval(values, confidence=0.95, resamples=2000, seed=0):
    """Return the percentile bootstrap interval of the mean of `values`.

    Parameters
    ----------
    values : array_like, shape (N,)
    confidence : float
    resamples, seed : int

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        If `values` is empty or has another rank.

    References
    ----------
    B. Efron, R. Tibshirani, An introduction to the bootstrap, Chapman and Hall, 1993, chapter 13.

    Examples
    --------
    >>> low, high = bootstrap_interval([1.0, 2.0, 3.0, 4.0])
    >>> 1.0 <= low < 2.5 < high <= 4.0
    True
    """
    values = _vector("values", values)
    rng = np.random.default_rng(seed)
    means = rng.choice(values, size=(resamples, len(values))).mean(axis=1)
    tail = 50 * (1 - confidence)
    return tuple(float(edge) for edge in np.percentile(means, [tail, 100 - tail]))
