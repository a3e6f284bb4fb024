import dataclasses
import math
import re
from typing import Annotated, Literal

import pytest

from epg_tf.checks import (
    FiniteNumber,
    NonNegativeInt,
    NonNegativeNumber,
    PositiveInt,
    PositiveNumber,
    PositiveRange,
    Rule,
    Settings,
    at_least,
    fits,
    one_of,
    require,
    within,
)
from epg_tf.schedules import Constant, Schedule

SMALL_EVEN = Annotated[
    PositiveInt, Rule(lambda n: n < 9, "small"), Rule(lambda n: n % 2 == 0, "even")
]


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "sentence"),
    [
        (bool, [True, False], 1, "(=1) must be True or False"),
        (str, ["", "a"], None, "(=None) must be a string"),
        (
            Literal["adam", "sgd"],
            ["sgd"],
            "adm",
            "(='adm') must be one of 'adam', 'sgd' (did you mean adam?)",
        ),
        (int, [-1], True, "(=True) must be an integer"),
        (float, [-1, 0.5, math.nan], False, "(=False) must be a number"),
        (dict, [{}], (), "(=()) must be a dictionary"),
        (int | None, [3, None], 0.5, "(=0.5) must be an integer or None"),
        (PositiveInt, [1, 99], 0, "(=0) must be a positive integer"),
        (PositiveInt, [], "1", "(='1') must be a positive integer"),
        (PositiveInt, [], 1.0, "(=1.0) must be a positive integer"),
        (PositiveInt, [], True, "(=True) must be a positive integer"),
        (NonNegativeInt, [0, 1], -1, "(=-1) must be an integer, 0 or more"),
        (Annotated[int, at_least(2)], [2], 1, "(=1) must be an integer, 2 or more"),
        (NonNegativeInt | None, [0, None], -1, "(=-1) must be an integer, 0 or more"),
        (NonNegativeInt | None, [], "1", "(='1') must be an integer, 0 or more, or None"),
        (FiniteNumber, [-1, 0.0], math.nan, "(=nan) must be a finite number"),
        (PositiveNumber, [1, 1e-9], 0.0, "(=0.0) must be a finite positive number"),
        (PositiveNumber, [], math.inf, "(=inf) must be a finite positive number"),
        (PositiveNumber, [], math.nan, "(=nan) must be a finite positive number"),
        (NonNegativeNumber, [0, 2.5], -1, "(=-1) must be a finite non-negative number"),
        (PositiveNumber | Schedule, [1, Constant(0.0)], 0, "(=0) must be a finite positive number"),
        (Annotated[float, within("[0, 1]")], [0, 1], 1.5, "(=1.5) must be a number in [0, 1]"),
        (Annotated[float, within("[0, 1)")], [0, 0.5], 1, "(=1) must be a number in [0, 1)"),
        (Annotated[float, within("(0, 1]")], [0.5, 1], 0, "(=0) must be a number in (0, 1]"),
        (Annotated[float, within("(0, 1]")], [], math.nan, "(=nan) must be a number in (0, 1]"),
        (PositiveRange, [(1, 1), [0.5, 2]], (2, 1), "(=(2, 1)) must be a pair (low, high) with"),
        (PositiveRange, [], 1.0, "(=1.0) must be a pair (low, high) with 0 < low <= high"),
        (Literal[None, "tanh"], [None, "tanh"], "relu", "(='relu') must be one of None, 'tanh'"),
        (Annotated[str, one_of({"a": 1, "b": 2})], ["a"], "c", "(='c') must be one of 'a', 'b'"),
        (tuple[PositiveInt, ...], [(), (1, 2)], (1, 0), "(=0) must be a positive integer"),
        (tuple[PositiveInt, ...], [], 8, "(=8) must be a tuple of positive integers"),
        (tuple[PositiveInt, ...], [], (1, 0.5), "(=(1, 0.5)) must be a tuple of positive integers"),
        (tuple[float, float], [(1, 2)], (1,), "(=(1,)) must be a tuple of 2 numbers"),
        (tuple[tuple[PositiveInt, PositiveInt], ...], [((1, 2),)], ((1, 0),), "(=0) must be a pos"),
        (tuple[tuple[int, int], ...], [], (1,), "(=(1,)) must be a tuple of tuples of 2 integers"),
        (Schedule, [Constant(1.0)], 3, "(=3) must be of type Schedule (`@Name()`)"),
        (Constant, [Constant(1.0)], Constant, "(=@Constant) must be of type Constant (`@Name()`)"),
        (SMALL_EVEN, [2, 8], 0, "(=0) must be a positive integer"),
        (SMALL_EVEN, [], 10, "(=10) must be small"),
        (SMALL_EVEN, [], 3, "(=3) must be even"),
    ],
)
def test_an_annotation_is_a_rule(annotation, good, bad, sentence):
    for value in good:
        require("size", value, annotation)
        assert fits(value, annotation)
    assert not fits(bad, annotation)
    with pytest.raises(ValueError, match=f"^{re.escape('`size` ' + sentence)}.*\\.$"):
        require("size", bad, annotation)


@dataclasses.dataclass(frozen=True)
class Sizes(Settings):
    low: PositiveInt = 1
    high: PositiveInt = 2

    def __post_init__(self):
        super().__post_init__()
        self._require("high", self.high >= self.low, f"be at least `Sizes.low` (={self.low})")


@dataclasses.dataclass(frozen=True)
class MoreSizes(Sizes):
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Flags(Settings, named="--"):
    size: PositiveInt = 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Sizes(low=0), "`Sizes.low` (=0) must be a positive integer."),
        (lambda: Sizes(low=3), "`Sizes.high` (=2) must be at least `Sizes.low` (=3)."),
        (lambda: MoreSizes(high=0), "`MoreSizes.high` (=0) must be a positive integer."),
        (
            lambda: dataclasses.replace(MoreSizes(), names="a"),
            "`MoreSizes.names` (='a') must be a tuple of strings.",
        ),
        (lambda: Flags(size=0), "`--size` (=0) must be a positive integer."),
        (
            lambda: dataclasses.replace(Flags(), size=-1),
            "`--size` (=-1) must be a positive integer.",
        ),
    ],
)
def test_settings_are_checked_when_they_are_made(make, sentence):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == sentence
