"""Sphinx extension: numbers in prose come from the claims that the notebooks stored.

    {measured}`08-prediction/stocks#lstm-beats-persistence`   the measured value, with its unit
    {bound}`...`                                              its condition, such as ≤ 0.45 °C
    {baseline}`...`                                           the baseline's value, with unit
    {measured}`08-prediction/next-number#lstm-recalls %`      a share as a percentage; for a baseline, too

Each becomes a number that links to the claim in its notebook. A notebook is named from
``chapters/`` on; one of ``book/`` with its folder, as in ``book/myths#...``. An unknown
notebook or claim is a warning, so that a build with -W fails. The directive

    ```{claims}
    ```

builds the ledger: all claims of all notebooks in the book, a table for each. Pages that
show claims are read again when a notebook changes.
"""

import json

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.nodes import make_refnode

from lstm_lib.claims import MIMETYPE, read_claims

logger = logging.getLogger(__name__)


class claim_link(nodes.Inline, nodes.TextElement):
    """A number or name that will link to a claim, once all pages are known."""


def with_unit(text, claim):
    """`text` followed by the unit; the space between does not break."""
    return f"{text}\N{NO-BREAK SPACE}{claim.unit}" if claim.unit else text


def per_cent(share):
    """A share as a percentage.

    >>> per_cent("0.0523").split()
    ['5.23', '%']
    """
    return f"{100 * float(share):.3g}\N{NO-BREAK SPACE}%"


VIEWS = {
    "measured": lambda claim: with_unit(claim.measured, claim),
    "bound": lambda claim: with_unit(claim.condition, claim),
    "baseline": lambda claim: with_unit(claim.versus, claim) if claim.baseline else None,
}


def docname_of(notebook):
    """The page that a notebook is, from the name that roles and directives give it.

    >>> docname_of("04-lstm-cell/counter"), docname_of("book/myths")
    ('chapters/04-lstm-cell/counter', 'book/myths')
    """
    return notebook if notebook.startswith("book/") else f"chapters/{notebook}"


def claims_of(env, docname):
    """The claims stored in the notebook `docname`, which the current page depends on."""
    path = env.srcdir / f"{docname}.ipynb"
    env.note_dependency(str(path))
    return read_claims(path)


class ClaimRole(SphinxRole):
    """``{measured}``, ``{bound}`` and ``{baseline}``."""

    def run(self):
        notebook, _, rest = self.text.partition("#")
        name, _, form = rest.partition(" ")
        docname = docname_of(notebook)
        try:
            known = claims_of(self.env, docname)
        except FileNotFoundError:
            return self.unknown(f"there is no notebook {docname}.ipynb")
        except ValueError as error:
            return self.unknown(str(error))
        if name not in known:
            return self.unknown(
                f"{docname}.ipynb states no claim {name!r}; it states {sorted(known)}"
            )
        text = VIEWS[self.name](known[name])
        if text is None:
            return self.unknown(f"the claim {name!r} of {docname}.ipynb has no baseline")
        if form:
            if form != "%" or self.name == "bound" or known[name].unit:
                return self.unknown("only a measured share or its baseline can be shown in %")
            text = per_cent(text)
        return [claim_link("", text, docname=docname, claim=name, classes=["lstm-number"])], []

    def unknown(self, reason):
        """Warn, and leave a visible gap."""
        logger.warning("%s: %s", self.text, reason, location=self.get_location(), type="claims")
        return [nodes.problematic(self.rawtext, f"[{self.text}?]")], []


class ClaimsDirective(SphinxDirective):
    """The ledger."""

    def run(self):
        self.env.claims_ledgers.add(self.env.docname)
        result = []
        total = 0
        for docname in sorted(self.env.found_docs):
            if not self.env.doc2path(docname).endswith(".ipynb"):
                continue
            try:
                claims = list(claims_of(self.env, docname).values())
            except ValueError as error:
                logger.warning("%s", error, location=self.get_location(), type="claims")
                continue
            if claims:
                total += len(claims)
                result += [self.heading(docname), self.table(docname, claims)]
        if not total:
            return [nodes.paragraph("", "No notebook of this book states a claim yet.")]
        return result

    def heading(self, docname):
        """A line with the notebook's title, linked."""
        link = addnodes.pending_xref(
            "",
            nodes.inline("", docname, classes=["doc"]),
            refdomain="std",
            reftype="doc",
            reftarget=f"/{docname}",
            refexplicit=False,
            refwarn=True,
            refdoc=self.env.docname,
        )
        return nodes.paragraph("", "", nodes.strong("", "", link), classes=["lstm-ledger-notebook"])

    def table(self, docname, claims):
        """One row a claim."""
        head = ["claim", "measured", "condition", "baseline", "where the bound comes from"]
        rows = [self.row(docname, claim) for claim in claims]
        group = nodes.tgroup("", cols=len(head))
        group += [nodes.colspec("", colwidth=1) for _ in head]
        group += nodes.thead("", nodes.row("", *(entry(nodes.Text(text)) for text in head)))
        group += nodes.tbody("", *rows)
        return nodes.table("", group, classes=["lstm-ledger"])

    def row(self, docname, claim):
        """The cells of one claim."""
        name = claim_link("", "", nodes.literal("", claim.name), docname=docname, claim=claim.name)
        baseline = f"{claim.baseline[0]}: {VIEWS['baseline'](claim)}" if claim.baseline else "–"
        cells = [
            name,
            nodes.strong("", VIEWS["measured"](claim)),
            nodes.Text(VIEWS["bound"](claim)),
            nodes.Text(baseline),
            nodes.Text(claim.source or "–"),
        ]
        return nodes.row("", *map(entry, cells))


def entry(content):
    """A table cell."""
    return nodes.entry("", nodes.paragraph("", "", content))


def hide_records(app, docname, source):
    """Take the records out of a notebook before MyST-NB sees a mimetype it does not know."""
    if MIMETYPE not in source[0] or not app.env.doc2path(docname).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(MIMETYPE, None)
    source[0] = json.dumps(notebook)


def resolve(app, doctree, docname):
    """Turn each claim_link into a link, where the notebook is a page of this output."""
    for node in list(doctree.findall(claim_link)):
        if node["docname"] in app.env.found_docs and app.builder.format == "html":
            target, name = node["docname"], node["claim"]
            node.replace_self(make_refnode(app.builder, docname, target, name, node.children))
        else:
            node.replace_self(node.children)


def start(app, env, docnames):
    """Remember which pages hold a ledger."""
    if not hasattr(env, "claims_ledgers"):
        env.claims_ledgers = set()


def outdated(app, env, added, changed, removed):
    """A ledger is read again whenever any page changed: a new notebook belongs into it."""
    ledgers = getattr(env, "claims_ledgers", set())
    return list(ledgers & env.found_docs) if added or changed or removed else []


def forget(app, env, docname):
    """Drop a page that is read anew or gone."""
    getattr(env, "claims_ledgers", set()).discard(docname)


def merge(app, env, docnames, other):
    """Collect what a parallel reader found."""
    env.claims_ledgers |= getattr(other, "claims_ledgers", set())


def setup(app):
    """Register roles, directive and events."""
    for name in VIEWS:
        app.add_role(name, ClaimRole())
    app.add_directive("claims", ClaimsDirective)
    app.add_node(claim_link)
    app.connect("env-before-read-docs", start)
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("source-read", hide_records)
    app.connect("doctree-resolved", resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
