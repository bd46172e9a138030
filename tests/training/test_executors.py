"""Ensembles run by run: finished runs are found, missing ones made, and a worker that is killed costs its run alone."""

import dataclasses
import functools
import json
import os
import shutil
import signal
import sys
import time

import pytest

from wordgeo.errors import MissingExtraError, OutputError, TrainingError
from wordgeo.formats import load
from wordgeo.stability import Ensemble
from wordgeo.training import TrainingConfig, train
from wordgeo.training.executors import Processes, RayTasks
from wordgeo.training.worker import Plan, make_run

SMALL = TrainingConfig(dim=8, epochs=2, min_count=2, threads=1)
RUNS = 2

# A worker that is killed in the middle of run 2, the first time that it is made.
KILLED_ONCE = """
import os, signal, sys
from pathlib import Path
from wordgeo.training.worker import Plan, make_run

class Killer:
    def start(self, task, total, unit):
        pass
    def advance(self, amount, note=""):
        if "epoch 2" in note and sys.argv[2] == "2" and not Path({flag!r}).exists():
            Path({flag!r}).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    def finish(self):
        pass

make_run(Plan.read(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), progress=Killer())
"""


@pytest.fixture(scope="module")
def alone(zipf_corpus, tmp_path_factory):
    """The bytes of the runs, made one after another in this process."""
    output = tmp_path_factory.mktemp("alone") / "runs"
    return contents(train(zipf_corpus, SMALL, output=output, runs=RUNS, resample="bootstrap"))


def contents(models):
    return [(model.words, model.vectors.tobytes(), model.provenance) for model in models]


def test_a_process_that_is_killed_has_its_run_made_again(zipf_corpus, tmp_path, alone, caplog):
    flag = tmp_path / "killed"
    backend = Processes((sys.executable, "-c", KILLED_ONCE.format(flag=str(flag))))
    models = train(
        zipf_corpus, SMALL, output=tmp_path / "runs", runs=RUNS, resample="bootstrap", workers=2, backend=backend
    )
    assert flag.exists()
    assert "the process of run 2 died (signal 9)" in caplog.text
    assert contents(models) == alone
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "runs"]


