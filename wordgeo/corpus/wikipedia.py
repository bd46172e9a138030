"""The articles of a MediaWiki dump as plain text, by gensim's own reader of such dumps."""

from __future__ import annotations

import bz2
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

from wordgeo.errors import CorpusError, NotFoundError

__all__ = ["articles"]

LEFT_OVER = re.compile(r"'{2,}|^=+ *| *=+ *$", re.MULTILINE)  # marks of bold and italic text and of headings


def articles(path: str | Path) -> Iterator[tuple[str, str]]:
    """Title and text of each article (namespace 0, no redirects) of a `pages-articles.xml.bz2` dump, in its order.

    Templates, tables, links and other markup are taken out by gensim (`gensim.corpora.wikicorpus`), and then the
    marks that it leaves of headings, bold and italic text. The dump is read as a stream. Raises `NotFoundError`, or
    `CorpusError` for a file that is no dump.
    """
    from gensim.corpora.wikicorpus import extract_pages, filter_wiki

    if not Path(path).is_file():
        raise NotFoundError(f"{path} does not exist")
    try:
        with bz2.open(path, "rb") as file:
            for title, text, _ in extract_pages(file, filter_namespaces=("0",)):
                if text and text.lstrip()[:9].upper() != "#REDIRECT":
                    yield title, LEFT_OVER.sub("", filter_wiki(text))
    except (OSError, EOFError, ParseError, StopIteration, RuntimeError) as problem:
        raise CorpusError(f"{path} is no MediaWiki dump packed with bzip2, or a damaged one: {problem}") from None
