"""Writes the site's reference from the code: every setting, every command, every preset.

    python docs/generate_reference.py

prints a JSON object, from page to Markdown. It needs the project's own virtual environment; the
site's generator, which has another (launch/docs.sh), starts it and reads what it prints.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pathlib
import re
import sys
import typing
from collections.abc import Iterable

from absl import flags

PROJECT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import epg_tf.rivals.presets  # noqa: E402, F401 since it registers settings
from epg_tf import checks, config  # noqa: E402

_SCHEDULES = ("Constant", "Linear", "PiecewiseLinear")


def pages() -> dict[str, str]:
    """The Markdown of each page."""
    return {"settings.md": settings(), "commands.md": commands(), "presets.md": presets()}


def settings() -> str:
    """A section per class that gin knows, with a row per setting."""
    known = config.SETTINGS
    text = [
        "# Settings",
        "Everything that a preset, or `--gin_binding`, can set. `CLASS.setting = value` sets one; "
        "`@CLASS()` stands for an object of that class. Without a default a preset must set it. "
        "A `Schedule` is one of "
        f"{', '.join(f'[`{name}`](#{name.lower()})' for name in _SCHEDULES)}.",
    ]
    for name, record in known.items():
        text += [f"## {name}", prose(record), table_of(record, known.values())]
    return "\n\n".join(part for part in text if part) + "\n"


def table_of(record: type, known: Iterable[type]) -> str:
    """The table of a class's settings; of what it shares with another one only what differs."""
    parents = [parent for parent in record.__mro__[1:] if parent in known]
    inherited = {field.name: default(field) for parent in parents for field in fields(parent)}
    about = attributes(record)
    hints = typing.get_type_hints(record, include_extras=True)
    rows = [
        f"| `{field.name}` | {cell(checks.kind_of(hints[field.name]))} | {default(field)} "
        f"| {cell(about.get(field.name, ''))} |"
        for field in fields(record)
        if inherited.get(field.name) != default(field)
    ]
    head = ["| setting | value | default | what |", "|---|---|---|---|"]
    table = "\n".join(head + rows) if rows else ""
    if not parents:
        return table or "It has no settings."
    name = parents[0].__name__
    return f"It has the settings of [`{name}`](#{name.lower()})" + (
        f", with these defaults:\n\n{table}" if rows else "."
    )


def fields(record: type) -> tuple[dataclasses.Field, ...]:
    """The settings of a class, in the order of its arguments."""
    return dataclasses.fields(record)


def default(field: dataclasses.Field) -> str:
    """A default as one would write it in a preset."""
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    if field.default is dataclasses.MISSING:
        return ""
    is_record = dataclasses.is_dataclass(field.default)
    return f"`@{type(field.default).__name__}()`" if is_record else f"`{field.default!r}`"


def cell(text: str) -> str:
    """A text in a table; absl says of flags that may be repeated that they may be repeated."""
    return text.partition(";\n")[0].replace("|", r"\|")


def prose(record: type) -> str:
    """A class's docstring without its sections."""
    return re.split(r"\n\n(?=\w+:\n)", inspect.cleandoc(record.__doc__ or ""))[0]


def attributes(record: type) -> dict[str, str]:
    """What the docstrings of a class and those that it is made of say of each attribute."""
    found: dict[str, str] = {}
    elsewhere = re.search(r"Attributes are those of `(\w+)`", record.__doc__ or "")
    for part in (*record.__mro__, *([config.SETTINGS[elsewhere[1]]] if elsewhere else [])):
        sections = re.split(r"\n\n(?=\w+:\n)", inspect.cleandoc(part.__doc__ or ""))
        for section in sections[1:]:
            if section.startswith("Attributes:\n"):
                entries = re.findall(r"(?m)^    (\w+): (.*(?:\n        .*)*)", section)
                found = {name: " ".join(text.split()) for name, text in entries} | found
    return found


def commands() -> str:
    """A section per command, with its docstring and a row per flag."""
    text = [
        "# Commands",
        "`python -m epg_tf.NAME --help` says the same. A flag `--name VALUE` may also be written "
        "`--name=VALUE`.",
    ]
    for name in doors():
        module = door(name)
        rows = [
            f"| `--{flag.name}` | {flag_default(flag)} | {cell(flag.help)} |"
            for flag in sorted(key_flags(module), key=lambda flag: flag.name)
        ]
        head = ["| flag | default | what |", "|---|---|---|"]
        text += [f"## epg_tf.{name}", as_markdown(module.__doc__), "\n".join(head + rows)]
    return "\n\n".join(text) + "\n"


def doors() -> list[str]:
    """The names of the modules that are command lines."""
    files = [*PROJECT.glob("epg_tf/*.py"), *PROJECT.glob("epg_tf/*/__main__.py")]
    names = [
        file.parent.name if file.stem == "__main__" else file.stem
        for file in files
        if "command_line.run(" in file.read_text()
    ]
    return sorted(names, key=lambda name: (name != "train", name))


def door(name: str):
    """The module of a command line."""
    is_folder = (PROJECT / "epg_tf" / name).is_dir()
    return importlib.import_module(f"epg_tf.{name}" + (".__main__" if is_folder else ""))


def key_flags(module) -> list[flags.Flag]:
    """The flags of a command line, also those that another one has since defined anew."""
    found = {flag.name: flag for flag in flags.FLAGS.get_key_flags_for_module(module)}
    holders = [value for value in vars(module).values() if isinstance(value, flags.FlagHolder)]
    hidden = [flags.FLAGS[holder.name] for holder in holders if holder.name not in found]
    return [*found.values(), *hidden]


def flag_default(flag: flags.Flag) -> str:
    """A flag's default as one would write it, if there is one."""
    value = flag.default
    if value is None or value == []:
        return ""
    return f"`{','.join(map(str, value)) if isinstance(value, list) else value}`"


def as_markdown(docstring: str) -> str:
    """A docstring, of which what is set off by two spaces is a block too."""
    return re.sub(r"(?m)^  (?! {2}\S)(?=\s*\S)", "    ", inspect.cleandoc(docstring))


def presets() -> str:
    """Every preset as it stands, its comment as prose."""
    text = [
        "# Presets",
        "`--gin_file gin/NAME.gin` reads one. What they include comes before them.",
    ]
    folders = sorted({file.parent for file in PROJECT.glob("gin/**/*.gin")})
    for file in (file for folder in folders for file in sorted(folder.glob("*.gin"))):
        lines = file.read_text().splitlines()
        num_comments = next(n for n, line in enumerate(lines) if not line.startswith("#"))
        about = " ".join(line.lstrip("# ") for line in lines[:num_comments])
        body = "\n".join(lines[num_comments:]).strip()
        name = file.relative_to(PROJECT / "gin")
        text += [f"## {name.with_suffix('')}", about, f'```python title="gin/{name}"\n{body}\n```']
    return "\n\n".join(text) + "\n"


if __name__ == "__main__":
    json.dump(pages(), sys.stdout)
