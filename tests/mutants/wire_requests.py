"""Platforms that take, reveal or break what they must not, by what they are sent."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from .defect import mutant
from .wire_platforms import KeepingPlatform, LiberalPlatform, PlainPlatform, Refused, Reply, Row

Body = dict[str, Any]


@mutant("wire.bad-input-is-4xx", "POST takes a list")
class TakesAListForNothing(PlainPlatform):
    def parse(self, body: bytes) -> Body:
        return {} if body == b"[]" else super().parse(body)

    async def put(self, session: str, body: Body) -> Reply:
        return await super().put(session, body)


@mutant("wire.bad-input-is-4xx", "POST takes a number as session_id")
class MakesIdsOfNumbers(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        if isinstance(body.get("session_id"), int):
            body = {"session_id": f"{body['session_id']:064}"}
        return await super().post(body)


@mutant("wire.bad-input-is-4xx", "PUT with an object as messages changes the session")
class StoresBeforeItChecks(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        if isinstance(body.get("messages"), dict):
            self.row(session).messages = json.dumps(body["messages"])
        return await super().put(session, body)


@mutant("wire.bad-input-is-4xx", "POST answers 500, not 4xx")
class FailsAtBadJson(PlainPlatform):
    def parse(self, body: bytes) -> Body:
        if body != b"{":
            return super().parse(body)
        raise json.JSONDecodeError("a defect", "{", 0)


@mutant(
    "wire.bad-input-is-4xx",
    "POST answers 400 without a JSON error",
    also={"wire.non-finite-is-refused": "PATCH answers 400 without a JSON error"},
)
class WordsErrorsAsText(PlainPlatform):
    def word(self, content: Any) -> bytes:
        is_about_json = content.get("error") in {"no JSON", "no object"}
        return b"Bad Request" if is_about_json else super().word(content)


@mutant("wire.bad-input-is-4xx", "PUT with 5,000 levels of nesting is answered 5xx")
class FailsAtDepth(PlainPlatform):
    def parse(self, body: bytes) -> Body:
        if b"[[[[[[[[" in body:
            raise RecursionError
        return super().parse(body)


@mutant("wire.bad-input-is-4xx", "PATCH with 5,000 levels of nesting is answered 5xx")
class FailsAtDepthOfCosts(PlainPlatform):
    async def one(self, method: str, session: str, body: bytes) -> Reply:
        if method == "PATCH" and b"[[[[[[[[" in body:
            raise RecursionError
        return await super().one(method, session, body)


@mutant("wire.bad-input-is-4xx", "PUT with a number past every double makes the session unreadable")
class KeepsInfinity(PlainPlatform):
    def number(self, literal: str) -> float:
        return float(literal)

    def word(self, content: Any) -> bytes:
        try:
            return json.dumps(content, allow_nan=False).encode()
        except ValueError:
            return b"Internal Server Error"


@mutant("wire.bad-input-is-4xx", "PUT with a number past every double makes the session unreadable")
class AnswersInfinity(PlainPlatform):
    """As Python writes it, and no other parser reads it."""

    def number(self, literal: str) -> float:
        return float(literal)


@mutant("wire.bad-input-is-4xx", "PUT with a number for a message is answered 5xx")
class TakesMessagesForObjects(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        if isinstance(body.get("messages"), list) and not all(
            hasattr(one, "get") for one in body["messages"]
        ):
            raise AttributeError("'int' object has no attribute 'get'")
        return await super().put(session, body)


@mutant("wire.bad-input-is-4xx", "POST takes true as session_id")
class MakesAnIdOfTrue(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        if body.get("session_id") is True:
            return 201, {"session_id": "True"}
        return await super().post(body)


@mutant("wire.get", "GET answers no session_id", is_everywhere=True)
class AnswersInUtf16(PlainPlatform):
    def word(self, content: Any) -> bytes:
        return json.dumps(content).encode("utf-16")


@mutant(
    "wire.bad-input-is-4xx",
    "GET answers a session of an id that nobody made",
    also={"wire.ids-are-one-segment": "POST refuses an id with NUL and GET does not"},
)
class AnswersNulAsEmpty(PlainPlatform):
    """Cuts at NUL, and answers the empty id as an empty session."""

    async def answer(self, scope: Any, body: bytes) -> Reply:
        if scope["method"] == "GET" and scope["raw_path"].endswith(b"%00"):
            self.let_in("GET", dict(scope["headers"]))
            return 200, {"session_id": "", "messages": []}
        return await super().answer(scope, body)


@mutant("wire.bad-input-is-4xx", "GET answers 500, not 4xx")
class DecodesPathsStrictly(PlainPlatform):
    """Takes it that whoever encodes a path encodes UTF-8."""

    def identify(self, segment: str) -> str:
        return self.check(unquote(segment, errors="strict"))


@mutant("wire.patch-needs-an-object", "PATCH takes an empty list")
class TakesPairs(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        if body == {"cost_data": []}:
            body = {"cost_data": {}}
        return await super().patch(session, body)


@mutant("wire.patch-needs-an-object", "PATCH with a number changes the session")
class ConcatenatesThenChecks(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        if isinstance(body.get("cost_data"), int) and body["cost_data"] is not True:
            self.row(session).costs = json.dumps([json.loads(self.row(session).costs), 7])
        return await super().patch(session, body)


@mutant(
    "wire.put-needs-messages",
    "PUT with no messages erases the history",
    also={},
)
class MessagesHaveADefault(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        return await super().put(session, {"messages": []} | body)


@mutant("wire.put-needs-messages", "PUT takes null for messages")
class NullIsNoMessages(PlainPlatform):
    async def put(self, session: str, body: Body) -> Reply:
        if "messages" in body and body["messages"] is None:
            return 200, None
        return await super().put(session, body)


@mutant("wire.unknown-members-are-refused", "PATCH takes a misspelt member")
class DropsWhatItDoesNotKnow(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        known = {name: value for name, value in body.items() if name == "cost_data"}
        return await super().patch(session, {"cost_data": {}} | known)


@mutant("wire.unknown-members-are-refused", "PATCH with messages changes the session")
class StoresWhatItKnows(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        if body.keys() > {"cost_data"}:
            await super().patch(session, {"cost_data": body["cost_data"]})
        return await super().patch(session, body)


@mutant("wire.unknown-members-are-refused", "PATCH takes an unknown member beside cost_data")
class DropsWhatIsBeside(PlainPlatform):
    async def patch(self, session: str, body: Body) -> Reply:
        if "messages" not in body and "cost_data" in body:
            body = {"cost_data": body["cost_data"]}
        return await super().patch(session, body)


@mutant("wire.non-finite-is-refused", "PATCH takes NaN")
class TakesWhatPythonTakes(PlainPlatform):
    def parse(self, body: bytes) -> Body:
        if b"NaN" in body or b"Infinity" in body:
            found: Body = json.loads(body)
            return found
        return super().parse(body)


@mutant("wire.non-finite-is-refused", "PATCH answers 500, not 4xx")
class LeavesNaNToTheDatabase(TakesWhatPythonTakes):
    def parse(self, body: bytes) -> Body:
        found = super().parse(body)
        if b"NaN" in body:
            raise ValueError("invalid input syntax for type json")
        return found


@mutant(
    "wire.missing-session-is-not-a-missing-route",
    "a missing session is answered as a missing route is",
)
class OneWordForAllThatIsMissing(PlainPlatform):
    async def answer(self, scope: Any, body: bytes) -> Reply:
        try:
            return await super().answer(scope, body)
        except Refused as refused:
            if refused.status == 404:
                return 404, {"detail": "Not Found", "path": scope["raw_path"].decode()}
            raise


@mutant(
    "wire.missing-session-is-not-a-missing-route",
    "the 404 of a missing session is no JSON",
)
class MissingIsPlainText(PlainPlatform):
    def word(self, content: Any) -> bytes:
        if content == {"error": "no such session"}:
            return b"no such session"
        return super().word(content)


@mutant("wire.ids-are-one-segment", "POST answers another id for one with a question mark")
class CutsAtAQuestionMark(LiberalPlatform):
    def check(self, session: Any) -> str:
        return super().check(session).partition("?")[0]

    def identify(self, segment: str) -> str:
        return super().identify(segment).partition("?")[0]

    async def post(self, body: Body) -> Reply:
        try:
            return await super().post(body)
        except Refused as refused:
            if refused.status != 409 or "?" not in body["session_id"]:
                raise
            return 201, {"session_id": self.check(body["session_id"])}


@mutant(
    "wire.ids-are-one-segment",
    "POST refuses an id with an encoded slash and PUT does not",
)
class DecodesTwice(LiberalPlatform):
    def identify(self, segment: str) -> str:
        found = super().identify(segment)
        return unquote(found) if re.search("%(2F|3F)", found) else found

    async def post(self, body: Body) -> Reply:
        if isinstance(body.get("session_id"), str) and re.search("%(2F|3F)", body["session_id"]):
            raise Refused(400, "no id")
        return await super().post(body)


@mutant(
    "wire.ids-are-one-segment",
    "POST refuses an id with a slash and a route and GET does not",
)
class RoutesOnTheDecodedPath(PlainPlatform):
    """As servers hand the path over."""

    def segments(self, scope: Any) -> list[str]:
        return list(scope["path"].removeprefix("/").split("/"))


@mutant("wire.ids-are-one-segment", "POST takes an id with a question mark and PUT does not")
class PostTakesAnything(PlainPlatform):
    async def post(self, body: Body) -> Reply:
        session = body.get("session_id")
        if isinstance(session, str) and session not in self.rows:
            self.add(session)
            return 201, {"session_id": session}
        return await super().post(body)


@mutant("wire.ids-are-one-segment", "POST refuses an id with a capital letter and PUT does not")
class IgnoresCase(LiberalPlatform):
    def check(self, session: Any) -> str:
        found = super().check(session)
        small = found.lower()
        if found != small and small in self.rows:
            raise Refused(409, "taken")
        return found

    def identify(self, segment: str) -> str:
        found = super().identify(segment)
        return found.lower() if found.lower() in self.rows else found


@mutant("wire.ids-are-one-segment", "an id with NUL is answered 5xx")
class FailsAtNul(LiberalPlatform):
    def check(self, session: Any) -> str:
        if isinstance(session, str) and "\x00" in session:
            raise ValueError("a string literal cannot contain NUL (0x00) characters")
        return super().check(session)


@mutant("wire.ids-are-one-segment", "an id with a plus reaches another session")
class PlusMeansEverySession(LiberalPlatform):
    async def delete(self, session: str) -> Reply:
        if session.endswith("+"):
            for one in [one for one in self.rows if one.startswith(session[:-1])]:
                del self.rows[one]
            return 200, {}
        return await super().delete(session)


@mutant("wire.ids-are-one-segment", "GET answers another history for an id with a semicolon")
class ReadsCutAtASemicolon(LiberalPlatform):
    async def get(self, session: str) -> Reply:
        status, said = await super().get(session.partition(";")[0])
        return status, said | {"session_id": session}


@mutant("wire.ids-are-one-segment", "an id with a quote is answered as another")
class NamesAnother(LiberalPlatform):
    async def get(self, session: str) -> Reply:
        status, said = await super().get(session)
        return status, said | {"session_id": session.partition("'")[0]}


class Folding(LiberalPlatform):
    def folded(self, session: str) -> str:
        """Answer the id that the database keeps."""
        return session

    def row(self, session: str) -> Row:
        return super().row(self.folded(session))

    async def post(self, body: Body) -> Reply:
        given = body.get("session_id")
        if not isinstance(given, str):
            return await super().post(body)
        status, _ = await super().post({"session_id": self.folded(self.check(given))})
        return status, {"session_id": given}

    async def get(self, session: str) -> Reply:
        status, said = await super().get(self.folded(session))
        return status, said | {"session_id": session}

    async def put(self, session: str, body: Body) -> Reply:
        return await super().put(self.folded(session), body)

    async def delete(self, session: str) -> Reply:
        return await super().delete(self.folded(session))


@mutant("wire.ids-are-one-segment", "POST refuses an id with 65 characters and PUT does not")
class CutsLongIds(Folding):
    """As MySQL does where it is not strict."""

    def folded(self, session: str) -> str:
        return session[:64]


@mutant(
    "wire.ids-are-one-segment",
    "POST refuses an id with a letter of two code points and PUT does not",
)
class ComposesLetters(Folding):
    def folded(self, session: str) -> str:
        return unicodedata.normalize("NFC", session)


@mutant("wire.ids-are-one-segment", "an id with 300 characters is answered 5xx")
class FailsAtLongIds(LiberalPlatform):
    def add(self, session: str) -> Row:
        if len(session) > 255:
            raise ValueError("value too long for type character varying(255)")
        return super().add(session)


class Asking(PlainPlatform):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return False

    def let_in(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        if not self.is_let_in(method, headers.get(b"authorization", b"")):
            super().let_in(method, headers)


@mutant("wire.auth", "HEAD is answered with no token")
class ForgetsToAskForHead(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return method == "HEAD"


@mutant("wire.auth", "GET is answered with another scheme")
class LetsInEveryBasic(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return given.startswith(b"Basic")


@mutant("wire.auth", "GET is answered with a longer token")
class ComparesTheBeginning(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return given.startswith(f"Bearer {self.token}".encode())


@mutant("wire.auth", "GET is answered with the beginning of the token")
class ComparesWhatIsThere(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return len(given) > 10 and f"Bearer {self.token}".encode().startswith(given)


@mutant("wire.auth", "GET is answered with a wrong token")
class LetsInEveryToken(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return given == b"Bearer wrong-token"


@mutant("wire.auth", "GET answers 500, not 4xx")
class ComparesText(Asking):
    """`hmac.compare_digest` takes text, if it is ASCII."""

    def is_let_in(self, method: str, given: bytes) -> bool:
        if any(byte > 127 for byte in given):
            raise TypeError("comparing strings with non-ASCII characters is not supported")
        return False


@mutant("wire.auth", "GET is answered with a token past ASCII")
class CantReadTheToken(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return any(byte > 127 for byte in given)


@mutant("wire.auth", "GET answers 403, not 401")
class ForbidsInsteadOfAsking(PlainPlatform):
    def let_in(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        if b"authorization" not in headers:
            raise Refused(403, "not authenticated")
        super().let_in(method, headers)


@mutant("wire.auth", "GET answers 404, not 401")
class LooksBeforeItAsks(PlainPlatform):
    async def answer(self, scope: Any, body: bytes) -> Reply:
        *_, segment = self.segments(scope)
        if scope["method"] == "GET" and len(segment) == 36 and segment not in self.rows:
            raise Refused(404, "no such session")
        return await super().answer(scope, body)


@mutant("wire.auth", "GET is answered with a pattern for every token")
class ComparesByLike(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return given == b"Bearer %"


@mutant("wire.auth", "GET is answered with an empty token")
class LetsInTheEmptyToken(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return given == b"Bearer"


@mutant("wire.auth", "GET is answered with the token in capital letters")
class IgnoresTheCaseOfTokens(Asking):
    """As the usual collations of MySQL do."""

    def is_let_in(self, method: str, given: bytes) -> bool:
        return given.lower() == f"Bearer {self.token}".lower().encode()


@mutant("wire.auth", "POST answers 400, not 401")
class ReadsTheBodyBeforeItAsks(PlainPlatform):
    async def answer(self, scope: Any, body: bytes) -> Reply:
        if body:
            self.parse(body)
        return await super().answer(scope, body)


@mutant("wire.auth", "GET tells a token in its 401")
class TellsTheTokenItWants(PlainPlatform):
    def let_in(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        try:
            super().let_in(method, headers)
        except Refused as refused:
            raise Refused(refused.status, f"expected Bearer {self.token}") from None


@mutant("wire.auth", "GET reveals a message in its 401")
class TellsWhatIsDenied(PlainPlatform):
    async def answer(self, scope: Any, body: bytes) -> Reply:
        try:
            return await super().answer(scope, body)
        except Refused as refused:
            row = self.rows.get(self.segments(scope)[-1])
            if refused.status != 401 or row is None:
                raise
            return 401, {"error": "not yours", "of": json.loads(row.messages)}


@mutant("wire.auth", "a request with no token changes the session")
class WritesBeforeItAsks(PlainPlatform):
    async def answer(self, scope: Any, body: bytes) -> Reply:
        if scope["method"] == "PUT" and body == b'{"messages": []}':
            session = self.segments(scope)[-1]
            if session in self.rows:
                await self.put(session, {"messages": []})
        return await super().answer(scope, body)


@mutant("wire.auth", "POST with no token makes a session")
class MakesBeforeItAsks(PlainPlatform):
    async def answer(self, scope: Any, body: bytes) -> Reply:
        try:
            return await super().answer(scope, body)
        except Refused as refused:
            if refused.status == 401 and scope["method"] == "POST":
                await self.post(json.loads(body))
            raise


@mutant("wire.auth", "POST is answered with the right to read alone")
class ReadersMayWrite(Asking):
    def is_let_in(self, method: str, given: bytes) -> bool:
        return given == f"Bearer {self.reader}".encode()


@mutant("wire.auth", "GET answers 403, not 200")
class ReadersMayNotRead(PlainPlatform):
    """Asks for the right to write on every route."""

    def let_in(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        super().let_in("PUT", headers)


@mutant("wire.auth", "a request with the right to read alone changes the session")
class WritesBeforeItAsksForTheRight(PlainPlatform):
    """Looks who asks in the middle, and what he may do after the route."""

    async def answer(self, scope: Any, body: bytes) -> Reply:
        try:
            return await super().answer(scope, body)
        except Refused as refused:
            session = self.segments(scope)[-1]
            if refused.status == 403 and scope["method"] == "PATCH" and session in self.rows:
                await self.patch(session, json.loads(body))
            raise


@mutant("wire.oversize", "a PUT over the limit answers 400")
class TooLargeIsBad(PlainPlatform):
    def within(self, body: bytes) -> bytes:
        try:
            return super().within(body)
        except Refused:
            raise Refused(400, "too large") from None


@mutant("wire.oversize", "a PUT over the limit answers 201")
class StatesALimitAndHasNone(LiberalPlatform):
    def within(self, body: bytes) -> bytes:
        return body

    async def put(self, session: str, body: Body) -> Reply:
        return 201, (await super().put(session, body))[1]


@mutant("wire.oversize", "a PUT over the limit changes the session")
class StoresWhatFits(PlainPlatform):
    async def answer(self, scope: Any, body: bytes) -> Reply:
        if len(body) > self.limit:
            session = self.segments(scope)[-1]
            await self.put(session, {"messages": [{"content": "cut"}]})
            raise Refused(413, "too large")
        return await super().answer(scope, body)

    def within(self, body: bytes) -> bytes:
        return body


@mutant("wire.oversize", "a PUT over the limit in chunks answers 204")
class GoesByTheAnnouncedLength(PlainPlatform):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.length = int(dict(scope["headers"]).get(b"content-length", b"0"))
        await super().__call__(scope, receive, send)

    def within(self, body: bytes) -> bytes:
        if self.length > self.limit:
            raise Refused(413, "too large")
        return body


@mutant("wire.kept-connections-stay-in-step", "bytes follow the answer to a PUT")
class WritesABodyAfter204(KeepingPlatform):
    is_served = True

    async def put(self, session: str, body: Body) -> Reply:
        await super().put(session, body)
        return 204, {}


class Leaving(KeepingPlatform):
    """Refuses some requests by their head alone, and takes the body for the next request."""

    is_served = True

    def leaves(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Answer whether the body is left unread."""
        return False

    def is_left(self, scope: Any) -> bool:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        return self.leaves(scope["method"], scope["raw_path"].decode(), headers)


