"""Numbers in text are read as float32(float(field)), bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgeo import formats
from wordgeo.errors import FormatError


def read(tmp_path, fields):
    """The numbers as the reader has them, one to a line."""
    path = tmp_path / "v.txt"
    path.write_text(f"{len(fields)} 1\n" + "".join(f"w{i} {field}\n" for i, field in enumerate(fields)))
    return formats.load(path, format="word2vec").vectors[:, 0]


def check(tmp_path, fields):
    expected = np.array([np.float32(float(field)) for field in fields])
    np.testing.assert_array_equal(read(tmp_path, fields).view(np.uint32), expected.view(np.uint32))


def test_chosen_numbers(tmp_path):
    check(
        tmp_path,
        [
            *(
                "0",
                "-0",
                "+0",
                "-0.0",
                "0e5",
                "0e999999999",
                "-0e-999999999",
                ".5",
                "5.",
                "-.5e1",
                "1e0",
                "1E+2",
                "1e-2",
            ),
            *("0.1", "0.30000001192092896", "16777217", "9007199254740993", "9007199254740992", "9007199254740991"),
            *("1e22", "1e23", "1e-22", "1e-23", "123456789e-22", "1e-45", "7e-46", "1.4e-45", "1e-300", "1e-400"),
            *("3.4028235e38", "3.4028234663852886e+38", "1.17549435e-38", "1.1754942e-38", "-3.4028235e38"),
            "0." + "0" * 50 + "1234567890123456789012345678901234567890",
            "1" * 30,
            "0" * 100 + "1.5",
            "18446744073709551616",  # 2^64: the mantissa wraps to 0
            "36893488147419103232",
            "18446744073709551617e-19",
            "1.00000005960464477539062499999999999999999",
            "1.00000005960464477539062500000000000000001",
            "1.0000000596046447753906251",  # its double is halfway between two float32
            "1." + "0" * 5000 + "1",
            "0.000000000000000000000000000000000000000000001401298464324817",
        ],
    )


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1), st.sampled_from(["%.9g", "%r"])
)
@settings(max_examples=50)
def test_float32_in_any_notation(tmp_path_factory, numbers, notation):
    check(tmp_path_factory.getbasetemp(), [notation % number for number in numbers])


LIMIT = float(np.finfo(np.float32).max)


@given(st.lists(st.floats(min_value=-LIMIT, max_value=LIMIT), min_size=1))
@settings(max_examples=50)
def test_any_double(tmp_path_factory, numbers):
    check(tmp_path_factory.getbasetemp(), [form % n for n in numbers for form in ("%r", "%.17e", "%.25f", "%.3g")])


digits = st.text("0123456789", min_size=1, max_size=25)
fields = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole}{fraction}{exponent}",
    st.sampled_from(["", "-", "+"]),
    digits,
    st.one_of(st.just(""), digits.map(lambda d: "." + d)),
    st.one_of(st.just(""), st.integers(-70, 12).map(lambda e: f"e{e}")),
)


@given(st.lists(fields, min_size=1))
@settings(max_examples=100)
def test_any_decimal(tmp_path_factory, texts):
    texts = [text for text in texts if np.isfinite(np.float32(min(abs(float(text)), 1e300)))]
    if texts:
        check(tmp_path_factory.getbasetemp(), texts)


def test_random_bits(tmp_path):
    bits = np.random.default_rng(5).integers(0, 2**32, 20_000, dtype=np.uint64).astype(np.uint32)
    numbers = bits.view(np.float32)
    numbers = numbers[np.isfinite(numbers)]
    got = read(tmp_path, [f"{number:.9g}" for number in numbers.tolist()])
    np.testing.assert_array_equal(got.view(np.uint32), numbers.view(np.uint32))


@pytest.mark.parametrize(
    "field", ["1_0", "0x10", "1e", "e5", ".", "-", "+-1", "1..2", "1,5", "1e5.5", "--1", "1f", "½", "١"]
)
def test_what_is_no_number(tmp_path, field):
    with pytest.raises(FormatError, match=r"line 3: 'w1' has '.*' where a number should be") as caught:
        read(tmp_path, ["1", field])
    assert caught.value.line == 3


@pytest.mark.parametrize("field", ["nan", "NaN", "inf", "-inf", "Infinity", "1e400", "-1e400", "1e39", "3.4028236e38"])
def test_what_is_not_finite(tmp_path, field):
    with pytest.raises(FormatError, match=f"line 3: 'w1' has the number {field}, which is NaN, infinite or beyond"):
        read(tmp_path, ["1", field])
