"""What a released API description promises, and which of it a newer one breaks.

A caller built on the old description must be able to go on: no operation, answer field or level may go, nothing new may be
asked for, and no bound may be drawn tighter. Adding is free: levels are open, and callers ignore fields they do not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
# Larger is looser for the first, smaller is looser for the second.
_UPPER = ("maximum", "maxLength", "maxItems")
_LOWER = ("minimum", "minLength", "minItems")


def broken_promises(old: Json, new: Json) -> list[str]:
    """What a caller of ``old`` could stumble over in ``new``, one line each; empty when nothing is broken."""
    return [*_operations(old, new), *_schemas(old, new)]


def _operations(old: Json, new: Json) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method, was in methods.items():
            name, now = f"{method.upper()} {path}", new["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{name} is gone"
                continue
            if was.get("operationId") != now.get("operationId"):
                yield f"{name} has another operationId"
            if "200" in was["responses"] and "200" not in now["responses"]:
                yield f"{name} no longer answers 200"
            known = {p["name"] for p in was.get("parameters", [])}
            for parameter in now.get("parameters", []):
                if parameter.get("required") and parameter["name"] not in known:
                    yield f"{name} asks for a new parameter {parameter['name']}"
            if now.get("security") != was.get("security"):
                yield f"{name} asks for another scope"


def _schemas(old: Json, new: Json) -> Iterator[str]:
    was, now = old["components"]["schemas"], new["components"]["schemas"]
    asked = _reached(old, "ScoreRequest")
    for name, schema in was.items():
        if name not in now:
            yield f"{name} is gone"
        elif name in asked:
            yield from _asked(name, schema, now[name])
        else:
            yield from _told(name, schema, now[name])


def _asked(name: str, was: Json, now: Json) -> Iterator[str]:
    """A message callers send: whatever fitted must still fit."""
    for field in sorted(set(now.get("required", [])) - set(was.get("required", []))):
        yield f"{name} asks for {field}"
    for field, schema in was.get("properties", {}).items():
        if field not in now.get("properties", {}):
            yield f"{name}.{field} is no longer accepted"
        else:
            yield from _tighter(f"{name}.{field}", schema, now["properties"][field])


def _told(name: str, was: Json, now: Json) -> Iterator[str]:
    """A message callers read: what they look for must still be there, of the same kind."""
    for field, schema in was.get("properties", {}).items():
        if field not in now.get("properties", {}):
            yield f"{name}.{field} is gone"
            continue
        other = now["properties"][field]
        if _kinds(schema) != _kinds(other):
            yield f"{name}.{field} is of another kind"
        for level in [v for v in _levels(schema) if v not in _levels(other)]:
            yield f"{name}.{field} no longer knows {level}"
    for field in sorted(set(was.get("required", [])) - set(now.get("required", []))):
        yield f"{name}.{field} is no longer always there"


def _tighter(where: str, was: Json, now: Json) -> Iterator[str]:
    if not _kinds(was) <= _kinds(now):
        yield f"{where} no longer takes what it took"
    for is_tighter, names in ((lambda a, b: b < a, _UPPER), (lambda a, b: b > a, _LOWER)):
        for name in names:
            before, after = _found(was, name), _found(now, name)
            if after is not None and (before is None or is_tighter(before, after)):
                yield f"{where} has a tighter {name}"
    for level in [v for v in _levels(was) if v not in _levels(now)]:
        yield f"{where} no longer knows {level}"


def _parts(schema: Json) -> list[Json]:
    return [*schema.get("anyOf", []), *schema.get("oneOf", [])] or [schema]


def _kinds(schema: Json) -> set[str]:
    return {str(part.get("$ref") or part.get("type", "any")) for part in _parts(schema)}


def _levels(schema: Json) -> list[Any]:
    return [*schema.get("x-extensible-enum", []), *(v for part in _parts(schema) for v in part.get("enum", []))]


def _found(schema: Json, name: str) -> Any:
    return next((part[name] for part in _parts(schema) if name in part), None)


def _reached(description: Json, name: str) -> set[str]:
    """A schema and all those it refers to."""
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        if at in reached or at not in description["components"]["schemas"]:
            continue
        reached.add(at)
        waiting += _references(description["components"]["schemas"][at])
    return reached


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rsplit("/", 1)[-1]
        for inner in node.values():
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)