@mutant(
    "wire.kept-connections-stay-in-step",
    "GET on the connection of a PUT without a token answers 400",
)
class LeavesTheBodyUnread(Leaving):
    def leaves(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        return "authorization" not in headers


@mutant(
    "wire.kept-connections-stay-in-step",
    "GET on the connection of a PUT over the limit answers 4",
)
class LeavesALongBodyUnread(Leaving):
    """Goes by the announced length."""

    def leaves(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        return int(headers.get("content-length", 0)) > self.limit

    async def answer(self, scope: Any, body: bytes) -> Reply:
        if self.is_left(scope):
            raise Refused(413, "too large")
        return await super().answer(scope, body)


@mutant(
    "wire.kept-connections-stay-in-step",
    "GET on the connection of a PATCH of a missing session answers 4",
)
class LooksForTheSessionFirst(Leaving):
    def leaves(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        return method == "PATCH" and path.rpartition("/")[2] not in self.rows

    async def patch(self, session: str, body: Body) -> Reply:
        self.row(session)
        return await super().patch(session, body)

    def parse(self, body: bytes) -> Body:
        return super().parse(body or b"{}")


@mutant(
    "wire.kept-connections-stay-in-step",
    "GET on the connection of a PUT of an id with NUL answers 4",
)
class LeavesTheBodyOfAnOddId(Leaving):
    def leaves(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        return method == "PUT" and path.endswith("%00")


@mutant(
    "wire.kept-connections-stay-in-step",
    "GET on the connection of a PUT to a missing route answers 4",
)
class LeavesTheBodyOfAMissingRoute(Leaving):
    """Reads the body in the handler of a route, and there is none."""

    def leaves(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        return not path.startswith("/v1/sessions")


@mutant(
    "wire.kept-connections-stay-in-step",
    "GET on the connection of a POST to a missing route answers 4",
)
class LeavesThePostToAMissingRoute(Leaving):
    def leaves(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        return method == "POST" and not path.startswith("/v1/sessions")


@mutant(
    "wire.kept-connections-stay-in-step",
    "GET on the connection of a PUT in chunks answers 400",
)
class TakesChunksForNothing(Leaving):
    """Goes by Content-Length, and a body that announces none is empty."""

    def leaves(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        return headers.get("transfer-encoding") == "chunked"
