"""What MkDocs does with the repository's Markdown to make a site of it.

Pages are written for readers of the repository: their links are paths in it. Of the
workspace guide the site has sections, each on the page that asks for it with

    <!-- include WORKSPACE.md#teaching -->

Links to such a section go to that page, and files outside of `docs` that a page links to become
part of the site. The reference is made by `generate_reference.py`.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import posixpath
import re
import subprocess

from mkdocs.structure.files import File
from pymdownx.slugs import slugify

PROJECT = pathlib.Path(__file__).resolve().parent.parent
_DOCS = PROJECT / "docs"
_INCLUDE = re.compile(r"(?m)^<!-- include ([\w./]+)#(\S+) -->$")
_LINK = re.compile(r"(\]\()([^)\s:]+)(\))")
_HEADING = re.compile(r"^(#+) (.*)$")
_slug = slugify(case="lower")


def on_files(files, config):
    """Adds the reference, and what pages link to."""
    python = PROJECT / ".venv" / "bin" / "python"
    made = subprocess.run(
        [python, _DOCS / "generate_reference.py"],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
        stdout=subprocess.PIPE,
    )
    for name, text in json.loads(made.stdout).items():
        files.append(File.generated(config, name, content=text))
    for page in sorted(_DOCS.glob("*.md")):
        for link in _LINK.finditer(_expand(page)):
            path = (PROJECT / link[2].partition("#")[0]).resolve()
            name = _in_site(path)
            if (
                path.is_file()
                and path.is_relative_to(PROJECT)
                and not files.get_file_from_path(name)
            ):
                files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Puts in what a page includes, and has its links lead to the site's own pages."""
    source = _DOCS / page.file.src_uri
    if not source.exists():
        return markdown

    def relative(link: re.Match) -> str:
        path, hash_sign, anchor = link[2].partition("#")
        target = _in_site((PROJECT / path).resolve(), anchor) if path else page.file.src_uri
        where = posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")
        return f"{link[1]}{where}{hash_sign}{anchor}{link[3]}"

    return _LINK.sub(relative, _expand(source))


def _expand(page: pathlib.Path) -> str:
    """A page with what it includes; links are paths from the project's root."""

    def include(match: re.Match) -> str:
        return _rooted("\n".join(_section(match[1], match[2])), PROJECT / match[1])

    return "".join(
        include(part) if isinstance(part, re.Match) else _rooted(part, page)
        for part in _split(page.read_text())
    )


def _split(text: str):
    """What is between the includes of a page, and the includes."""
    end = 0
    for match in _INCLUDE.finditer(text):
        yield from (text[end : match.start()], match)
        end = match.end()
    yield text[end:]


def _rooted(text: str, source: pathlib.Path) -> str:
    """A text of `source` whose links are paths from the project's root."""

    def rooted(link: re.Match) -> str:
        path, hash_sign, anchor = link[2].partition("#")
        target = (source.parent / path).resolve() if path else source
        if not target.is_relative_to(PROJECT):
            return link[0]
        return f"{link[1]}{target.relative_to(PROJECT)}{hash_sign}{anchor}{link[3]}"

    return _LINK.sub(rooted, text)


def _in_site(path: pathlib.Path, anchor: str = "") -> str:
    """Where the site has a file of the project, or a section of it."""
    if not path.is_relative_to(PROJECT):
        return str(path)
    name = path.relative_to(PROJECT).as_posix()
    if name in ("README.md", "WORKSPACE.md"):
        return _pages_of_sections().get((name, anchor), "index.md")
    return name.removeprefix("docs/")


@functools.cache
def _pages_of_sections() -> dict[tuple[str, str], str]:
    """The page that has each section that is included."""
    found = {("WORKSPACE.md", ""): "code.md"}
    for page in sorted(_DOCS.glob("*.md")):
        for _, name, anchor in [(m, m[1], m[2]) for m in _INCLUDE.finditer(page.read_text())]:
            headings = (_HEADING.match(line) for line in _section(name, anchor))
            slugs = [anchor, *(_slug(heading[2], "-") for heading in headings if heading)]
            found |= {(name, slug): page.name for slug in slugs}
    return found


def _section(name: str, anchor: str) -> list[str]:
    """The lines of a section, its heading among them.

    Raises:
        ValueError: If there is none.
    """
    lines = (PROJECT / name).read_text().splitlines()
    headings = _headings(lines)
    for start, (level, slug) in headings.items():
        if slug == anchor:
            later = [n for n, (other, _) in headings.items() if n > start and other <= level]
            return lines[start : min(later, default=len(lines))]
    raise ValueError(f"{name} has no section #{anchor}.")


def _headings(lines: list[str]) -> dict[int, tuple[int, str]]:
    """Level and anchor of each line that is a heading; what is fenced is none."""
    found, is_fenced = {}, False
    for number, line in enumerate(lines):
        is_fenced ^= line.startswith("```")
        heading = None if is_fenced else _HEADING.match(line)
        if heading:
            found[number] = (len(heading[1]), _slug(heading[2], "-"))
    return found
