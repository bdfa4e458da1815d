"""The platform's routes in OpenAPI: what each takes and every answer that it gives."""

from __future__ import annotations

import re
from typing import Any, Final

from reference_backends import rest
from reference_backends.rules import MAX_ID_LENGTH

INSTANT: Final = (
    r"(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
"""A time of RFC 3339 with UTC offset, without the leap seconds that few clocks know."""

# Surrogates, which are refused as well, are no part of any text in UTF-8.
_TEXT: Final = r"^[^\u0000]*$"
_ID: Final = r"^[^\u0000-\u001f\u007f]+$"

_VALUE: Final = {"$ref": "#/components/schemas/Value"}

_SCHEMAS: Final[dict[str, Any]] = {
    "SessionId": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_ID_LENGTH,
        "pattern": _ID,
        "not": {"enum": [".", ".."]},
        "example": "session-1",
    },
    "Text": {"type": "string", "pattern": _TEXT},
    "Value": {
        "description": "any JSON value without U+0000; nested 256 levels deep at the most",
        "anyOf": [
            {"type": "null"},
            {"type": "boolean"},
            {"type": "number"},
            {"$ref": "#/components/schemas/Text"},
            {"type": "array", "items": _VALUE},
            {"$ref": "#/components/schemas/Fields"},
        ],
    },
    "Fields": {
        "type": "object",
        "propertyNames": {"$ref": "#/components/schemas/Text"},
        "additionalProperties": _VALUE,
    },
    "History": {"type": "array", "items": _VALUE},
    "Error": {
        "type": "object",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "additionalProperties": False,
                "properties": {
                    "code": {"type": "string", "enum": sorted(rest.CODES)},
                    "message": {"type": "string"},
                },
            }
        },
    },
}

_ERRORS: Final = {
    "400": "the body is no JSON",
    "401": "no valid bearer token",
    "403": "the token has the right to read alone",
    "404": "there is no session of this id",
    "409": "a session of this id exists",
    "413": "the body is too large",
    "422": "the id, the body or the query is not as described",
    "500": "the service failed",
    "501": "the store can't do this",
    "503": "the storage can't be reached, or the service is stopping",
}


def described(max_body_bytes: int, *, asks_for_token: bool) -> dict[str, Any]:
    """Answer the OpenAPI document of a platform with this limit for bodies."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Session store",
            "version": "1",
            "description": f"Bodies have {max_body_bytes} bytes at the most.",
        },
        "paths": {
            "/v1/sessions": {"post": _create(), "delete": _delete_before()},
            "/v1/sessions/{session_id}": {
                "parameters": [_session_id()],
                "get": _operation(
                    "load", "its messages", {"messages": _ref("History")}, errors=("404", "422")
                ),
                "head": _exists(),
                "put": _operation(
                    "save",
                    "the history was replaced",
                    {},
                    body={"messages": _ref("History")},
                    errors=("400", "413", "422"),
                ),
                "patch": _update(),
                "delete": _operation("delete", "it was removed", {}, errors=("404", "422")),
            },
            "/v1/sessions/{session_id}/cost_data": {
                "parameters": [_session_id()],
                "get": _operation(
                    "get_cost_data",
                    "its cost data",
                    {"cost_data": _ref("Fields")},
                    errors=("404", "422"),
                ),
            },
            "/healthz": {"get": _state("is_alive", "the service runs", errors=())},
            "/readyz": {"get": _state("is_ready", "the storage answers", errors=("503",))},
        },
        "components": {"schemas": _SCHEMAS},
    }
    if asks_for_token:
        schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["components"] = {"schemas": _SCHEMAS, "securitySchemes": schemes}
        document["security"] = [{"bearer": []}]
    return document


def methods_of(path: str) -> list[str]:
    """Answer the methods that a path takes, none where it leads nowhere."""
    for template, operations in described(0, asks_for_token=False)["paths"].items():
        if re.fullmatch(template.replace("{session_id}", "[^/]+"), path):
            return sorted(name.upper() for name in operations if name != "parameters")
    return []


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _session_id() -> dict[str, Any]:
    return {
        "name": "session_id",
        "in": "path",
        "required": True,
        "description": "percent-encoded, one segment",
        "schema": _ref("SessionId"),
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _object(members: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": members,
        "additionalProperties": False,
        **({"required": list(members)} if required and members else {}),
    }


def _failures(*statuses: str) -> dict[str, Any]:
    return {
        status: {"description": _ERRORS[status], "content": _json(_ref("Error"))}
        for status in sorted(statuses)
    }


def _operation(
    name: str,
    said: str,
    members: dict[str, Any],
    *,
    body: dict[str, Any] | None = None,
    status: str = "200",
    errors: tuple[str, ...],
) -> dict[str, Any]:
    answer = _object({"session_id": _ref("SessionId"), **members})
    operation: dict[str, Any] = {
        "operationId": name,
        "responses": {
            status: {"description": said, "content": _json(answer)},
            **_failures("401", "403", "500", "501", "503", *errors),
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _json(_object(body))}
    return operation


def _create() -> dict[str, Any]:
    operation = _operation(
        "create", "a session was made", {}, status="201", errors=("400", "409", "413", "422")
    )
    body = _object({"session_id": _ref("SessionId")}, required=False)
    return {**operation, "requestBody": {"required": True, "content": _json(body)}}


def _update() -> dict[str, Any]:
    operation = _operation(
        "update",
        "the fields were merged; the history is not answered",
        {},
        errors=("400", "404", "413", "422"),
    )
    body = _object({"cost_data": _ref("Fields")}, required=False)
    return {**operation, "requestBody": {"required": True, "content": _json(body)}}


def _exists() -> dict[str, Any]:
    statuses = ("401", "403", "404", "422", "500", "501", "503")
    without_body = {status: {"description": _ERRORS[status]} for status in statuses}
    return {
        "operationId": "exists",
        "responses": {"200": {"description": "it exists"}, **without_body},
    }


def _delete_before() -> dict[str, Any]:
    return {
        "operationId": "delete_before",
        "parameters": [
            {
                "name": "inactive_since",
                "in": "query",
                "required": True,
                "schema": {"type": "string", "format": "date-time", "pattern": f"^{INSTANT}$"},
            }
        ],
        "responses": {
            "200": {
                "description": "how many were removed",
                "content": _json(_object({"deleted": {"type": "integer", "minimum": 0}})),
            },
            **_failures("401", "403", "422", "500", "501", "503"),
        },
    }


def _state(name: str, said: str, *, errors: tuple[str, ...]) -> dict[str, Any]:
    answer = _object({"status": {"const": "ok"}})
    return {
        "operationId": name,
        "security": [],
        "responses": {
            "200": {"description": said, "content": _json(answer)},
            **_failures("500", *errors),
        },
    }
