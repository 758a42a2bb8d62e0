"""Writes ``src/stockyard/blocking.pyi``, the types of what ``.sync`` returns, from the asynchronous classes.

Run by ``make stubs``. A coroutine method becomes one that blocks, ``__aenter__`` becomes ``__enter__``, and
``__anext__`` becomes ``__iter__``; the rest stays as it is. With ``--print`` the text goes to standard output.
"""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

STUB = Path(__file__).resolve().parents[1] / "src" / "stockyard" / "blocking.pyi"

CLASSES = {
    "App": "stockyard.app.app",
    "Cache": "stockyard.cache.cache",
    "Caches": "stockyard.cache.caches",
    "Consumer": "stockyard.pubsub.consumer",
    "Delivery": "stockyard.pubsub.delivery",
    "Effects": "stockyard.effects.effects",
    "Flows": "stockyard.produce.flows",
    "Job": "stockyard.model.job",
    "Keys": "stockyard.produce.keys",
    "LimitedCall": "stockyard.limits.call",
    "ManualWorker": "stockyard.consume.manual.manual_worker",
    "OpenChannel": "stockyard.pubsub.open_channel",
    "OpenLimits": "stockyard.limits.open_limits",
    "Queue": "stockyard.produce.queue",
    "QueueEvents": "stockyard.events.queue_events",
    "Replay": "stockyard.pubsub.replay",
    "Schedules": "stockyard.schedule.schedules",
    "Subscription": "stockyard.pubsub.subscription",
    "TakenJob": "stockyard.consume.manual.taken_job",
}

