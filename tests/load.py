"""Reads and PATCHes from a process of its own: `python -m tests.load URL SECONDS REQUESTS`.

It ends after that many requests, or after those seconds, whichever comes last, and prints what it
has found as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import httpx

SESSIONS = 4
CLIENTS = 24


async def client(
    http: httpx.AsyncClient, number: int, until: tuple[float, int], found: dict[str, Any]
) -> None:
    """Count in a key of its own, and read between; note what is not answered 200."""
    path = f"/v1/sessions/load-{number % SESSIONS}"
    count = 0
    while time.monotonic() < until[0] or count < until[1]:
        count += 1
        found["requests"] += 3
        try:
            answers = [
                await http.patch(path, json={"cost_data": {f"client-{number}": count}}),
                await http.get(f"{path}/cost_data"),
                await http.get(path),
            ]
        except httpx.HTTPError as error:
            found["errors"].append(repr(error))
            continue
        found["errors"] += [one.text for one in answers if one.status_code != 200]
        read = answers[1].json().get("cost_data", {}).get(f"client-{number}")
        found["lost"] += read != count
    found["counts"][f"client-{number}"] = count


async def main(url: str, seconds: float, requests: int) -> None:
    """Ask, and say what came of it."""
    found: dict[str, Any] = {"requests": 0, "errors": [], "lost": 0, "counts": {}}
    until = time.monotonic() + seconds, requests // CLIENTS // 3
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=url, limits=limits, trust_env=False, timeout=60) as http:
        for number in range(SESSIONS):
            messages = [{"role": "user", "content": "x" * 200}] * 20
            await http.put(f"/v1/sessions/load-{number}", json={"messages": messages})
        await asyncio.gather(*(client(http, one, until, found) for one in range(CLIENTS)))
        kept: dict[str, int] = {}
        for number in range(SESSIONS):
            kept |= (await http.get(f"/v1/sessions/load-{number}/cost_data")).json()["cost_data"]
    found["lost"] += sum(kept.get(key) != count for key, count in found.pop("counts").items())
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
