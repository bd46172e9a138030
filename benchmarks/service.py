"""The service beside a plain FastAPI + gensim one, on the loopback in one run; and a soak beyond its highest rate.

python benchmarks/service.py MODEL                     rates, times, start, memory of workers (wrk if installed)
python benchmarks/service.py MODEL --soak 600          at twice the highest rate; every answer is compared
python benchmarks/service.py MODEL --generator own     the generator of this file, in a process of its own, without wrk

MODEL is a model folder. Needs the extras `serve` and `test`. Questions are distinct, and the service's cache is off.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import httpx
import numpy as np
import uvloop

import wordgeo as wg

CONNECTIONS = 32
BATCH = 1000
PLAIN = """
import sys
import fastapi, uvicorn
from gensim.models import KeyedVectors

vectors = KeyedVectors.load(sys.argv[1], mmap="r")
vectors.fill_norms()
app = fastapi.FastAPI()

@app.get("/similar")
def similar(word: str, k: int = 10):
    return [{"word": found, "score": score} for found, score in vectors.most_similar(word, topn=k)]

uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
"""


class Served:
    """A service in a process of its own; `seconds` is the time from its start to its first answer."""

    def __init__(self, command, first, environment=None):
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | (environment or {})
        )
        self.port = first[0] or self._port()
        self.url = f"http://127.0.0.1:{self.port}"
        while True:
            try:
                httpx.get(self.url + first[1], timeout=30).raise_for_status()
                break
            except httpx.HTTPError:
                if self.process.poll() is not None:
                    raise
                time.sleep(0.005)
        self.seconds = time.perf_counter() - begin

    def _port(self):
        for line in self.process.stderr:
            if found := re.search(r"serving at http://127.0.0.1:(\d+)/", line):
                return int(found[1])
        raise SystemExit("the service did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def ours(model, *options):
    command = [
        sys.executable,
        "-m",
        "wordgeo.cli",
        "serve",
        model,
        "--port",
        "0",
        "--access-log",
        "off",
        "--cache",
        "0",
    ]
    return Served([*command, *options], (None, f"/v1/models/{Path(model).name}/similar?word={first_word(model)}"))


def plain(folder, word):
    command = [sys.executable, "-c", PLAIN, str(folder / "vectors.kv"), "8461"]
    # FastAPI answers on many threads: a BLAS with threads of its own beneath each makes it many times slower still.
    return Served(command, (8461, f"/similar?word={word}"), {"OPENBLAS_NUM_THREADS": "1"})


def first_word(model):
    return wg.load(model).words[0]


# Generators of load: wrk where it is installed, else one of asyncio in a process of its own.


def wrk(url, requests, seconds, folder, connections=CONNECTIONS):
    """Requests a second and p50, p99 in milliseconds; `requests` are (method, path, body)."""
    script = folder / "load.lua"
    lines = ["local requests = {}"]
    for method, path, body in requests:
        content = "nil" if body is None else f"[==[{body}]==]"
        lines.append(f"requests[#requests + 1] = wrk.format('{method}', [==[{path}]==], nil, {content})")
    script.write_text(
        "local i = 0\n" + "function init()\n" + "\n".join(lines) + "\nall = requests\nend\n"
        "function request() i = i % #all + 1; return all[i] end\n"
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        print(text)
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    times = {name: float(value) * unit[u] for name, value, u in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", text)}
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), times["50"], times["99"]


def own(url, requests, seconds, folder, connections=CONNECTIONS):
    """The same by this file's own generator (HTTP/1.1 on plain sockets, one process)."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_generate, (url, requests, seconds, connections, None))[:3]


