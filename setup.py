"""Builds the compiled modules; everything else about the package is declared in pyproject.toml."""

import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

# Floating point is never contracted or reordered: the same bytes are promised on every instruction set. That nobody
# reads errno lets GCC make vectors of square roots, and changes none.
# Faster instructions are chosen at run time, function by function, so that one build runs everywhere.
FLAGS = ["/O2", "/fp:precise"] if sys.platform == "win32" else ["-O3", "-ffp-contract=off", "-fno-math-errno"]
KERNELS = "wordgeo/_kernels/"
ANALOGIES = ["wordgeo/_fast.pxd", "wordgeo/_analogy_rule.pxd", KERNELS + "analogies.h"]


def extension(name, *c_sources, depends=()):
    """The Cython module `name` with its C sources, in the directory that the dotted name says."""
    return Extension(
        name,
        [name.replace(".", "/") + ".pyx", *c_sources],
        depends=list(depends),
        include_dirs=[numpy.get_include(), KERNELS],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=FLAGS,
    )


setup(
    ext_modules=cythonize(
        [
            extension(
                "wordgeo._fast",
                KERNELS + "kernels.c",
                KERNELS + "best.c",
                KERNELS + "quantised.c",
                depends=["wordgeo/_fast.pxd", *map(str, Path(KERNELS).glob("*.h"))],
            ),
            extension("wordgeo._lists", depends=["wordgeo/_fast.pxd"]),
            extension("wordgeo._graph", KERNELS + "best.c", KERNELS + "quantised.c", depends=["wordgeo/_fast.pxd"]),
            extension(
                "wordgeo._analogies",
                KERNELS + "best.c",
                KERNELS + "quantised.c",
                depends=[*ANALOGIES, "wordgeo/_analogy_tables.pxd"],
            ),
            extension("wordgeo._analogy_rule", depends=ANALOGIES),
            extension("wordgeo._analogy_tables", depends=[*ANALOGIES, "wordgeo/_analogy_tables.pxd"]),
            extension("wordgeo._words", depends=[KERNELS + "wordtable.h"]),
            extension(
                "wordgeo.corpus._encode",
                "wordgeo/corpus/tokenize.c",
                depends=["wordgeo/corpus/tokenize.h", "wordgeo/corpus/unicode_tables.h", KERNELS + "wordtable.h"],
            ),
            extension("wordgeo.formats._text"),
            extension("wordgeo.training._counts", depends=["wordgeo/training/draws.h", "wordgeo/training/hints.h"]),
            extension(
                "wordgeo.training._glove",
                "wordgeo/training/adagrad.c",
                depends=[f"wordgeo/training/{name}.h" for name in ("adagrad", "adagrad_body", "draws", "hints")],
            ),
            extension(
                "wordgeo.training._sgns",
                "wordgeo/training/sgns.c",
                depends=[f"wordgeo/training/{name}.h" for name in ("sgns", "sgns_body", "team", "draws", "hints")],
            ),
        ],
        language_level=3,
        compiler_directives={"boundscheck": False, "wraparound": False, "cdivision": True, "initializedcheck": False},
    )
)
