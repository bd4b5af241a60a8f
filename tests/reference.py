"""The public names, which the API reference shows, and what is missing from their docstrings.

A public name is one that a reader of the reference meets: what a page of book/api shows with
``automodule``, ``autofunction`` or ``autoclass``, which includes all that both engines export.
Modules whose functions serve other modules alone are on no page; a module that also holds some
of those says in ``__all__`` what it shows.
"""

import ast
import inspect
import re
import textwrap
from importlib import import_module
from pathlib import Path

import lstm_lib
from lstm_lib import validation

API = Path(lstm_lib.__file__).parents[1] / "book" / "api"
PAGES = (API.with_suffix(".md"), *sorted(API.glob("*.md")))
SHOWN = re.compile(r"^\.\. auto(module|function|class|exception):: (\S+)\n((?:   :.*\n)*)", re.M)
SECTION = re.compile(r"^([A-Z]\w*)\n-{3,}\n", re.M)
CHECKS = {name for name in vars(validation) if not name.startswith("_")}


def shown_modules():
    """``{module: options}`` of all that the pages show with ``automodule``."""
    texts = (page.read_text(encoding="utf-8") for page in PAGES)
    found = (match for text in texts for match in SHOWN.findall(text))
    return {target: options for kind, target, options in found if kind == "module"}


def public_names():
    """``{dotted name: function or class}``."""
    found = {}
    for page in PAGES:
        for kind, target, options in SHOWN.findall(page.read_text(encoding="utf-8")):
            if kind == "module":
                found |= _members(target, options)
            else:
                module, _, name = target.rpartition(".")
                found[target] = getattr(import_module(module), name)
    return found


def _members(target, options):
    """What ``automodule`` shows: ``__all__``, or what the module defines, but for what is left out."""
    listed, left_out = _option(options, "members"), _option(options, "exclude-members")
    if listed is None:
        return {}
    module = import_module(target)
    own = [n for n, thing in vars(module).items() if getattr(thing, "__module__", None) == target]
    names = listed or getattr(module, "__all__", None) or [n for n in own if not n.startswith("_")]
    return {
        f"{target}.{name}": getattr(module, name)
        for name in names
        if name not in (left_out or ()) and callable(getattr(module, name))
    }


def _option(options, name):
    """The comma-separated values of a directive's option, None where it is not given."""
    given = re.search(rf"^ +:{name}:(.*)$", options, re.M)
    return given and [value.strip() for value in given[1].split(",") if value.strip()]


def gaps(thing):
    """Say what the docstring of a function or class lacks.

    Every argument is described, a result and an error are announced, and an example runs. A named
    tuple or a dataclass is shown by the examples of what returns it. A name of the torch engine may
    leave its arguments to the NumPy engine's.
    """
    doc = inspect.getdoc(thing)
    if not doc:
        return ["a docstring"]
    if hasattr(thing, "_fields") or hasattr(thing, "__dataclass_fields__"):
        return []
    has, found = sections(doc), []
    if ">>> " not in has.get("Examples", ""):
        found.append("an example")
    if not (thing.__module__.startswith("lstm_lib.torch") and "lstm_lib.numpy." in doc):
        missing = _arguments(thing) - described(has.get("Parameters", ""))
        found += [f"the argument {name}" for name in sorted(missing)]
    code = vars(thing).get("__init__") if inspect.isclass(thing) else thing
    if code is thing and gives_something(code) and not has.keys() & {"Returns", "Yields"}:
        found.append("the result")
    if inspect.isroutine(inspect.unwrap(code)) and can_raise(code) and "Raises" not in has:
        found.append("the errors")
    return found


def sections(doc):
    """``{heading: text}`` of a docstring."""
    parts = SECTION.split(doc)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described(text):
    """Names at the left edge of a Parameters section."""
    heads = [line.partition(" : ")[0] for line in text.splitlines() if line[:1].strip()]
    return {name.strip(" *") for head in heads for name in head.split(",")}


def _arguments(thing):
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return set()
    return set(inspect.signature(thing).parameters)


def gives_something(function):
    """Whether a function returns or yields a value."""
    nodes = list(_own_nodes(function))
    returned = any(isinstance(n, ast.Return) and n.value is not None for n in nodes)
    return returned or any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in nodes)


def can_raise(function):
    """Whether a function raises by itself or calls one of the shared checks."""
    for node in _own_nodes(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            return True
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in CHECKS:
            return True
    return False


def _own_nodes(function):
    """The nodes of a function's syntax tree, without those of functions inside it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))
