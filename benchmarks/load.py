"""Opening vectors: gensim and wordgeo on the same files in one run; prints the ratio of the times.

    python benchmarks/load.py [--words 30000] [--dimensions 200] [--repeat 3] [--threads N] [--folder-words 400000]

Vector files are written by wordgeo and read by both; the matrices must be equal bit for bit. A model folder is opened
beside gensim's own mapped format (`KeyedVectors.load(mmap="r")`) and beside `safetensors` with `tokenizers`.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gensim.models import KeyedVectors

from wordgeo import formats
from wordgeo.embeddings import Embeddings
from wordgeo.vocabulary import Vocabulary


def best(action: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    times, result = [], None
    for _ in range(repeat):
        begin = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - begin)
    return min(times), result


def synthetic(words: int, dimensions: int) -> Embeddings:
    matrix = np.random.default_rng(1).standard_normal((words, dimensions), dtype=np.float32)
    return Embeddings(Vocabulary.from_words([f"word{i}" for i in range(words)], range(words, 0, -1)), matrix)


def doubles(model: Embeddings, path: Path) -> None:
    """Text with 16 or 17 significant digits, as Python prints doubles."""
    with path.open("w") as file:
        file.write(f"{len(model)} {model.dimensions}\n")
        for word, row in zip(model.words, model.vectors.astype(np.float64) / 3, strict=True):
            file.write(f"{word} {' '.join(map(repr, row.tolist()))}\n")


def vector_files(folder: Path, options: argparse.Namespace) -> None:
    model = synthetic(options.words, options.dimensions)
    print(f"vector files of {len(model)} words x {model.dimensions}")
    for name, kind in (("text", "word2vec"), ("17 digits", None), ("binary", "word2vec-binary"), ("GloVe", "glove")):
        path = folder / "vectors"
        doubles(model, path) if kind is None else formats.export(model, path, format=kind, overwrite=True)
        theirs, keyed = best(
            lambda p=path, k=kind: KeyedVectors.load_word2vec_format(
                p, binary=k == "word2vec-binary", no_header=k == "glove"
            ),
            1,
        )
        ours, read = best(lambda p=path: formats.load(p, threads=options.threads), options.repeat)
        one, _ = best(lambda p=path: formats.load(p, threads=1), options.repeat)
        same = read.vectors.tobytes() == keyed.vectors.tobytes() and read.words == keyed.index_to_key
        print(
            f"  {name:9}  gensim {theirs:6.2f} s  wordgeo {ours:6.3f} s ({one:.3f} s on one thread)"
            f"  ratio {theirs / ours:5.1f}  {path.stat().st_size / ours / 1e6:.0f} MB/s  bits equal: {same}"
        )


def model_folder(folder: Path, options: argparse.Namespace) -> None:
    model = synthetic(options.folder_words, 300)
    print(f"model folder of {len(model)} words x {model.dimensions}")
    seconds, _ = best(lambda: formats.save(model, folder / "model", overwrite=True), 1)
    model.to_gensim().save(str(folder / "gensim"))
    ours, _ = best(lambda: formats.load(folder / "model"), 5)
    looked_up, _ = best(lambda: formats.load(folder / "model")["word1000"], 5)
    theirs, _ = best(lambda: KeyedVectors.load(str(folder / "gensim"), mmap="r"), 3)
    print(f"  written and synced in {seconds:.2f} s")
    print(f"  gensim {theirs * 1e3:.1f} ms  wordgeo {ours * 1e3:.2f} ms  ratio {theirs / ours:.0f}")
    print(f"  with the first look-up of a word: {looked_up * 1e3:.2f} ms")
    try:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer
    except ImportError:
        return
    copied, _ = best(
        lambda: (
            load_file(folder / "model/model.safetensors"),
            Tokenizer.from_file(str(folder / "model/tokenizer.json")),
        ),
        1,
    )
    print(f"  safetensors and tokenizers {copied * 1e3:.0f} ms  ratio {copied / ours:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=30_000)
    parser.add_argument("--dimensions", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--folder-words", type=int, default=400_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vector_files(Path(folder), options)
        model_folder(Path(folder), options)


if __name__ == "__main__":
    main()
