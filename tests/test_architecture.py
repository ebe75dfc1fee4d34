"""The shape of the code: imports go one way, names mean something, everything public says what it does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dispatcher"
MODULES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN = {"util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "base", "impl", "stuff"}
MARK = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
WITH_ISSUE = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b\W*#\d+")
TEXT = {".py", ".md", ".toml", ".j2", ".sh", ".yml", ".yaml", ".txt", ".css", ".html", ""}
SPOKEN_FOR = {"BaseLoader"}  # library classes whose methods are explained by the library
SHORT_MODULE, LONG_MODULE = 200, 300  # lines of code: the house's measure, and what no module may exceed


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def tracked() -> Iterator[Path]:
    """Every text file of the project."""
    for folder in ("dispatcher", "tests", "docs", "config", "templates", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXT and not {"__pycache__", "corpus", ".tools"} & set(path.parts):
                yield path
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file() and path.suffix in TEXT)


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """What a module offers: its public classes and functions, and their public methods."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef) and not any(ast.unparse(base) in SPOKEN_FOR for base in node.bases):
                inner = (n for n in node.body if isinstance(n, kinds) and not n.name.startswith("_"))
                yield from (method for method in inner if not is_a_variant(method))


def is_a_variant(node: ast.AST) -> bool:
    """Overloads and setters say nothing that their first form has not said."""
    decorators = getattr(node, "decorator_list", ())
    return any(ast.unparse(d).endswith(("overload", ".setter", "override")) for d in decorators)


def lines_of_code(path: Path) -> int:
    """Lines that are neither blank, comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    quiet: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            quiet |= set(range(body[0].lineno, (body[0].end_lineno or body[0].lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(1 for number, line in lines if line.strip() and not line.strip().startswith("#") and number not in quiet)


def test_imports_go_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed; make check needs it")
    done = subprocess.run(
        [program, "--config", "pyproject.toml", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_says_what_it_is_for() -> None:
    silent = [name_of(path) for path in MODULES if path.stat().st_size and not ast.get_docstring(parsed(path))]
    assert silent == []


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_everything_public_says_what_it_does() -> None:
    silent = [f"{name_of(path)}.{node.name}" for path in MODULES for node in public(parsed(path)) if not says(node)]
    assert silent == []


def says(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return bool(ast.get_docstring(node))


def test_names_mean_something() -> None:
    words = {name_of(path): set(re.split(r"[._]", name_of(path))) for path in MODULES}
    assert [name for name, parts in words.items() if parts & FORBIDDEN] == []
    classes = [
        f"{name_of(path)}.{node.name}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and re.search(r"(?:Manager|Helper|Base|Impl|Util)s?$", node.name)
    ]
    assert classes == []


def test_errors_end_in_error_and_only_errors_do() -> None:
    for path in MODULES:
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef):
                is_error = any(ast.unparse(parent).endswith(("Error", "Exception")) for parent in node.bases)
                assert is_error == node.name.endswith("Error"), f"{name_of(path)}.{node.name}"


def test_nothing_is_left_to_do_without_an_issue() -> None:
    """This file, which must name the words, is the exception."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MARK.search(line) and not WITH_ISSUE.search(line)
    ]
    assert found == []


def test_modules_are_short() -> None:
    sizes = {name_of(path): lines_of_code(path) for path in MODULES if "versions" not in path.parts}
    assert {name: size for name, size in sizes.items() if size > LONG_MODULE} == {}
    ordered = sorted(sizes.values())
    assert ordered[len(ordered) // 2] <= SHORT_MODULE // 2


def test_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.body[0].lineno + 1
        for path in MODULES
        if "versions" not in path.parts
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) // 2] < 15
    assert lengths[len(lengths) * 99 // 100] < 50


def test_only_the_clock_asks_what_time_it_is() -> None:
    """Everything else is passed `now`; the monotonic clock, which tells no time of day, is free."""
    asking = re.compile(r"datetime\.(?:now|utcnow|today)\(|date\.today\(|\btime\.time\(")
    found = {name_of(path) for path in MODULES if asking.search(path.read_text(encoding="utf-8"))}
    assert found == {"dispatcher.clock"}


def test_only_the_outbox_writes_a_deliverys_status() -> None:
    """Beside the insert that makes it queued. `signatures` and `parking` write a column of their own, and no status."""
    writing = re.compile(r"(?:update\(DELIVERY\)|update\(table\(Delivery\)\))")
    found = {name_of(path) for path in MODULES if writing.search(path.read_text(encoding="utf-8"))}
    of_its_own = {"dispatcher.store.parking", "dispatcher.store.signatures"}
    assert found - of_its_own == {"dispatcher.store.claims", "dispatcher.store.outbox"}
    for name in of_its_own:
        assert "status=" not in (ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")


def test_no_text_knows_the_machine_it_was_written_on() -> None:
    private = re.compile(r"/(?:work|root)/|/home/(?!me/)\w+/|\w\.\w+/simple\b|index[-]url|find[-]links")
    found = [
        f"{path.relative_to(ROOT)}: {hit[0]}"
        for path in tracked()
        if path != Path(__file__)
        if (hit := private.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


def test_the_modules_of_the_pipeline_stand_in_its_picture() -> None:
    picture = ast.get_docstring(parsed(PACKAGE / "pipeline" / "__init__.py")) or ""
    names = {path.stem for path in (PACKAGE / "pipeline").glob("*.py")} - {"__init__"}
    assert {name for name in names if not re.search(rf"\b{name}\b", picture)} == set()
