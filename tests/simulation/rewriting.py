"""The engine's own code, rewritten in the running process: lines that count how often they are reached, or that are
taken out. The production code has no hook for it, and a line that is not rewritten costs what it did.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import llm_orchestrator_state

PACKAGE = Path(llm_orchestrator_state.__file__).parent
HITS = "__hits__"
"""Of a module whose lines are counted: the global that holds the counts."""


class Line(NamedTuple):
    """A line of a file of the package: the one on which this text begins, which occurs once.

    file: such as "engine/task.py".
    """

    file: str
    text: str


class Replaced(NamedTuple):
    """Text of a file of the package, which occurs once, and what stands there instead."""

    file: str
    text: str
    by: str


class NotThere(Exception):
    """What is to be rewritten does not occur in the file, or more than once."""


def source(file: str) -> str:
    return (PACKAGE / file).read_text()


def line_number(line: Line) -> int:
    """Raises NotThere."""
    return _only(line.file, source(line.file), line.text).count("\n") + 1


def _only(file: str, text: str, part: str) -> str:
    """What precedes the part. Raises NotThere."""
    if text.count(part) != 1:
        raise NotThere(f"{file} has this {text.count(part)} times: {part}")
    return text.partition(part)[0]


@contextmanager
def replaced(changes: Iterable[Replaced]) -> Iterator[None]:
    """Within it, the functions of the package are as if the files had these texts. Raises NotThere."""
    texts: dict[str, str] = {}
    for file, text, by in changes:
        before = texts.setdefault(file, source(file))
        _only(file, before, text)
        texts[file] = before.replace(text, by)
    with _running({file: ast.parse(text) for file, text in texts.items()}):
        yield


@contextmanager
def counted(lines: Iterable[Line]) -> Iterator[dict[Line, int]]:
    """Yields how often each line is reached, as it stands. Raises NotThere."""
    hits = dict.fromkeys(lines, 0)
    trees: dict[str, ast.Module] = {}
    for line in hits:
        tree = trees.setdefault(line.file, ast.parse(source(line.file)))
        _insert(tree, line_number(line), ast.parse(f"{HITS}[{tuple(line)!r}] += 1").body[0])
    modules = [_module(file) for file in trees]
    for module in modules:
        setattr(module, HITS, hits)
    try:
        with _running(trees):
            yield hits
    finally:
        for module in modules:
            delattr(module, HITS)


def _insert(tree: ast.Module, number: int, statement: ast.stmt) -> None:
    """Before the statement that begins on that line, or into the handler that does."""
    ast.increment_lineno(statement, number - 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.lineno == number:
            node.body.insert(0, statement)
            return
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list):
                for index, each in enumerate(body):
                    if each.lineno == number:
                        body.insert(index, statement)
                        return
    raise NotThere(f"no statement begins on line {number}")


# --- functions of a module that is loaded -------------------------------------------------------------------------


@contextmanager
def _running(trees: dict[str, ast.Module]) -> Iterator[None]:
    before: list[tuple[FunctionType, CodeType]] = []
    try:
        for file, tree in trees.items():
            module = _module(file)
            codes = _codes(compile(tree, str(PACKAGE / file), "exec"))
            for function in _functions(module):
                code = codes.get(function.__code__.co_qualname)
                if code is not None:
                    before.append((function, function.__code__))
                    function.__code__ = code
        yield
    finally:
        for function, code in reversed(before):
            function.__code__ = code


def _module(file: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE.name}.{file.removesuffix('.py').replace('/', '.')}")


def _codes(of: CodeType) -> dict[str, CodeType]:
    """Of the functions and methods of a module; those within functions are constants of these."""
    found: dict[str, CodeType] = {}
    for constant in of.co_consts:
        if isinstance(constant, CodeType):
            found[constant.co_qualname] = constant
            if "<locals>" not in constant.co_qualname:
                found |= _codes(constant)
    return found


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        if getattr(value, "__module__", None) == module.__name__:
            yield from _functions_of(value, module)


def _functions_of(value: Any, module: ModuleType) -> Iterator[FunctionType]:
    function = _function(value)
    if function is not None:
        yield function
    elif isinstance(value, type):
        for each in vars(value).values():
            found = _function(each)
            if found is not None and found.__module__ == module.__name__:
                yield found


def _function(value: Any) -> FunctionType | None:
    accessible: Callable[..., Any] | None = (
        value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    )
    return accessible if isinstance(accessible, FunctionType) else None