def _encoded(method, path, body):
    content = (body or "").encode()
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def _generate(url, requests, seconds, connections, rate):
    """(requests/s, p50, p99, statuses, wrong); with a rate requests begin on time whatever the answers do.

    Status 0 is a connection that ended without an answer.
    """
    host, port = re.match(r"http://([^:]+):(\d+)", url).groups()
    data = [_encoded(*request[:3]) for request in requests]
    expected = [request[3] if len(request) > 3 else None for request in requests]
    times, statuses, wrong = [], {}, []
    begin = time.perf_counter()

    async def client(number):
        reader, writer = await asyncio.open_connection(host, int(port))
        at = number
        while time.perf_counter() - begin < seconds:
            if rate is not None:
                due = begin + at / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked = time.perf_counter() if rate is None else max(due, begin)
            writer.write(data[at % len(data)])
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1]))
                status = int(head[9:12])
            except (ConnectionError, asyncio.IncompleteReadError):
                status, body = 0, b""
                reader, writer = await asyncio.open_connection(host, int(port))
            times.append(time.perf_counter() - asked)
            statuses[status] = statuses.get(status, 0) + 1
            if status == 200 and expected[at % len(data)] not in (None, body):
                wrong.append(at % len(data))
            at += connections
        writer.close()

    async def everyone():
        await asyncio.gather(*(client(number) for number in range(connections)))

    gc.disable()  # its pauses would be taken for the service's
    uvloop.run(everyone())
    taken = time.perf_counter() - begin
    return len(times) / taken, *(1000 * np.percentile(times, (50, 99))), statuses, len(wrong)


