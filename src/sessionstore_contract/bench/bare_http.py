"""The platform by httpx alone: each operation is one request, its status and its JSON looked at."""

from __future__ import annotations

from typing import Any

import httpx


class BareHttp:
    """One client, with as many connections as there are callers."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=60, trust_env=False)

    async def open(self) -> None:
        """Nothing to be done: the first request connects."""

    async def create(self, session_id: str) -> None:
        await self._ask("POST", "/v1/sessions", {"session_id": session_id})

    async def save(self, session_id: str, messages: list[Any]) -> None:
        await self._ask("PUT", f"/v1/sessions/{session_id}", {"messages": messages})

    async def load(self, session_id: str) -> Any:
        return (await self._ask("GET", f"/v1/sessions/{session_id}"))["messages"]

    async def update(self, session_id: str, *, cost_data: dict[str, Any]) -> None:
        await self._ask("PATCH", f"/v1/sessions/{session_id}", {"cost_data": cost_data})

    async def get_cost_data(self, session_id: str) -> Any:
        return (await self._ask("GET", f"/v1/sessions/{session_id}/cost_data"))["cost_data"]

    async def exists(self, session_id: str) -> bool:
        return bool(await self._ask("GET", f"/v1/sessions/{session_id}/cost_data"))

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        response = await self._client.request(method, path, json=body)
        return response.raise_for_status().json()


VERSION = f"httpx {httpx.__version__}"
