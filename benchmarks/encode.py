"""Megabytes of text encoded in a second, beside gensim's scan of the same file (LineSentence + build_vocab).

    python benchmarks/encode.py TEXT [--threads N] [--vocab-count PATH]

gensim's scan counts words of a text that is tokenised already; it writes nothing and finds no sentences. So does
`vocab_count` of Stanford's GloVe, which is measured too if you have built it and say where it is.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from wordgeo.corpus import encode


def seconds(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def gensim_scan(text):
    from gensim.models import Word2Vec
    from gensim.models.word2vec import LineSentence

    model = Word2Vec(min_count=5)
    model.scan_vocab(LineSentence(text, max_sentence_length=10**9))


def stanford_count(program, text):
    with Path(text).open("rb") as file:
        subprocess.run([program, "-verbose", "0"], stdin=file, stdout=subprocess.DEVNULL, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", help="plain text, not packed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3, help="the fastest of so many runs counts")
    parser.add_argument("--vocab-count", metavar="PATH", help="the program of Stanford's GloVe")
    options = parser.parse_args()
    size = Path(options.text).stat().st_size / 1e6
    rows = {"gensim LineSentence + scan_vocab": lambda: gensim_scan(options.text)}
    if options.vocab_count:
        rows["Stanford vocab_count"] = lambda: stanford_count(options.vocab_count, options.text)
    with tempfile.TemporaryDirectory() as folder:
        for tokens in ("whitespace", "unicode"):
            rows[f"wordgeo encode, {tokens}, {options.threads} thread(s)"] = lambda tokens=tokens: encode(
                options.text, Path(folder, "corpus"), tokens=tokens, threads=options.threads, overwrite=True
            )
        times = {name: min(seconds(work) for _ in range(options.repeat)) for name, work in rows.items()}
    slowest = times["gensim LineSentence + scan_vocab"]
    for name, taken in times.items():
        print(f"{name:42} {size / taken:8.1f} MB/s   {slowest / taken:6.2f} x gensim")


if __name__ == "__main__":
    main()