def private_memory(pids):
    """MiB of each process that no file backs, and of mapped files that it shares."""
    found = []
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes = {name: int(size) / 1024 for name, size in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)}
        found.append((sizes["Anonymous"], sizes["Rss"] - sizes["Anonymous"]))
    return found


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def compare(path, generator, seconds, rounds):
    model, name = wg.load(path), Path(path).name
    words = [word for word in model.words if re.fullmatch("[a-z]+", word)]
    np.random.default_rng(1).shuffle(words)
    singles = [("GET", f"/v1/models/{name}/similar?word={word}", None) for word in words[:20000]]
    lots = [model.words[i : i + BATCH] for i in range(0, min(len(model), 40 * BATCH) - BATCH + 1, BATCH)]
    batches = [("POST", f"/v1/models/{name}/similar", json.dumps({"items": lot})) for lot in lots]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model.to_gensim().save(str(folder / "vectors.kv"))
        best = {"plain": 0.0, "one": 0.0, "batch": 0.0, "engine": 0.0}
        tails = {}
        for _ in range(rounds):
            with plain(folder, words[0]) as peer:
                theirs = [("GET", f"/similar?word={word}", None) for word in words[:20000]]
                found = generator(peer.url, theirs, seconds, folder)
                best["plain"] = max(best["plain"], found[0])
                peer_seconds = peer.seconds
            with ours(path) as service:
                generator(service.url, singles, 1, folder)
                found = generator(service.url, singles, seconds, folder)
                if found[0] > best["one"]:
                    best["one"], tails["one"] = found[0], found[1:]
                best["batch"] = max(best["batch"], BATCH * generator(service.url, batches, seconds, folder, 4)[0])
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    job = (service.url, singles, seconds, CONNECTIONS, 0.7 * best["one"])
                    found = pool.apply(_generate, job)
                    tails["70 %"] = min(tails.get("70 %", found), found, key=lambda one: one[2])
                own_seconds = service.seconds
                memory = private_memory([service.process.pid])
            begin, answered = time.perf_counter(), 0
            while time.perf_counter() - begin < seconds:
                answered += len(model.similar_batch(lots[answered // BATCH % len(lots)]))
            best["engine"] = max(best["engine"], answered / (time.perf_counter() - begin))
        print(f"{len(model)} words x {model.dimensions}, k = 10, {os.cpu_count()} cores shared with the generator")
        print(
            f"({generator.__name__}, {CONNECTIONS} connections; best of {rounds} rounds of {seconds} s, all in one run)"
        )
        row = "{:52} {:>10.0f} {:>10.0f} {:>8.2f}"
        print(f"{'':52} {'here':>10} {'beside':>10} {'ratio':>8}")
        print(
            row.format(
                "single questions/s, beside plain FastAPI + gensim",
                best["one"],
                best["plain"],
                best["one"] / best["plain"],
            )
        )
        print(
            row.format(
                f"answers/s in batches of {BATCH}, beside the same",
                best["batch"],
                best["plain"],
                best["batch"] / best["plain"],
            )
        )
        print(
            row.format(
                "answers/s in batches, beside the engine alone",
                best["batch"],
                best["engine"],
                best["batch"] / best["engine"],
            )
        )
        print(f"at full rate: p50 {tails['one'][0]:.1f} ms, p99 {tails['one'][1]:.1f} ms")
        rate, p50, p99, statuses, _ = tails["70 %"]
        print(f"at 70 % of it ({rate:.0f}/s, open loop): p50 {p50:.1f} ms, p99 {p99:.1f} ms, {statuses}")
        print(f"start to first answer: {own_seconds:.2f} s, beside {peer_seconds:.2f} s")
        print("memory of one process: {:.0f} MiB of its own, {:.0f} MiB mapped".format(*memory[0]))
        with ours(path, "--workers", "2") as service:
            generator(service.url, singles, 1, folder)
            found = generator(service.url, singles, seconds, folder)
            print(f"two workers: {found[0]:.0f} questions/s, {found[0] / best['one']:.2f} x one; p99 {found[2]:.1f} ms")
            for own_, mapped in private_memory([service.process.pid, *children(service.process.pid)]):
                print(f"    a process of it: {own_:.0f} MiB of its own, {mapped:.0f} MiB mapped")


def soak(path, seconds):
    """At twice the highest rate: answers or clean 503, memory flat, no answer mixed with another."""
    model, name = wg.load(path), Path(path).name
    words = [word for word in model.words if re.fullmatch("[a-z]+", word)][:20000]
    encode = __import__("wordgeo.service.questions", fromlist=["encode"]).encode
    answers = [encode(found) for found in model.similar_batch(words)]
    requests = [
        ("GET", f"/v1/models/{name}/similar?word={word}", None, answer)
        for word, answer in zip(words, answers, strict=True)
    ]
    # A connection that waits for its turn is not to be taken for a silent one.
    patient = ["--idle-timeout", "3600", "--read-timeout", "3600"]
    with (
        ours(path, "--max-queue", "128", "--max-batch", "128", *patient) as service,
        multiprocessing.get_context("spawn").Pool(1) as pool,
    ):
        highest = pool.apply(_generate, (service.url, requests, 5, CONNECTIONS, None))[0]
        memory = private_memory([service.process.pid])[0][0]
        print(f"highest rate {highest:.0f}/s; asking {2 * highest:.0f}/s for {seconds} s; {memory:.0f} MiB")
        end = time.monotonic() + seconds
        total, wrong = {}, 0
        while (left := end - time.monotonic()) > 0:
            part = min(30.0, left)
            _, _, p99, statuses, bad = pool.apply(_generate, (service.url, requests, part, 400, 2 * highest))
            wrong += bad
            for status, count in statuses.items():
                total[status] = total.get(status, 0) + count
            memory = private_memory([service.process.pid])[0][0]
            print(f"{statuses}, {bad} wrong, {memory:.0f} MiB, p99 {p99:.0f} ms", flush=True)
        _, _, p99, statuses, bad = pool.apply(_generate, (service.url, requests, 5, CONNECTIONS, 0.5 * highest))
        print(f"in all {total}, {wrong} wrong; afterwards at half the rate {statuses}, {bad} wrong, p99 {p99:.1f} ms")
        if wrong or bad or set(total) - {200, 503} or set(statuses) != {200}:
            raise SystemExit("the service did not hold")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=textwrap.dedent(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--soak", type=float, metavar="S")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--generator", choices=["wrk", "own"], default="wrk" if shutil.which("wrk") else "own")
    options = parser.parse_args()
    place = str(Path(options.model).resolve())
    if options.soak:
        soak(place, options.soak)
    else:
        compare(place, {"wrk": wrk, "own": own}[options.generator], options.seconds, options.rounds)
