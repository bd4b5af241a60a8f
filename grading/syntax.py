"""What a cell binds, reads and imports, told from its text alone."""

import ast


def tree(source):
    """Return the syntax tree of a cell, IPython's magics made calls; None where it has a fault."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def bound(source):
    """Return the names that a cell binds at top level."""
    found = set()
    for node in getattr(tree(source), "body", ()):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif not isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {
                part.id
                for part in ast.walk(node)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return found


def loaded(syntax):
    """Return the names that a cell reads."""
    names = (part for part in ast.walk(syntax) if isinstance(part, ast.Name))
    return {part.id for part in names if isinstance(part.ctx, ast.Load)}


def imports_of_library(source):
    """Return the modules of ``lstm_lib`` that a cell imports, sorted."""
    found = set()
    for part in ast.walk(tree(source) or ast.Module([], [])):
        if isinstance(part, ast.Import):
            found |= {alias.name for alias in part.names}
        elif isinstance(part, ast.ImportFrom) and part.module:
            found.add(part.module)
    return sorted(name for name in found if name.split(".")[0] == "lstm_lib")


def constant(source, name):
    """Return the string that a cell assigns to `name`, or None."""
    for node in getattr(tree(source), "body", ()):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            if any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                return str(node.value.value)
    return None
