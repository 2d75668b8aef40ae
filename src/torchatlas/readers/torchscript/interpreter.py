"""The code of TorchScript, followed with names of tensors in the place of tensors: what it calls becomes the graph.

Nothing is computed but what decides which way the code goes: flags, counts and lists that the archive itself holds. A
condition that depends on tensors or on arguments is followed both ways, a loop once.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from torchatlas.core.errors import FileError
from torchatlas.core.graph import Node, Slot
from torchatlas.core.operators.arithmetic import VIEWS
from torchatlas.core.operators.names import in_place
from torchatlas.readers.aten import work
from torchatlas.readers.graph_builder import structured
from torchatlas.readers.layers import describe
from torchatlas.readers.torchscript import builtin, frozen
from torchatlas.readers.torchscript.branches import Branches
from torchatlas.readers.torchscript.code import Path, dotted
from torchatlas.readers.torchscript.forks import STARTS, Forks, closure
from torchatlas.readers.torchscript.layers import Layers
from torchatlas.readers.torchscript.lists import Lists
from torchatlas.readers.torchscript.modules import described, short
from torchatlas.readers.torchscript.objects import PickledObject, Tensor
from torchatlas.readers.torchscript.values import SCALAR, Ended, Frame, ScriptValue, tensors_of, tree_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchatlas.readers.graph_builder import Step
    from torchatlas.readers.torchscript.code import Code
    from torchatlas.readers.torchscript.modules import Structure

DEEPEST = 40
"""Calls one inside another that are followed; Python itself stops at some hundred steps into this code."""
LONGEST = 300_000
"""Statements that are followed; functions that call functions multiply."""
PACKAGE = "__torch__."
FUNCTIONAL = f"{PACKAGE}torch.nn.functional."


class Interpreter:
    """Follows ``forward`` of the root module.

    Args:
        structure: the modules.
        code: of their classes, and of functions.
        constants: the tensors that the code calls ``CONSTANTS.c0``, …
        traced: the tensors that the model was traced with, in order; none if it was scripted.
    """

    def __init__(self, structure: Structure, code: Code, constants: Sequence[Tensor], traced: Sequence[Tensor]) -> None:
        self.structure, self.builder = structure, structure.builder
        self._code, self._constants, self._traced = code, constants, traced
        self.lists, self._forks = Lists(self), Forks(self)
        self._branches = Branches(self, self.lists)
        self._statements = 0

    def run(self) -> None:
        """Make the graph below the root of the builder."""
        builder, root = self.builder, self.structure.root
        forward = self.structure.class_of(root).methods.get("forward")
        if forward is None:
            builder.note("The archive holds no code of a forward method: what its modules compute is unknown.")
            return
        frame = Frame(builder.root, root)
        self._inputs(forward, frame)
        made = self._body(forward, frame)
        builder.root.returns = tree_of(made, builder.root.outputs)
        frozen.settle(builder)
        describe(builder, Layers(builder).of)
        for path, part in builder.parts.items():
            if part.opaque:
                builder.note(f"The archive does not hold the code of {path or 'the model'}.")

    # What goes in.

    def _inputs(self, forward: ast.FunctionDef, frame: Frame) -> None:
        """A value for each argument that is a tensor, or holds some."""
        given = iter(self._traced)
        keys, items = [], []
        root = self.builder.root
        for argument in forward.args.args[1:]:
            kind = ast.unparse(argument.annotation) if argument.annotation is not None else "Tensor"
            held = self._input(argument.arg, kind, given)
            frame.names[argument.arg] = held
            keys.append(argument.arg)
            items.append(tree_of(held, root.inputs))
        if forward.args.args:
            frame.names[forward.args.args[0].arg] = self.structure.root
        root.arguments = Node("arguments", tuple(keys), tuple(items))

    def _input(self, name: str, kind: str, given: Any) -> Any:
        if kind.startswith("Tuple[") and kind.count("[") == 1:
            parts = kind[len("Tuple[") : -1].split(",")
            return tuple(self._input(f"{name}[{at}]", part.strip(), given) for at, part in enumerate(parts))
        if "Tensor" not in kind:
            return SCALAR
        known = next(given, None) if kind == "Tensor" else None
        more = described(known) if isinstance(known, Tensor) else {"type": "" if kind == "Tensor" else kind}
        return ScriptValue(self, None, [self.builder.value("input", (name,), **more)])

    # Functions and statements.

    def _body(self, function: ast.FunctionDef, frame: Frame) -> Any:
        """What a function returns."""
        ended = self.block(function.body, frame)
        return ended.value if ended is not None and not ended.raised else None

    def block(self, statements: Sequence[ast.stmt], frame: Frame) -> Ended | None:
        """Follow statements, up to the first that ends the function."""
        for statement in statements:
            self._statements += 1
            if self._statements > LONGEST:
                raise FileError(f"its code unfolds to more than {LONGEST:,} statements, which no model needs.")
            ended = self._statement(statement, frame)
            if ended is not None:
                return ended
        return None

    def _statement(self, told: ast.stmt, frame: Frame) -> Ended | None:
        if isinstance(told, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and told.value is not None:
            made = self.value(told.value, frame)
            for target in told.targets if isinstance(told, ast.Assign) else [told.target]:
                self.assign(target, made, frame)
        if isinstance(told, ast.Expr):
            made = self.value(told.value, frame)
            return made if isinstance(made, Ended) else None
        if isinstance(told, (ast.Return, ast.Raise)):
            value = told.value if isinstance(told, ast.Return) else None
            return Ended(self.value(value, frame) if value else None, raised=isinstance(told, ast.Raise))
        if isinstance(told, ast.If):
            return self._branches.choose(told, frame)
        if isinstance(told, (ast.For, ast.While)):
            return self._branches.repeat(told, frame)
        if isinstance(told, ast.FunctionDef):
            frame.names[told.name] = closure(told, frame)
        return self.block(told.body, frame) if isinstance(told, ast.With) else None

    def assign(self, target: ast.expr, made: Any, frame: Frame) -> None:
        """Give a name, several names, or an attribute of a module what was made."""
        if isinstance(target, ast.Name):
            frame.names[target.id] = made
        elif isinstance(target, (ast.Tuple, ast.List)):
            for at, one in enumerate(target.elts):
                self.assign(one, self._item(made, at, frame), frame)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value, frame)
            if isinstance(owner, PickledObject):
                owner.state[target.attr] = made
                path = self.structure.paths.get(id(owner), "")
                self.builder.note(f"A run changes the content of {f'{path}.' if path else ''}{target.attr}.")

    def _item(self, made: Any, at: int, frame: Frame) -> Any:
        if isinstance(made, ScriptValue):
            return made.part(at)
        if self.lists.is_open(made):
            return self.lists.any_of(made, frame)
        if isinstance(made, (list, tuple)):
            return made[at] if -len(made) <= at < len(made) else SCALAR
        return SCALAR

    # Expressions.

    def value(self, told: ast.expr, frame: Frame) -> Any:
        """What an expression stands for: a module, tensors, containers, plain constants, or something unknown."""
        follow = getattr(self, f"_{type(told).__name__.lower()}", None)
        return follow(told, frame) if follow is not None else SCALAR

    def _constant(self, told: ast.Constant, _: Frame) -> Any:
        return told.value

    def _name(self, told: ast.Name, frame: Frame) -> Any:
        return frame.names.get(told.id, SCALAR)

    def _tuple(self, told: ast.Tuple, frame: Frame) -> Any:
        return tuple(self.value(one, frame) for one in told.elts)

    def _list(self, told: ast.List, frame: Frame) -> Any:
        return [self.value(one, frame) for one in told.elts]

    def _dict(self, told: ast.Dict, frame: Frame) -> Any:
        pairs = zip(told.keys, told.values, strict=True)
        found = [(self.value(key, frame) if key is not None else None, self.value(held, frame)) for key, held in pairs]
        return {key: held for key, held in found if isinstance(key, (str, int, float, bool))}

    def _unaryop(self, told: ast.UnaryOp, frame: Frame) -> Any:
        inner = self.value(told.operand, frame)
        if isinstance(told.op, ast.USub) and isinstance(inner, (int, float)):
            return -inner
        return not inner if isinstance(told.op, ast.Not) and builtin.is_plain(inner) else SCALAR

    def _compare(self, told: ast.Compare, frame: Frame) -> Any:
        one, other = self.value(told.left, frame), self.value(told.comparators[0], frame)
        return builtin.is_same(one, other, positive=isinstance(told.ops[0], (ast.Is, ast.Eq)))

    def _boolop(self, told: ast.BoolOp, frame: Frame) -> Any:
        items = [self.value(one, frame) for one in told.values]
        known = all(builtin.is_plain(item) for item in items)
        return SCALAR if not known else (all(items) if isinstance(told.op, ast.And) else any(items))

    def _ifexp(self, told: ast.IfExp, frame: Frame) -> Any:
        test = self.value(told.test, frame)
        if builtin.is_plain(test):
            return self.value(told.body if test else told.orelse, frame)
        return self._branches.either(self.value(told.body, frame), self.value(told.orelse, frame))

    def _attribute(self, told: ast.Attribute, frame: Frame) -> Any:
        full = dotted(told)
        if full.startswith("CONSTANTS."):
            return self._held_constant(full)
        owner = self.value(told.value, frame)
        return self._held(owner, told.attr) if isinstance(owner, PickledObject) else Path(full) if full else SCALAR

    def _held_constant(self, name: str) -> Any:
        number = name.rpartition(".c")[2]
        if number.isdigit() and int(number) < len(self._constants):
            value = self.structure.tensor(self._constants[int(number)], "constant", name)
            return ScriptValue(self, None, [value])
        return SCALAR

    def _held(self, owner: PickledObject, name: str) -> Any:
        """An attribute of a module: a tensor as its value."""
        held = owner.state.get(name, SCALAR)
        if name not in owner.state:
            known = self.structure.class_of(owner).constants.get(name)
            return SCALAR if known is None else builtin.plain(known)
        if isinstance(held, Tensor):
            return ScriptValue(self, None, [self.structure.tensor(held, "constant", "")])
        return [self._wrapped(one) for one in held] if isinstance(held, list) else held

    def _wrapped(self, held: Any) -> Any:
        return (
            ScriptValue(self, None, [self.structure.tensor(held, "constant", "")]) if isinstance(held, Tensor) else held
        )

    def _subscript(self, told: ast.Subscript, frame: Frame) -> Any:
        owner, at = self.value(told.value, frame), self.value(told.slice, frame)
        if isinstance(owner, dict):
            known = builtin.is_plain(at) and not self.lists.is_open(owner)
            return owner.get(at, SCALAR) if known else self.lists.any_of(owner, frame)
        if isinstance(at, int) and not isinstance(at, bool):
            return self._item(owner, at, frame)
        if isinstance(owner, (list, tuple)):
            return self.lists.any_of(owner, frame)
        return self._item(owner, 0, frame) if isinstance(owner, ScriptValue) else SCALAR

    # Calls.

    def _call(self, told: ast.Call, frame: Frame) -> Any:
        """A method, a function of the archive, or an operator."""
        if isinstance(told.func, ast.Name):
            known = frame.names.get(told.func.id)
            if not isinstance(known, Path):
                return self._builtin(told.func.id, told, frame)
            name = known
        else:
            name = Path(dotted(told.func))
            if not str(name).startswith((PACKAGE, "torch.", "ops.")):
                return self._method(told, frame)
        args = [self.value(one, frame) for one in told.args]
        named = {one.arg: self.value(one.value, frame) for one in told.keywords if one.arg}
        return self.call(name, args, named, frame)

    def call(self, name: Path, args: list[Any], named: dict[str, Any], frame: Frame) -> Any:
        """A function of the archive, an operator, or a named tuple, by its full name."""
        if name in self._code.tuples:
            return (*args, *named.values())
        function = self._code.functions.get(name)
        return (
            self._function(name, function, args, named, frame) if function else self.operator(name, args, named, frame)
        )

    def _builtin(self, name: str, told: ast.Call, frame: Frame) -> Any:
        args = [self.value(one, frame) for one in told.args]
        if name == "getattr" and len(args) == 2 and isinstance(args[0], PickledObject):  # noqa: PLR2004 - owner and name
            return self._held(args[0], str(args[1]))
        if name in {"annotate", "unchecked_cast"} and len(args) > 1:
            return args[1]
        if name in STARTS:
            named = {one.arg: self.value(one.value, frame) for one in told.keywords if one.arg}
            return self._forks.start(name, args, named, frame)
        return builtin.convert(name, args)

    def _method(self, told: ast.Call, frame: Frame) -> Any:
        if not isinstance(told.func, ast.Attribute):
            return SCALAR
        owner = self.value(told.func.value, frame)
        args = [self.value(one, frame) for one in told.args]
        named = {one.arg: self.value(one.value, frame) for one in told.keywords if one.arg}
        if not isinstance(owner, PickledObject):
            return self._some(told.func.attr, args, named, frame)
        method = self.structure.class_of(owner).methods.get(told.func.attr)
        if method is None or not self.structure.is_module(owner):
            return self._unseen(owner, args, named, frame)
        if told.func.attr != "forward" and not told.func.attr.startswith("forward"):
            return self.enter(method, Frame(frame.step, owner, frame.depth + 1), [owner, *args], named)
        return self._module(owner, method, args, named, frame)

    def _module(
        self, owner: PickledObject, method: ast.FunctionDef, args: list[Any], named: dict[str, Any], frame: Frame
    ) -> Any:
        """The call of a module."""
        path = self.structure.paths[id(owner)]
        step = self.builder.step("module", self.structure.class_of(owner).name, path, derived=True)
        made = self.enter(method, Frame(step, owner, frame.depth + 1), [owner, *args], named)
        if step.children:
            frame.step.children.append(step)
            return made
        # Nothing ran inside: it hands through what it was given, or was too deep to be followed.
        step.derived = False
        if made is SCALAR:
            step.arithmetic = "unknown"
        return self._close(step, args, named, made, frame)

    def _close(self, step: Step, args: list[Any], named: dict[str, Any], made: Any, frame: Frame) -> Any:
        """A call without calls inside; each tensor that it returns is a new value."""
        items = [tree_of(one, step.inputs) for one in (*args, *named.values())]
        step.arguments = Node("arguments", (*(f"args[{at}]" for at in range(len(args))), *named), tuple(items))
        frame.step.children.append(step)
        if made is SCALAR:
            return ScriptValue(self, step, [])
        for value in tensors_of(made):
            known = self.builder.values[value]
            again = self.builder.value("activation", (), known.shape, known.dtype, known.nbytes, alias_of=value)
            self.builder.made(step, again)
        step.returns = structured(step.outputs)
        return ScriptValue(self, step, list(step.outputs)) if isinstance(made, ScriptValue) else made

    def _unseen(self, owner: PickledObject, args: list[Any], named: dict[str, Any], frame: Frame) -> Any:
        """A call of something whose code is not there."""
        path = self.structure.paths.get(id(owner))
        step = self.builder.step("module" if path is not None else "function", short(owner.type), path)
        step.arithmetic = "unknown"
        return self._close(step, args, named, SCALAR, frame)

    def _some(self, method: str, args: list[Any], named: dict[str, Any], frame: Frame) -> Any:
        """A method of one of several objects, of which a run chooses one; without tensors it is no call."""
        if not any(tensors_of(one) for one in (*args, *named.values())):
            return SCALAR
        step = self.builder.step("function", method)
        step.arithmetic = "unknown"
        self.builder.note(f"Only a run decides whose {method} is called here.", step)
        return self._close(step, args, named, SCALAR, frame)

    def _function(
        self, name: str, function: ast.FunctionDef, args: list[Any], named: dict[str, Any], frame: Frame
    ) -> Any:
        """A function of the archive: the one call that it makes, or a call with several inside."""
        said = name[len(FUNCTIONAL) :] if name.startswith(FUNCTIONAL) else short(name)
        step = self.builder.step("function", f"F.{said}" if name.startswith(FUNCTIONAL) else said, derived=True)
        made = self.enter(function, Frame(step, frame.owner, frame.depth + 1), args, named)
        frame.step.children += [step] if len(step.children) > 1 else step.children
        return made

    def enter(self, function: ast.FunctionDef, frame: Frame, args: list[Any], named: dict[str, Any]) -> Any:
        """What a function returns for these arguments."""
        if frame.depth > DEEPEST:
            self.builder.note(f"Calls nested more than {DEEPEST} deep are not followed.")
            return SCALAR
        names = [one.arg for one in function.args.args]
        defaults = function.args.defaults
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            frame.names[name] = self.value(default, frame)
        frame.names.update(zip(names, args, strict=False))
        frame.names.update(named)
        return self._body(function, frame)

    def operator(self, name: str, args: list[Any], named: dict[str, Any], frame: Frame) -> Any:
        """An operator of torch: a call where tensors go in or come out, a number where the answer is known."""
        short_name = name.rpartition(".")[2]
        if name.startswith("ops.prim.") and short_name == "RaiseException":
            return Ended(None, raised=True)
        waited = self._forks.wait(name, args, frame)
        if waited is not builtin.UNKNOWN:
            return waited
        answer = self.lists.answer(short_name, args, frame)
        if answer is not builtin.UNKNOWN:
            return answer
        if not any(tensors_of(one) for one in (*args, *named.values())) and short_name not in builtin.MAKERS:
            return SCALAR
        if short_name in builtin.QUESTIONS or short_name.startswith("is_"):
            return SCALAR
        step = self.builder.step("function", builtin.full_name(name))
        keys = builtin.keys(short_name, len(args))
        items = tuple(tree_of(one, step.inputs) for one in (*args, *named.values()))
        step.arguments = Node("arguments", (*keys, *named), items)
        frame.step.children.append(step)
        self._work(step, short_name)
        if in_place(step.name) and step.inputs:
            self.output(step)
        return ScriptValue(self, step, [])

    def _work(self, step: Step, op: str) -> None:
        shapes = {}
        for key, item in zip(step.arguments.keys, step.arguments.items, strict=True):
            if isinstance(item, Slot):
                known = self.builder.values[step.inputs[item.index]]
                if known.shape or known.nbytes is not None:
                    shapes[key] = known.shape
        if step.name.startswith("aten."):
            step.flops, step.arithmetic = work(op, shapes, (None,))
        else:
            step.arithmetic = "unknown"

    def output(self, step: Step) -> int:
        """One more tensor that a call returns; of a write it is a new version, of a view it shares memory."""
        first = step.inputs[0] if step.inputs else None
        if first is not None and not step.outputs and in_place(step.name):
            value = self.builder.made(step, self.builder.write(step, first))
        else:
            view = step.name.removeprefix("aten.") in VIEWS
            value = self.builder.made(step, self.builder.value("activation", (), view_of=first if view else None))
        step.returns = structured(step.outputs)
        return value
