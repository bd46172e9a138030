"""How the documentation is built: Markdown pages, and the API from docstrings."""

from wordgeo import __version__

project = "wordgeo"
author = "The wordgeo developers"
copyright = "The wordgeo developers, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
nitpicky = False

exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "Word embeddings with known uncertainty", "page_width": "1080px"}


def escape_bars(app, what, name, obj, options, lines):
    """Docstrings write |x| for lengths, which reStructuredText takes for the name of a substitution."""
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else line.replace("|", r"\|") for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", escape_bars)
