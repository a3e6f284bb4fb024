"""What command lines say of bad input."""

from collections.abc import Callable

import pytest

from epg_tf import command_line


def sentence_of(capfd, act: Callable[[], object]) -> str:
    """Lets `act` fail as a command line should on bad input, and returns its one sentence."""
    with pytest.raises(SystemExit) as exit_of:
        act()
    assert exit_of.value.code == command_line.BAD_INPUT
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("epg_tf: ")
    assert err.count("\n") == 1
    return err.removeprefix("epg_tf: ")