def test_a_process_that_dies_again_and_again(zipf_corpus, tmp_path):
    backend = Processes((sys.executable, "-c", f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"))
    with pytest.raises(TrainingError, match="died 4 times"):
        train(zipf_corpus, SMALL, output=tmp_path / "runs", runs=2, workers=2, backend=backend)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_a_worker_is_one_line(encoded, tmp_path):
    with pytest.raises(TrainingError, match=r"run \d: no word occurs 2 times"):
        train(encoded([["a", "b"]]), SMALL, output=tmp_path / "runs", runs=2, workers=2)
    assert not (tmp_path / "runs.training").exists()


class Stop:
    """Interrupts at a task."""

    def __init__(self, task):
        self.task = task

    def start(self, task, total, unit):
        self.task -= 1
        if not self.task:
            raise KeyboardInterrupt

    def advance(self, amount, note=""):
        pass

    def finish(self):
        pass


class Count(Stop):
    """Counts the trainings."""

    def __init__(self):
        self.task = 0


def test_finished_runs_are_not_made_again(zipf_corpus, tmp_path, alone, caplog):
    options = {"output": tmp_path / "runs", "runs": RUNS, "resample": "bootstrap"}
    with pytest.raises(KeyboardInterrupt):
        train(zipf_corpus, SMALL, progress=Stop(2), **options)
    assert sorted(path.name for path in (tmp_path / "runs.training").iterdir()) == ["plan.json", "run-001"]
    assert "goes on from there" in caplog.text
    with pytest.raises(Exception, match=r"runs\.training"):
        Ensemble.open(tmp_path / "runs.training")
    (tmp_path / "runs.training" / "run-001" / "model.safetensors").write_bytes(b"damaged")
    seen = Count()
    assert contents(train(zipf_corpus, SMALL, progress=seen, **options)) == alone
    assert seen.task == -2  # the damaged one, and the one that was missing
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize("change", [{"dim": 4}, {"seed": 7}, {"algorithm": "cbow"}])
def test_runs_of_another_training_are_made_anew(zipf_corpus, tmp_path, change):
    with pytest.raises(KeyboardInterrupt):
        train(zipf_corpus, SMALL, output=tmp_path / "runs", runs=2, progress=Stop(2))
    config = dataclasses.replace(SMALL, **change)
    seen = Count()
    models = train(zipf_corpus, config, output=tmp_path / "runs", runs=2, progress=seen)
    assert seen.task == -2
    assert contents(models) == contents(train(zipf_corpus, config, runs=2))


def test_an_ensemble_grows(zipf_corpus, tmp_path, alone):
    options = {"output": tmp_path / "runs", "resample": "bootstrap"}
    first = train(zipf_corpus, SMALL, runs=RUNS, **options)
    made = (first[1].path / "model.safetensors").stat().st_ino
    with pytest.raises(OutputError, match="exists already"):
        train(zipf_corpus, SMALL, runs=RUNS + 1, **options)
    shutil.rmtree(tmp_path / "runs" / "run-001")  # what is missing is made as well
    seen = Count()
    models = train(zipf_corpus, SMALL, runs=RUNS + 1, overwrite=True, progress=seen, **options)
    assert seen.task == -2
    assert contents(models)[:RUNS] == alone
    assert (models[1].path / "model.safetensors").stat().st_ino == made


def test_a_folder_that_is_not_ours_is_left_alone(zipf_corpus, tmp_path):
    (tmp_path / "runs.training").mkdir()
    (tmp_path / "runs.training" / "mine").touch()
    with pytest.raises(OutputError, match="not what a training left"):
        train(zipf_corpus, SMALL, output=tmp_path / "runs", runs=2)
    assert (tmp_path / "runs.training" / "mine").exists()


def test_a_plan_survives_its_file(zipf_corpus, tmp_path):
    plan = Plan(str(zipf_corpus.path), zipf_corpus.fingerprint, SMALL, resample="bootstrap", fix_seed=True)
    (tmp_path / "plan.json").write_text(json.dumps(plan.to_dict()))
    assert Plan.read(tmp_path / "plan.json") == plan
    make_run(plan, 2, tmp_path / "run")
    assert plan.is_made(2, tmp_path / "run", same_bytes=True)
    assert not plan.is_made(1, tmp_path / "run")
    assert load(tmp_path / "run").provenance["seed"] == 1


def _killed_once(plan, i, folder):
    """Dies in the middle of run 2, the first time that it is made."""

    class Killer(Count):
        def start(self, task, total, unit):
            pass

        def advance(self, amount, note=""):
            flag = folder.with_name("killed")
            if "epoch 2" in note and i == 2 and not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    make_run(plan, i, folder, progress=Killer())


def test_ray_makes_the_run_of_a_killed_worker_again(zipf_corpus, tmp_path, alone):
    pytest.importorskip("ray")
    cloudpickle = pytest.importorskip("ray.cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    models = train(
        zipf_corpus, SMALL, output=tmp_path / "runs", runs=RUNS, resample="bootstrap", workers=2,
        backend=RayTasks(_killed_once),
    )  # fmt: skip
    assert contents(models) == alone


def _node_killed_once(node, plan, i, folder):
    """In the middle of the first run on a node, that node dies: its raylet, which started this worker, is killed.

    The other node is busy until then, so that this one is given a run.
    """
    import ray

    flag = folder.with_name("killed")
    here = ray.get_runtime_context().get_node_id() == node
    deadline = time.monotonic() + 120
    while not (here or flag.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)

    class Killer(Count):
        def start(self, task, total, unit):
            pass

        def advance(self, amount, note=""):
            if "epoch 2" in note and here and not flag.exists():
                flag.touch()
                os.kill(os.getppid(), signal.SIGKILL)

    make_run(plan, i, folder, progress=Killer())


@pytest.mark.skipif("WORDGEO_TEST_CLUSTER" not in os.environ, reason="takes a minute (set WORDGEO_TEST_CLUSTER)")
def test_ray_makes_the_runs_of_a_killed_node_again(zipf_corpus, tmp_path, alone, monkeypatch):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        output = tmp_path / "runs"
        models = train(
            zipf_corpus, SMALL, output=output, runs=RUNS, resample="bootstrap", workers=2,
            backend=RayTasks(functools.partial(_node_killed_once, second.node_id)),
        )  # fmt: skip
        assert contents(models) == alone
        assert second.all_processes["raylet"][0].process.wait(timeout=60) == -signal.SIGKILL
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_without_ray_the_error_names_the_extra(zipf_corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'wordgeo\[ray\]'"):
        train(zipf_corpus, SMALL, output=tmp_path / "runs", runs=2, workers=2, backend="ray")
