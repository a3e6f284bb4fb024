"""Makes a site of the repository's Markdown; a hook of MkDocs.

Pages are written for readers of the repository, so their links are paths in it. Files outside
`docs` to which a page links become part of the site, and links follow them there.
`generate_reference.py` writes the reference.
"""

from __future__ import annotations

import json
import os
import pathlib
import posixpath
import re
import subprocess

from mkdocs.structure.files import File

PROJECT = pathlib.Path(__file__).resolve().parent.parent
_DOCS = PROJECT / "docs"
_LINK = re.compile(r"(\]\()([^)\s:#]+)(#[^)\s]*)?\)")


def on_files(files, config):
    """Adds the reference, and the files to which pages link."""
    made = subprocess.run(
        [PROJECT / ".venv" / "bin" / "python", _DOCS / "generate_reference.py"],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
        stdout=subprocess.PIPE,
    )
    for name, text in json.loads(made.stdout).items():
        files.append(File.generated(config, name, content=text))
    pages = sorted(_DOCS.glob("**/*.md"))
    while pages:
        page = pages.pop()
        for link in _LINK.finditer(page.read_text()):
            path = (page.parent / link[2]).resolve()
            name = _in_site(path)
            if path.is_file() and files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(path)))
                pages += [path] if path.suffix == ".md" else []
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns a page's links, which are paths in the repository, into paths in the site."""
    if page.file.abs_src_path is None:  # the reference
        return markdown
    source = pathlib.Path(page.file.abs_src_path)

    def relative(link: re.Match) -> str:
        target = _in_site((source.parent / link[2]).resolve())
        where = posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")
        return f"{link[1]}{where}{link[3] or ''})"

    return _LINK.sub(relative, markdown)


def _in_site(path: pathlib.Path) -> str:
    """Returns the place in the site of a file of the project; README's is the start page."""
    if not path.is_relative_to(PROJECT):
        return str(path)
    name = path.relative_to(PROJECT).as_posix()
    return "index.md" if name == "README.md" else name.removeprefix("docs/")