_HEAD = '''"""Types of what ``.sync`` returns; made from the asynchronous classes by ``make stubs``."""

'''
_VIEW = '''
class BlockingView:
    """An object of Stockyard for code without a running loop: its methods block until they are done."""

'''
_STANDARD = {
    "Generic": "from typing import Generic",
    "Iterator": "from collections.abc import Iterator",
    "ParamSpec": "from typing import ParamSpec",
    "Self": "from typing import Self",
    "TypeVar": "from typing import TypeVar",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


class _Module:
    """The names that a module knows: where each is imported from, and its type variables."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tree = ast.parse(Path(inspect.getfile(import_module(name))).read_text())
        self.imports: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = f"from {node.module} import {alias.name}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self.imports[alias.name] = f"import {alias.name}"
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                made_by = ast.unparse(node.value.func)
                if made_by in ("TypeVar", "ParamSpec"):
                    self.variables[ast.unparse(node.targets[0])] = ast.unparse(node)

    def find(self, class_name: str) -> ast.ClassDef:
        """Return the definition of a class."""
        return next(node for node in self.tree.body if isinstance(node, ast.ClassDef) and node.name == class_name)


class _Stub:
    """The stub while it is made."""

    def __init__(self) -> None:
        self._modules: dict[str, _Module] = {}
        self._imports = dict(_STANDARD)
        self._variables: dict[str, str] = {}

    def text(self) -> str:
        """Return the whole of it."""
        classes = [ast.unparse(self._twin(name, module)) for name, module in CLASSES.items()]
        names = sorted(["BlockingView", *(f"Blocking{name}" for name in CLASSES)])
        listed = "".join(f"    {name!r},\n" for name in names)
        head = [*sorted(self._imports.values()), "", *self._variables.values(), "", _VIEW]
        return _formatted(_HEAD + "\n".join([*head, *classes, f"__all__ = [\n{listed}]"]) + "\n")

    def _twin(self, name: str, module: str) -> ast.ClassDef:
        members: dict[str, list[ast.FunctionDef]] = {}
        for base in reversed(getattr(import_module(module), name).__mro__):
            if base.__module__.startswith("stockyard."):
                home = self._modules.setdefault(base.__module__, _Module(base.__module__))
                members.update(self._members(home.find(base.__name__), home))
        variables = _variables_of(self._modules[module].find(name))
        for variable in variables:
            self._variables[variable] = self._modules[module].variables[variable]
        bases = ["BlockingView"]
        if variables:
            bases.append(f"Generic[{', '.join(variables)}]")
        twin = ast.parse(f"class Blocking{name}({', '.join(bases)}): ...").body[0]
        assert isinstance(twin, ast.ClassDef)
        doc = ast.Expr(ast.Constant(f"What ``{name}.sync`` returns."))
        twin.body = [doc, *(node for nodes in members.values() for node in nodes)]
        return twin

    def _members(self, kind: ast.ClassDef, home: _Module) -> dict[str, list[ast.FunctionDef]]:
        """Return what a class defines for its users, by name; of an overloaded method all overloads."""
        found: dict[str, list[ast.FunctionDef]] = {}
        for node in kind.body:
            if isinstance(node, ast.AnnAssign):
                self._add_attribute(found, ast.unparse(node.target), node.annotation, home)
            elif isinstance(node, Function) and node.name == "__init__":
                for name, annotation in _assigned(node):
                    self._add_attribute(found, name, annotation, home)
            elif isinstance(node, Function) and (twin := _method(node)) is not None:
                earlier = found.setdefault(node.name, [])
                if earlier and not _is_overload(node) and not _is_setter(node):
                    # The overloads say what it takes; they have no docstring of their own.
                    if not _is_ellipsis(twin.body[0]):
                        earlier[0].body = twin.body
                    continue
                earlier.append(twin)
                self._import_names(twin, home)
        return found

    def _add_attribute(
        self, found: dict[str, list[ast.FunctionDef]], name: str, annotation: ast.expr, home: _Module
    ) -> None:
        if name.startswith("_"):
            return
        getter = _function(f"@property\ndef {name}(self) -> {ast.unparse(annotation)}: ...")
        found[name] = [getter]
        self._import_names(getter, home)

    def _import_names(self, node: ast.stmt, home: _Module) -> None:
        """Import what the annotations of a method name, from where its module has it."""
        for part in ast.walk(node):
            name = part.id if isinstance(part, ast.Name) else ""
            if name in home.variables:
                known = self._variables.setdefault(name, home.variables[name])
                assert known == home.variables[name], f"{name} is declared in two ways"
            elif name in home.imports:
                self._imports.setdefault(name, home.imports[name])
            elif name and not hasattr(builtins, name):
                self._imports.setdefault(name, f"from {home.name} import {name}")


def _method(node: Function) -> ast.FunctionDef | None:
    """Return the blocking form of a method, or None of one that is not for users."""
    returns = "None" if node.returns is None else ast.unparse(node.returns)
    match node.name:
        case "__aenter__":
            text = "def __enter__(self) -> Self: ..."
        case "__aexit__":
            text = "def __exit__(self, *error: object) -> None: ..."
        case "__anext__":
            text = f"def __iter__(self) -> Iterator[{returns}]: ..."
        case "sync":
            return None
        case name if name.startswith("_"):
            return None
        case name:
            doc = (ast.get_docstring(node) or "").partition("\n")[0]
            decorators = "".join(f"@{ast.unparse(each)}\n" for each in node.decorator_list)
            body = f"{doc!r}" if doc else "..."
            text = f"{decorators}def {name}({_arguments(node)}) -> {returns}:\n    {body}"
    return _function(text)


def _function(text: str) -> ast.FunctionDef:
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return function


def _arguments(node: Function) -> str:
    """Return the text of a method's arguments; what is not said in a word is a default of some kind."""
    arguments = copy.deepcopy(node.args)
    arguments.defaults = [_default(each) for each in arguments.defaults]
    arguments.kw_defaults = [None if each is None else _default(each) for each in arguments.kw_defaults]
    return ast.unparse(arguments)


def _default(value: ast.expr) -> ast.expr:
    return value if isinstance(value, ast.Constant | ast.UnaryOp) else ast.Constant(...)


def _assigned(init: Function) -> Iterator[tuple[str, ast.expr]]:
    """Yield the public attributes that an ``__init__`` makes, with their types."""
    given = {each.arg: each.annotation for each in [*init.args.args, *init.args.kwonlyargs]}
    for node in ast.walk(init):
        annotation: ast.expr | None
        match node:
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name("self"), attr=name), annotation=annotation):
                pass
            case ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=name)], value=ast.Name(argument)):
                annotation = given.get(argument)
            case ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=name)]):
                annotation = None
            case _:
                continue
        if not name.startswith("_"):
            assert annotation is not None, f"say the type of self.{name}, line {node.lineno}"
            yield name, annotation


def _variables_of(kind: ast.ClassDef) -> list[str]:
    for base in kind.bases:
        if isinstance(base, ast.Subscript) and ast.unparse(base.value) == "Generic":
            parts = base.slice.elts if isinstance(base.slice, ast.Tuple) else [base.slice]
            return [ast.unparse(each) for each in parts]
    return []


def _is_overload(node: Function) -> bool:
    return any(ast.unparse(each) == "overload" for each in node.decorator_list)


def _is_setter(node: Function) -> bool:
    return any(ast.unparse(each).endswith(".setter") for each in node.decorator_list)


def _is_ellipsis(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def _formatted(text: str) -> str:
    """Sort the imports and lay the text out, as ruff does in the whole repository."""
    for command in (["check", "--quiet", "--select", "I,F401", "--fix"], ["format"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STUB), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=STUB.parent,
        )
        text = done.stdout
    return text


def main() -> None:
    """Write the stub, or print it."""
    text = _Stub().text()
    if "--print" in sys.argv:
        print(text, end="")
    else:
        STUB.write_text(text)


if __name__ == "__main__":
    main()
