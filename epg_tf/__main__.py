"""Lists the commands: `python -m epg_tf`."""

import ast
import pathlib

COMMANDS = (
    *("train", "evaluate", "render", "analyze", "export", "report"),
    *("losses", "train_rival"),
)


def lines() -> list[str]:
    """Returns a line for each command, with the first sentence of its page."""
    folder = pathlib.Path(__file__).parent
    told = []
    for command in COMMANDS:
        file = folder / f"{command}.py"
        file = file if file.is_file() else folder / command / "__main__.py"
        page = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        told.append(f"  python -m epg_tf.{command:12} {page.splitlines()[0]}")
    return told


if __name__ == "__main__":
    print("The commands of epg_tf; each has its page with --help:\n")
    print("\n".join(lines()))
    print(
        "\nA first try: python -m epg_tf.train --gin_file gin/quickstart.gin --root_dir runs/first"
    )
