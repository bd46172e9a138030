"""The model card: a README.md for a model folder, written from the provenance alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wordgeo.embeddings import Embeddings
from wordgeo.formats.companions import folds_case, unknown_token

__all__ = ["model_card"]

ALGORITHMS = {
    "skipgram": "skip-gram with negative sampling (Mikolov et al., 2013)",
    "cbow": "continuous bag of words with negative sampling (Mikolov et al., 2013)",
    "fasttext": "skip-gram with subwords, FastText (Bojanowski et al., 2017)",
    "glove": "GloVe (Pennington et al., 2014)",
    "ppmi": "positive pointwise mutual information, reduced by SVD (Levy et al., 2015)",
}

CARD = """\
---
library_name: model2vec
tags:
- word-embeddings
- static-embeddings
- wordgeo
---

# Word embeddings: {words} words × {dimensions} dimensions

{what}

## How it was made

{made}

## Open it

With wordgeo, which maps the files and reads nothing it does not need:

```python
import wordgeo as wg

model = wg.load("this-folder")
model.similar({example}, k=10)
```

With gensim:

```python
vectors = wg.load("this-folder").to_gensim()  # a KeyedVectors
```

With model2vec:

```python
from model2vec import StaticModel

model = StaticModel.from_pretrained("this-folder")
model.encode([{example}])
```

With sentence-transformers:

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("this-folder")
model.encode([{example}])
```

## Limits

- One vector for each spelling: the senses of a word are mixed. {outside}
- Look-up in wordgeo is exact. model2vec and sentence-transformers split text at whitespace only{folding}; punctuation
  that touches a word makes it unknown, and a word with a space in it is never met. The last row of the tensor, zero,
  stands for unknown words ({unknown}): model2vec leaves them out of the mean, sentence-transformers counts zeros.
- One training is one sample: neighbours and scores change with the seed and the corpus. Train several runs and compare
  them (`wordgeo train --runs`, `Ensemble.agreement`) before a claim rests on a neighbour.
- Word vectors repeat the associations of their corpus, prejudices included.
"""


def model_card(embeddings: Embeddings) -> str:
    """The text of the card; the same embeddings give the same text."""
    provenance = embeddings.provenance
    algorithm = provenance.get("algorithm")
    what = "Vectors brought in from elsewhere."
    if algorithm:
        what = f"Trained with {ALGORITHMS.get(str(algorithm), algorithm)}."
    if embeddings.counts is not None:
        what += f" The words occur {int(embeddings.counts.sum())} times in the corpus."
    outside = "A word outside the vocabulary has no vector."
    if embeddings.subwords is not None:
        outside = (
            "In wordgeo a word outside the vocabulary has the mean\n  of its n-grams' vectors; elsewhere it has none."
        )
    folding = " and bring it to lower case" if folds_case(provenance) else ""
    return CARD.format(
        words=len(embeddings),
        dimensions=embeddings.dimensions,
        what=what,
        made=_table(provenance),
        example=json.dumps(embeddings.vocabulary[0], ensure_ascii=False),
        folding=folding,
        outside=outside,
        unknown=f"`{unknown_token(embeddings.words)}`",
    )


def _table(provenance: Mapping[str, Any]) -> str:
    rows = [(_cell(name), _cell(value)) for name, value in _flat(provenance)]
    if not rows:
        return "Nothing is recorded about it."
    return "\n".join(["| what | value |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, value))
    return rows


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= 200 else text[:197] + "..."
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
