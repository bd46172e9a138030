"""Options: every bad value is named with what is allowed, in Python and in TOML; defaults are one table."""

import dataclasses

import pytest

from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.training import TrainingConfig, defaults_table, load_toml

BAD = [
    ({"algorithm": "glove", "negative": 5}, "negative is 5, which has no meaning for glove"),
    ({"algorithm": "glove", "engine": "gensim"}, "engine is 'gensim', which does not train glove; choose native"),
    ({"algorithm": "glove", "alpha": 0}, "alpha is 0"),
    ({"algorithm": "glove", "x_max": 0}, "x_max is 0; give a number above 0"),
    ({"algorithm": "glove", "learning_rate": 2}, "learning_rate is 2; give a number from 0 to 1"),
    ({"algorithm": "glove", "init": 3}, "init is 3"),
    ({"algorithm": "glove", "racy": True}, "racy is on, which has no meaning for glove"),
    ({"algorithm": "ppmi", "epochs": 3}, "epochs is 3, which has no meaning for ppmi"),
    ({"algorithm": "ppmi", "alpha": 0.1}, "alpha is 0.1, which has no meaning for ppmi"),
    ({"algorithm": "ppmi", "shift": 0.5}, "shift is 0.5"),
    ({"algorithm": "ppmi", "sides": "up"}, "choose one of both, left, right"),
    ({"algorithm": "ppmi", "weighting": "linear"}, "choose one of harmonic, flat, dynamic"),
    ({"algorithm": "ppmi", "combine": "w"}, "choose one of sum, word, context"),
    ({"bounds": "document"}, "bounds is document, which has no meaning for skipgram"),
    ({"subsampling": "clean"}, "no meaning for skipgram"),
    ({"algorithm": "fasttext", "engine": "native"}, "engine is 'native', which does not train fasttext"),
    ({"engine": "native", "hs": True}, "engine is 'native', which does not train skipgram with hs; choose gensim"),
    ({"racy": True, "engine": "gensim"}, "racy is on, which gensim does not have; leave it unset"),
    ({"holdout": 0.1, "hs": True}, "holdout is 0.1, which gensim does not have"),
    ({"holdout": 0.6}, "holdout is 0.6; give a number from 0 to 0.5"),
    ({"patience": 3}, "patience is 3, but no sentence is held out; set holdout too"),
    ({"patience": 0}, "patience is 0"),
    ({"min_n": 2}, "min_n is 2, which has no meaning for skipgram"),
    ({"algorithm": "cbow", "bucket": 10}, "bucket is 10, which has no meaning for cbow"),
    ({"algorithm": "fasttext", "min_n": 7}, "max_n is 6; give a whole number from min_n, which is 7"),
    ({"algorithm": "fasttext", "bucket": 0}, "bucket is 0"),
    ({"algorithm": "fasttext", "cbow_mean": False}, "no meaning for fasttext"),
    ({"algorithm": "sgns"}, "choose one of skipgram, cbow"),
    ({"algorithm": None}, "choose one of skipgram, cbow"),
    ({"engine": "torch"}, "choose one of auto, native, gensim"),
    ({"dim": 0}, "dim is 0; give a whole number from 1 to 10000"),
    ({"dim": 10_001}, "dim is 10001"),
    ({"dim": 100.0}, "dim is 100.0; give a whole number"),
    ({"dim": True}, "dim is True"),
    ({"dim": "100"}, "dim is '100'"),
    ({"window": 0}, "window is 0"),
    ({"window": -(2**63)}, "window is -9223372036854775808"),
    ({"negative": -1}, "negative is -1"),
    ({"negative": 2**40}, "from 0 to 1000"),
    ({"negative": 0}, "negative is 0 and hs is off"),
    ({"hs": 1}, "hs is 1; give true or false"),
    ({"cbow_mean": "no"}, "cbow_mean is 'no'"),
    ({"cbow_mean": False}, "cbow_mean is off, which has no meaning for skipgram"),
    ({"shrink_windows": 0}, "shrink_windows is 0"),
    ({"ns_exponent": float("nan")}, "ns_exponent is nan"),
    ({"ns_exponent": 3}, "from -2 to 2"),
    ({"ns_exponent": 0.5, "hs": True, "negative": 0}, "no effect as negative is 0"),
    ({"alpha": 0}, "alpha is 0, with which nothing is learned"),
    ({"alpha": -0.1}, "alpha is -0.1"),
    ({"alpha": 1.5}, "alpha is 1.5; give a number from 0 to 1"),
    ({"alpha": float("inf")}, "alpha is inf"),
    ({"min_alpha": 0.03}, "min_alpha is 0.03; give a number from 0 to alpha, which is 0.025"),
    ({"epochs": 0}, "epochs is 0"),
    ({"min_count": 0}, "min_count is 0"),
    ({"sample": 1}, "sample is 1; give a share of the corpus below 1"),
    ({"sample": -1e-3}, "sample is -0.001"),
    ({"seed": -1}, "seed is -1"),
    ({"seed": 2**32}, "from 0 to 4294967295"),
    ({"threads": 0}, "threads is 0"),
    ({"threads": 1.5}, "threads is 1.5"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[str(options) for options, _ in BAD])
def test_bad_values_are_named(options, message):
    with pytest.raises(OptionError) as caught:
        TrainingConfig(**options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "options",
    [
        {"hs": True, "negative": 0},
        {"hs": True, "negative": 5},
        {"algorithm": "cbow", "cbow_mean": False},
        {"sample": 0, "min_alpha": 0, "seed": 0, "min_count": 1, "window": 1, "dim": 1, "epochs": 1, "threads": 1},
        {"seed": 2**32 - 1, "alpha": 1, "min_alpha": 1, "ns_exponent": -1, "engine": "gensim"},
    ],
)
def test_the_edges_are_allowed(options):
    config = TrainingConfig(**options)
    assert {name: getattr(config, name) for name in options} == options
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.dim = 7


def test_options_are_keywords_and_defaults_are_those_of_the_papers_tools():
    with pytest.raises(TypeError):
        TrainingConfig("cbow")
    config = TrainingConfig()
    assert (config.algorithm, config.dim, config.window, config.negative) == ("skipgram", 100, 5, 5)
    assert (config.epochs, config.min_count, config.sample, config.alpha) == (5, 5, 1e-3, 0.025)


def test_defaults_table_is_the_configs_own():
    table = defaults_table()
    for algorithm in ("skipgram", "cbow", "fasttext", "glove", "ppmi"):
        values = getattr(table, algorithm)
        assert TrainingConfig(**values) == TrainingConfig(algorithm=algorithm)
        assert list(values) == list(table.meaning)
    (shown,) = table.tables()
    rows = {row[0]: row[1:6] for row in shown.rows}
    assert rows["sample"] == ("0.001", "0.001", "0.001", "0", "0")
    assert rows["threads"] == ("unset",) * 5
    assert rows["window"] == ("5", "5", "5", "10", "5")
    assert rows["alpha"] == ("0.025", "0.025", "0.025", "0.75", "-")
    assert rows["min_n"] == ("-", "-", "3", "-", "-")
    assert all(row[6] for row in shown.rows)
    assert table.to_dict()["cbow"]["algorithm"] == "cbow"


def test_unset_options_take_the_algorithms_own_defaults():
    glove = TrainingConfig(algorithm="glove")
    assert (glove.window, glove.epochs, glove.x_max, glove.alpha, glove.learning_rate) == (10, 15, 100, 0.75, 0.05)
    assert glove.negative is None
    assert TrainingConfig(algorithm="glove", window=None, negative=None) == glove
    assert {"x_max", "window", "sides"} <= set(glove.parameters())
    assert not {"negative", "shift", "seed", "engine"} & set(glove.parameters())
    assert TrainingConfig(algorithm="glove", **glove.parameters()) == glove
    assert dataclasses.replace(glove, seed=2).seed == 2


def test_auto_takes_an_engine_that_has_what_is_asked():
    assert {TrainingConfig(algorithm=name).trains_with for name in ("skipgram", "cbow", "glove", "ppmi")} == {"native"}
    assert TrainingConfig(algorithm="fasttext").trains_with == "gensim"
    assert not {"racy", "holdout", "patience"} & set(TrainingConfig(engine="gensim").parameters())
    assert TrainingConfig(hs=True).trains_with == "gensim"
    assert TrainingConfig(engine="gensim").trains_with == "gensim"
    assert TrainingConfig(racy=True, holdout=0.1, patience=2).parameters()["patience"] == 2
    for wrong in ({"engine": "native", "hs": True}, {"racy": True, "hs": True}, {"racy": True, "engine": "gensim"}):
        with pytest.raises(OptionError):
            TrainingConfig(**wrong)


def write(folder, text):
    path = folder / "options.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_toml_gives_training_encoding_and_runs(tmp_path):
    text = 'algorithm = "cbow"\n# a note\ndim = 50\nalpha = 1\ncase = "keep"\nruns = 3\r\nthreads = 1\nhs = false\n'
    options = load_toml(write(tmp_path, text))
    assert options == {
        "algorithm": "cbow", "dim": 50, "alpha": 1.0, "case": "keep", "runs": 3, "threads": 1, "hs": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("dim = 50\n\nwidow = 5\n", 3, "there is no option 'widow'; did you mean window?"),
        ("min-count = 5\n", 1, "did you mean min_count?"),
        ('"epoch" = 5\n', 1, "did you mean epochs?"),
        ("[train]\ndim = 5\n", 1, "there is no option 'train'"),
        ("dim = 5\n[window]\nx = 1\n", 2, "window is {'x': 1}; give a whole number"),
        ("window.x = 1\n", 1, "give a whole number"),
        ("xyzzy = 1\n", 1, "the options are algorithm, engine, dim"),
        ("output = 'x'\n", 1, "there is no option 'output'"),
        ('dim = "50"\n', 1, "dim is '50'; give a whole number"),
        ("seed = 1\ndim = 50.0\n", 2, "dim is 50.0"),
        ("dim = true\n", 1, "dim is True"),
        ("dim = [50]\n", 1, "dim is [50]"),
        ("alpha = nan\n", 1, "alpha is nan"),
        ("sample = '1e-3'\n", 1, "sample is '1e-3'"),
        ("hs = 0\n", 1, "hs is 0; give true or false"),
        ("algorithm = 3\n", 1, "algorithm is 3"),
        ("algorithm = ['cbow']\n", 1, "algorithm is ['cbow']"),
        ("\n\nalgorithm = 'lsa'\n", 3, "choose one of skipgram, cbow, fasttext, glove, ppmi"),
        ("case = 'upper'\n", 1, "case is 'upper'; choose one of lower, keep"),
        ("tokens = 'bpe'\n", 1, "choose one of unicode, whitespace"),
        ("max_vocab = 0\n", 1, "max_vocab is 0"),
        ("field = ''\n", 1, "field is ''"),
        ("runs = 0\n", 1, "runs is 0"),
        ("seed = 1979-05-27\n", 1, "seed is datetime.date"),
    ],
)
def test_toml_errors_name_file_line_and_remedy(tmp_path, text, line, message):
    path = write(tmp_path, text)
    with pytest.raises(OptionError) as caught:
        load_toml(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "dim = \n",
        "dim = 1\ndim = 2\n",
        b"dim = 1 # \xff\n",
        "x = " + "9" * 10_000 + "\n",
        "x = " + "[" * 100_000 + "\n",
        b"\x00" * 100,
        "#" * (2 << 20),
    ],
    ids=["cut", "twice", "utf8", "digits", "nesting", "zeros", "size"],
)
def test_what_is_not_toml(tmp_path, text):
    with pytest.raises(FormatError, match=r"options\.toml"):
        load_toml(write(tmp_path, text))


def test_toml_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError):
        load_toml(tmp_path / "none.toml")
    with pytest.raises(FormatError, match="folder"):
        load_toml(tmp_path)
