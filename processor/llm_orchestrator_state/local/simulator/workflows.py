"""The workflows that simulated orchestrators run, and the stories of their runs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from .story import Beat, Call, Fate, Model, Over, Trouble
from .storyteller import Storyteller
from .texts import CLAIMS, CUSTOMERS, FILES, MEETINGS, QUESTIONS, REVIEWS, SUPPLIERS, TICKETS, USERS

LARGE = Model("gpt-4o", 2.5, 10.0, 0.012)
SMALL = Model("gpt-4o-mini", 0.15, 0.6, 0.006)
CLAUDE = Model("claude-sonnet-4", 3.0, 15.0, 0.014)

RATE_LIMIT = Trouble("429: rate limit reached for gpt-4o on tokens per min (limit 450000)", "RateLimitError")
OVERLOADED = Trouble("529: the model is overloaded, try again later", "OverloadedError")
NO_ANSWER = Trouble("no answer within 20 s", "timed_out")
BAD_JSON = Trouble("output is no valid JSON: expected ',' at line 1 column 412", "OutputValidationError", billed=True)
TOO_LONG = Trouble("prompt is 131208 tokens long, the model takes at most 128000", "ContextLengthExceeded")
TOOL_TIMEOUT = Trouble("tool did not answer within 10 s", "ToolTimeout")
TOOL_503 = Trouble("503 Service Unavailable from upstream", "ToolError")
NO_CONNECTION = Trouble("connection reset by peer", "APIConnectionError")

OF_MODELS = (RATE_LIMIT, RATE_LIMIT, OVERLOADED, NO_ANSWER, BAD_JSON)
OF_TOOLS = (TOOL_TIMEOUT, TOOL_503, NO_CONNECTION)

SURE = 0.7
"""Confidence with which a reply goes out unread."""

APPROVAL_LIMIT = 7000
"""EUR."""

Outputs = Callable[[Random], dict[str, Any]]


def _model(
    step: str, model: Model, tokens_in: tuple[int, int], tokens_out: tuple[int, int], outputs: Outputs,
    flaky: float = 0.03, troubles: tuple[Trouble, ...] = OF_MODELS,
) -> Call:  # fmt: skip
    return Call(step, (0.3, 0.9), outputs, model, (tokens_in, tokens_out), None, troubles, flaky)


def _tool(
    step: str, least_s: float, most_s: float, outputs: Outputs, inputs: Outputs | None = None, flaky: float = 0.02
) -> Call:
    return Call(step, (least_s, most_s), outputs, inputs=inputs, troubles=OF_TOOLS, flaky=flaky)


# --- support-triage ---------------------------------------------------------------------------------------------------


def support_triage(teller: Storyteller) -> None:
    rng = teller.rng
    ticket, (subject, label, reply) = f"T-{rng.randint(2000, 9999)}", rng.choice(TICKETS)
    customer = rng.choice(CUSTOMERS)
    context = {
        "ticket": ticket,
        "subject": subject,
        "channel": rng.choice(("email", "chat", "web")),
        "model": LARGE.name,
    }
    teller.begin("support-triage", "Support triage", rng.choice(USERS), context, {"team": "support", "env": "prod"})
    confidence = round(rng.uniform(0.55, 0.99), 3)
    teller.call(_model("classify", SMALL, (400, 2400), (8, 20), lambda _: {"label": label, "confidence": confidence}))
    teller.branches([
        (_tool("lookup", 0.05, 0.4, lambda r: {"customer": customer, "open_tickets": r.randint(0, 4)}), "crm"),
        (_tool("lookup", 0.1, 0.9, lambda r: {"charges": r.randint(0, 3), "currency": "EUR"}), "billing"),
        (_tool("lookup", 0.1, 0.6, lambda r: {"articles": [f"KB-{r.randint(100, 480)}"]}), "kb"),
    ])  # fmt: skip
    teller.update({"label": label, "customer": customer})
    teller.call(_model("draft_reply", LARGE, (1800, 5200), (60, 240), lambda _: {"content": reply}, 0.05))
    if confidence < SURE:
        teller.approval("draft_reply", f"{ticket}: a person reads the reply first", "the reply was refused")
    teller.call(_tool("send_reply", 0.1, 0.5, lambda _: {"message_id": f"m-{ticket.lower()}"}, flaky=0.03))


# --- research-agent ---------------------------------------------------------------------------------------------------


def research_agent(teller: Storyteller, *, checked: bool = False) -> None:
    """A loop of thinking and searching, until there is enough. checked: a sub-workflow checks the answer."""
    rng = teller.rng
    question, topic, answer = rng.choice(QUESTIONS)
    rounds = rng.randint(1, 3)
    context = {"question": question, "max_rounds": rounds, "model": CLAUDE.name}
    teller.begin("research-agent", "Research agent", rng.choice(USERS), context, {"team": "research", "env": "prod"})
    teller.call(_model("plan", CLAUDE, (900, 2600), (80, 200), lambda _: {"subject": topic, "rounds": rounds}))
    think = _model("think", CLAUDE, (1500, 9000), (90, 320), lambda r: {"query": f"{topic} {r.randint(2019, 2026)}"})
    for number in range(1, rounds + 1):
        teller.call(think, str(number))
        teller.branches([(_searched(topic, source), f"{source}-{number}") for source in ("web", "papers", "issues")])
        teller.update({"round": number, "sources": 3 * number})
    if checked:
        teller.delegate("fact_check", fact_check, lambda r: {"supported": r.randint(3, 5)})
    elif teller.chance(0.3):
        teller.skip("fact_check", "only asked for in long reports")
    answered = _model(
        "synthesise",
        CLAUDE,
        (6000, 28000),
        (300, 900),
        lambda _: {"answer": answer, "sources": 3 * rounds},
        0.05,
        (*OF_MODELS, TOO_LONG),
    )
    teller.call(answered)


def _searched(topic: str, source: str) -> Call:
    return _tool(
        "search", 0.4, 2.8, lambda r: {"hits": r.randint(0, 9), "best": f"{source}: {topic}"},
        lambda _: {"query": topic, "top_k": 8}, 0.06,
    )  # fmt: skip


def fact_check(teller: Storyteller) -> None:
    rng = teller.rng
    claims = rng.sample(CLAIMS, rng.randint(2, 4))
    context = {"claims": len(claims), "model": SMALL.name}
    teller.begin("fact-check", "Fact check", "research-agent", context, {"team": "research", "env": "prod"})
    teller.call(_model("split_claims", SMALL, (800, 2000), (60, 160), lambda _: {"claims": claims}))
    check = _model("check", SMALL, (1200, 4000), (30, 90), lambda r: {"supported": bool(r.randrange(10))}, 0.04)
    teller.branches([(check, str(number)) for number in range(1, len(claims) + 1)])
    teller.call(_model("verdict", LARGE, (900, 1800), (40, 120), lambda _: {"verdict": "supported"}, 0.02, (BAD_JSON,)))


# --- code-review ------------------------------------------------------------------------------------------------------


def code_review(teller: Storyteller) -> None:
    rng = teller.rng
    number, files = rng.randint(310, 990), rng.sample(FILES, rng.randint(2, 5))
    context = {"repository": rng.choice(("payments-api", "web-shop", "ledger")), "pull_request": number}
    teller.begin("code-review", "Code review", rng.choice(USERS), context, {"team": "platform", "env": "prod"})
    teller.call(_tool("fetch_diff", 0.2, 1.2, lambda r: {"files": len(files), "lines": r.randint(20, 900)}))
    teller.branches([(_reviewed(), file) for file in files])
    tests = _tool("run_tests", 6, 24, lambda r: {"passed": r.randint(180, 420), "failed": 0}, flaky=0.08)
    teller.call(tests)
    teller.call(
        _model(
            "summarise",
            CLAUDE,
            (2500, 7000),
            (120, 380),
            lambda r: {"verdict": r.choice(("approve", "request_changes"))},
        )
    )
    teller.call(_tool("post_comment", 0.2, 0.7, lambda r: {"comment": r.randint(10**6, 10**7)}))


def _reviewed() -> Call:
    return _model(
        "review", CLAUDE, (1200, 14000), (60, 420), lambda r: {"findings": r.sample(REVIEWS, r.randint(0, 2))}, 0.07
    )


# --- invoice-extraction -----------------------------------------------------------------------------------------------


def invoice_extraction(teller: Storyteller) -> None:
    rng = teller.rng
    pages, total = rng.randint(1, 4), round(rng.uniform(80, 9000), 2)
    supplier, number = rng.choice(SUPPLIERS), rng.randint(100, 999)
    context = {"file": f"inv-2026-{number}.pdf", "pages": pages, "supplier": supplier}
    teller.begin("invoice-extraction", "Invoice extraction", "accounting", context, {"team": "finance", "env": "prod"})
    teller.announce("validate", "book")
    teller.branches([(_extracted(), f"page-{page}") for page in range(1, pages + 1)])
    valid = teller.chance(0.85)
    teller.call(_tool("validate", 0.05, 0.2, lambda _: {"total": total, "ok": valid}, flaky=0.01))
    if not valid:
        teller.call(
            _model("repair", LARGE, (2200, 5000), (120, 260), lambda _: {"total": total}, 0.1, (BAD_JSON, RATE_LIMIT))
        )
    if total > APPROVAL_LIMIT:
        teller.approval(
            "validate",
            f"{total:.2f} EUR to {supplier} is above the limit of {APPROVAL_LIMIT} EUR",
            "not booked: the amount is disputed",
        )
    if teller.chance(0.05):
        teller.skip("book", "this invoice was booked before")
    else:
        teller.call(_tool("book", 0.2, 1.5, lambda _: {"entry": f"2026/{4000 + number}"}, flaky=0.05))


def _extracted() -> Call:
    return _model("extract", LARGE, (1600, 2600), (90, 260), lambda r: {"lines": r.randint(1, 14)}, 0.05)


# --- meeting-notes ----------------------------------------------------------------------------------------------------


def meeting_notes(teller: Storyteller) -> None:
    rng = teller.rng
    meeting, parts = rng.choice(MEETINGS), rng.randint(2, 4)
    context = {"recording": f"rec-{rng.randint(1000, 9999)}.m4a", "meeting": meeting}
    teller.begin("meeting-notes", "Meeting notes", rng.choice(USERS), context, {"team": "office", "env": "prod"})
    teller.call(_tool("transcribe", 8, 32, lambda _: {"minutes": 9 * parts, "language": "en"}, flaky=0.03))
    part = _model("summarise", SMALL, (3000, 8000), (120, 300), lambda r: {"decisions": r.randint(0, 3)})
    for number in range(1, parts + 1):
        teller.call(part, str(number))
    teller.call(_model("merge", LARGE, (1200, 3000), (200, 500), lambda _: {"title": meeting, "sections": parts}))
    teller.call(_tool("send_mail", 0.2, 0.8, lambda r: {"recipients": r.randint(3, 12)}))


# --- stories ----------------------------------------------------------------------------------------------------------

_SINGLE = (support_triage, research_agent, code_review, invoice_extraction, meeting_notes)
_SINGLE_WEIGHTS = (36, 16, 18, 20, 10)

_FATES = {
    Fate.COMPLETES: 870, Fate.FAILS: 40, Fate.IS_RESCUED: 18, Fate.IS_CANCELLED: 18, Fate.TIMES_OUT: 12,
    Fate.HANGS: 10, Fate.WAITS: 24, Fate.STAYS_QUEUED: 8,
}  # fmt: skip


class Story(NamedTuple):
    """What happens to one run, and to its sub-workflow where it has one.

    beats: in order of time.
    """

    runs: int
    beats: list[Beat]


def story(rng: Random, *, with_child: bool) -> Story:
    """One that chance makes up."""
    teller = Storyteller(rng, [])
    teller.fate = rng.choices(list(_FATES), list(_FATES.values()))[0]
    teller.calls_to_fate = rng.randint(1, 4)
    if with_child:
        # its sub-workflow is to come to be, also where the run has a sad end
        teller.fate, teller.calls_to_fate = Fate.COMPLETES, 0
    try:
        if with_child:
            research_agent(teller, checked=True)
        else:
            rng.choices(_SINGLE, _SINGLE_WEIGHTS)[0](teller)
        teller.complete()
    except Over:
        pass
    teller.beats.sort(key=lambda beat: beat.at)
    return Story(2 if with_child else 1, teller.beats)
