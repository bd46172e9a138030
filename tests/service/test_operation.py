"""Starting, watching, ending: what an operator sees and does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import wordgeo as wg
from wordgeo.cli import main
from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.formats import save
from wordgeo.service import ServiceConfig


def test_what_does_not_start_says_why_in_one_line(models, tmp_path, capsys) -> None:
    def refused(*args: object) -> str:
        with pytest.raises(SystemExit) as leaving:
            main(["serve", "--port", "0", *map(str, args)])
        assert leaving.value.code in (1, 2)
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1, error
        return error

    shutil.copytree(models / "news", tmp_path / "wiki")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "wordgeo.json").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cases = {
            "no model to serve": [],
            "two models are called wiki": [models / "wiki", tmp_path / "wiki"],
            "does not exist": [tmp_path / "nothing"],
            "is missing": [tmp_path / "broken"],
            "--without-keys": [models / "wiki", "--host", "0.0.0.0"],
            "cannot listen": [models / "wiki", "--port", taken.getsockname()[1]],
            "is not a folder": ["--folder", tmp_path / "nothing"],
            "name a file of keys": [models / "wiki", "--keys", tmp_path / "nothing"],
            "there are no keys": [models / "wiki", "--rate", 5],
            "cannot write the access log": [models / "wiki", "--access-log", tmp_path / "no" / "log"],
            "cannot keep evaluations": [models / "wiki", "--jobs", "/proc/x", "--workers", 2],
            "what browsers send": [models / "wiki", "--origins", "lab.example"],
            "cannot be a key's name": ["--new-key", "two words"],
        }
        for reason, args in cases.items():
            assert reason in refused(*args)


@pytest.mark.parametrize("package", ["uvicorn", "fastapi", "msgspec", "prometheus_client", "fastapi_offline", "httpx"])
def test_a_missing_package_is_named_with_the_line_that_installs_it(models, package) -> None:
    ask = ["serve", str(models / "wiki"), "--port=0"]
    if package == "httpx":
        ask = ["similar", "http://127.0.0.1:9/wiki", "king"]
    code = f"import sys; sys.modules[{package!r}] = None; from wordgeo.cli import main; main({ask!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "pip install 'wordgeo[serve]'" in done.stderr


def test_settings_come_from_a_file_and_the_command_line_wins(tmp_path) -> None:
    path = tmp_path / "serve.toml"
    path.write_text('models = ["a", "b"]\nport = 1\ndeadline = 2\nallow_vectors = true\n', encoding="utf-8")
    config = ServiceConfig.read(path, port=2, models=(), workers=None)
    assert (config.models, config.port, config.deadline, config.allow_vectors, config.workers) == (
        ("a", "b"),
        2,
        2,
        True,
        1,
    )
    for text, error in (
        ("nonsense", FormatError), ("prot = 1", OptionError), ('port = "1"', OptionError), ("port = true", OptionError),
        ('models = "a"', OptionError), ("models = [1]", OptionError), ("workers = 1.5", OptionError),
        ("allow_vectors = 1", OptionError),
    ):  # fmt: skip
        path.write_text(text, encoding="utf-8")
        with pytest.raises(error):
            ServiceConfig.read(path, folder="m")
    with pytest.raises(NotFoundError):
        ServiceConfig.read(tmp_path / "nothing")


def test_the_example_of_a_file_of_settings(tmp_path) -> None:
    docs = Path(__file__).parents[2] / "docs" / "service.md"
    found = re.search(r"```toml\n(.*?)```", docs.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "serve.toml"
    path.write_text(found[1], encoding="utf-8")
    assert ServiceConfig.read(path).workers == 2


def test_a_new_key_is_printed_with_its_line(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--new-key", "team"])
    key, line = [text.split(maxsplit=1)[1] for text in capsys.readouterr().out.splitlines()]
    assert line == f"team {hashlib.sha256(key.encode()).hexdigest()}"


def test_it_ends_after_what_it_accepted(serve, models, tmp_path) -> None:
    """SIGTERM, twice, under load: readiness falls first, accepted requests are answered, it leaves with 0."""
    log = tmp_path / "log"
    with serve(models / "wiki", "--drain", 1, "--cache", 0, "--access-log", log) as service:
        answers: list[int] = []
        ready: list[int] = []

        async def ask(word: str) -> None:
            async with httpx.AsyncClient(base_url=service.url, timeout=300) as http:
                while True:
                    try:
                        response = await http.post("/v1/models/wiki/similar", json={"items": [word] * 200})
                    except httpx.TransportError:  # nobody listens any more
                        return
                    assert response.json()["errors"] == 0
                    answers.append(response.status_code)

        async def watch() -> None:
            async with httpx.AsyncClient(base_url=service.url, timeout=300) as http:
                while True:
                    try:
                        response = await http.get("/readyz")
                    except httpx.TransportError:
                        return
                    ready.append(response.status_code)
                    if response.status_code == 200 and len(ready) == 5:
                        service.process.send_signal(signal.SIGTERM)
                        service.process.send_signal(signal.SIGTERM)

        async def everything() -> None:
            await asyncio.gather(watch(), *(ask(f"w{i}") for i in range(6)))

        asyncio.run(everything())
        assert service.process.wait() == 0
        assert ready[:5] == [200] * 5
        assert set(ready[6:]) == {503}
        assert set(answers) == {200}
        accepted = [json.loads(line)["status"] for line in log.read_text().splitlines() if "similar" in line]
        assert accepted == answers, "every request that was accepted was answered, and the client has the answer"


def test_sigint_ends_it_too(serve, models) -> None:
    for workers in (1, 2):
        with serve(models / "wiki", "--workers", workers) as service:
            service.get("/healthz")
            service.process.send_signal(signal.SIGINT)
            assert service.process.wait() == 0


def test_workers_end_with_the_process_that_made_them(serve, models) -> None:
    with serve(models / "wiki", "--workers", 2) as service:
        children = service.children
        service.process.kill()
        service.process.wait()
        service.until(lambda: not any(map(_lives, children)))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_access_log_is_json_and_keeps_questions_to_itself(serve, models, tmp_path) -> None:
    path = tmp_path / "access.jsonl"
    with serve(models / "wiki", "--access-log", path) as service:
        found = service.get("/v1/models/wiki/similar?word=king")
        service.get("/nothing/\u2028here")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")]
    assert lines[0]["id"] == found.headers["x-request-id"]
    assert {**lines[0], "time": 0, "id": 0, "ms": 0} == {
        "time": 0, "id": 0, "method": "GET", "path": "/v1/models/wiki/similar", "status": 200,
        "bytes": len(found.content), "ms": 0, "client": "127.0.0.1", "key": None,
    }  # fmt: skip
    assert lines[1]["status"] == 404
    assert "king" not in path.read_text(encoding="utf-8")


def test_a_full_disk_stops_no_answers(serve, models) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with serve(models / "wiki", "--access-log", "/dev/full") as service:
        for _ in range(50):
            assert service.get("/v1/models/wiki/similar?word=king").status_code == 200


def test_no_file_descriptors_left(serve, models) -> None:
    """Clients use up every descriptor: the service lives, and answers when they are gone."""
    resource = pytest.importorskip("resource")
    with serve(models / "wiki") as service:
        service.get("/healthz")
        resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        crowd = [socket.create_connection((service.host, service.port)) for _ in range(60)]
        for connection in crowd:
            connection.close()

        def answers() -> bool:
            assert service.process.poll() is None
            try:
                return httpx.get(f"{service.url}/v1/models/wiki/similar?word=king", timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        service.until(answers)


def test_a_folder_of_models_is_followed(serve, models, tmp_path, wiki) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    shutil.copytree(models / "wiki", folder / "wiki")
    (folder / "notes.txt").write_text("not a model")
    with serve("--folder", folder, "--reload-every", 0.1) as service:

        def names() -> list[str]:
            return [one["name"] for one in service.get("/v1/models").json()["models"]]

        assert names() == ["wiki"]
        save(wiki, folder / "second")
        service.until(lambda: names() == ["second", "wiki"])
        shutil.rmtree(folder / "wiki")
        service.until(lambda: names() == ["second"])
        service.problem(service.get("/v1/models/wiki/similar?word=king"), 404, "unknown-model")


def test_touching_the_generation_file_reloads(serve, models, tmp_path) -> None:
    stamp = tmp_path / "generation"
    with serve(models / "wiki", "--generation", stamp, "--reload-every", 0.1) as service:
        assert service.get("/v1/models/wiki").json()["generation"] == 1
        stamp.touch()
        service.until(lambda: service.get("/v1/models/wiki").json()["generation"] == 2)


def test_the_int8_copy_is_kept_beside_the_model_and_mapped(pair) -> None:
    from wordgeo import _fast

    if not _fast.has_int8():
        pytest.skip("this processor has no use for an int8 copy")
    assert pair.get("/v1/models/wiki/similar?word=king").status_code == 200
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in pair.workers]
    assert len(maps) == 2
    assert all("int8.cache" in text and "model.safetensors" in text for text in maps)


def test_metrics_say_what_happened(serve, models) -> None:
    with serve(models / "wiki") as service:
        for word in ("king", "king", "nowhere"):
            service.get(f"/v1/models/wiki/similar?word={word}")
        service.get("/v1/models/wiki")
        text = service.get("/metrics").text
        assert 'wordgeo_requests_total{endpoint="similar",status="200"} 2.0' in text
        assert 'wordgeo_requests_total{endpoint="similar",status="404"} 1.0' in text
        assert 'wordgeo_requests_total{endpoint="/v1/models/{model}",status="200"} 1.0' in text
        assert 'wordgeo_request_seconds_count{endpoint="similar"} 3.0' in text
        assert 'wordgeo_batch_items_count{lane="questions"} 2.0' in text
        assert 'wordgeo_memory_bytes{kind="own"}' in text


def test_metrics_are_of_all_workers(pair) -> None:
    def of() -> list[int]:
        return sorted(map(int, re.findall(r'wordgeo_memory_bytes{kind="own",pid="(\d+)"}', pair.get("/metrics").text)))

    pair.until(lambda: of() == sorted(pair.workers))


def test_metrics_are_not_public_by_accident(serve, models) -> None:
    """Without keys on an address of other machines, only this machine may read them."""
    with serve(models / "wiki", "--host", "0.0.0.0", "--without-keys") as service:
        local = httpx.get(f"http://127.0.0.1:{service.port}/metrics")
        assert local.status_code == 200
        away = httpx.get(f"http://127.0.0.1:{service.port}/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
        service.problem(away, 403, "forbidden")


# Evaluations


def wait_for(service, job: dict) -> dict:
    def ended() -> bool:
        nonlocal job
        job = service.get(f"/v1/evaluations/{job['id']}").json()
        return job["state"] not in ("queued", "running")

    service.until(ended)
    return job


def test_an_evaluation_in_the_background(pair, wiki) -> None:
    begun = pair.ask("evaluations", {"suite": "wordsim353"})
    assert begun.status_code == 202
    assert begun.headers["location"] == f"/v1/evaluations/{begun.json()['id']}"
    done = wait_for(pair, begun.json())
    assert done["state"] == "done", done
    local = json.loads(json.dumps(wg.evaluate(wiki, "wordsim353").to_dict()))
    assert done["result"] == {**local, "path": local["path"].rpartition("/")[2]}
    assert "/" not in done["result"]["path"]
    assert [job["id"] for job in pair.get("/v1/evaluations").json()["evaluations"]] == [done["id"]]


def test_an_evaluation_is_cancelled_and_more_than_enough_are_refused(pair) -> None:
    bodies = [{"suite": "google", "method": "3cosmul"}] * 3
    jobs = [pair.ask("evaluations", body).json() for body in bodies]
    found = pair.ask("evaluations", bodies[0])
    pair.problem(found, 503, "overloaded")
    assert int(found.headers["retry-after"]) > 0
    for job in reversed(jobs):
        pair.http.delete(f"/v1/evaluations/{job['id']}")
    ends = [wait_for(pair, job)["state"] for job in jobs]
    assert ends[1:] == ["cancelled", "cancelled"]
    pair.problem(pair.get("/v1/evaluations/0123456789abcdef"), 404, "unknown-job")
    pair.problem(pair.get("/v1/evaluations/..%2F..%2Fetc"), 404, "not-found")
    pair.problem(pair.http.delete("/v1/evaluations/zz"), 404, "unknown-job")


def test_an_evaluation_whose_process_is_killed_has_failed(serve, models) -> None:
    with serve(models / "wiki") as service:
        job = service.ask("evaluations", {"suite": "google"}).json()
        service.until(lambda: service.get(f"/v1/evaluations/{job['id']}").json()["state"] != "queued")
        for pid in service.children:
            if job["id"].encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        job = wait_for(service, job)
        assert (job["state"], job["detail"]) in (("failed", "the process of the evaluation was ended"), ("done", None))


def test_an_evaluation_ends_with_the_service(serve, models, tmp_path) -> None:
    with serve(models / "wiki", "--jobs", tmp_path / "jobs") as service:
        jobs = [service.ask("evaluations", {"suite": "google", "method": "lrcos"}).json() for _ in range(3)]
        children = [
            pid for pid in service.children if b"wordgeo.service.jobs" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        assert service.stop() == 0
    assert not [pid for pid in children if _lives(pid)]
    with serve(models / "wiki", "--jobs", tmp_path / "jobs") as service:
        states = [service.get(f"/v1/evaluations/{job['id']}").json()["state"] for job in jobs]
        assert "failed" in states
        assert not {"queued", "running"} & set(states)


def test_evaluations_that_are_refused(pair) -> None:
    values = [{}, [], "google", {"suite": "nothing"}, {"suite": "/etc/passwd"}, {"suite": "google", "seed": -1},
              {"suite": "google", "x": 1}, {"suite": "google", "limit": "3"}]  # fmt: skip
    for body in values:
        pair.problem(pair.ask("evaluations", body), 422, "invalid")
    pair.problem(pair.post("/v1/models/gone/evaluations", {"suite": "google"}), 404, "unknown-model")
    pair.problem(pair.http.post("/v1/models/wiki/evaluations", content=b"{"), 400, "malformed")
