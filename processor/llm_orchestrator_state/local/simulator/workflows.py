"""The workflows that simulated orchestrators run."""

from __future__ import annotations

from .calls import BAD_JSON, LARGE, OF_MODELS, RATE_LIMIT, REASONER, SMALL, TOO_LONG, model_call, tool_call
from .story import Call
from .storyteller import Storyteller
from .texts import CLAIMS, CUSTOMERS, FILES, MEETINGS, QUESTIONS, REPOSITORIES, REVIEWS, SUPPLIERS, TICKETS, USERS

SURE = 0.7
"""Confidence with which a reply goes out unread."""

APPROVAL_LIMIT = 7000
"""EUR."""


def _labels(team: str) -> dict[str, str]:
    return {"team": team, "env": "prod"}


def support_triage(teller: Storyteller) -> None:
    """A reply that is not sure waits for a person."""
    rng = teller.rng
    ticket, (subject, label, reply) = f"T-{rng.randint(2000, 9999)}", rng.choice(TICKETS)
    customer, confidence = rng.choice(CUSTOMERS), round(rng.uniform(0.55, 0.99), 3)
    context = {"ticket": ticket, "subject": subject, "channel": rng.choice(("email", "chat", "web"))}
    teller.begin("support-triage", "Support triage", rng.choice(USERS), context, _labels("support"))
    found = {"label": label, "confidence": confidence}
    teller.call(model_call("classify", SMALL, f"Classify: {subject}", (400, 2400), (8, 20), lambda _: found))
    teller.branches([
        (tool_call("lookup", 0.05, 0.4, lambda r: {"customer": customer, "open_tickets": r.randint(0, 4)}), "crm"),
        (tool_call("lookup", 0.1, 0.9, lambda r: {"charges": r.randint(0, 3), "currency": "EUR"}), "billing"),
        (tool_call("lookup", 0.1, 0.6, lambda r: {"articles": [f"KB-{r.randint(100, 480)}"]}), "kb"),
    ])  # fmt: skip
    teller.update({"label": label, "customer": customer})
    prompt = f"Answer politely: {subject}"
    draft = model_call("draft_reply", LARGE, prompt, (1800, 5200), (60, 240), lambda _: {"content": reply}, flaky=0.05)
    teller.call(draft)
    if confidence < SURE:
        teller.approval("draft_reply", f"{ticket}: a person reads the reply first", "the reply was refused")
    teller.call(tool_call("send_reply", 0.1, 0.5, lambda _: {"message_id": f"m-{ticket.lower()}"}, flaky=0.03))


def research_agent(teller: Storyteller, *, checked: bool = False) -> None:
    """A loop of thinking and searching. checked: a sub-workflow checks the answer."""
    rng = teller.rng
    question, topic, answer = rng.choice(QUESTIONS)
    rounds = rng.randint(1, 3)
    context = {"question": question, "max_rounds": rounds, "model": REASONER.name}
    teller.begin("research-agent", "Research agent", rng.choice(USERS), context, _labels("research"))
    plan = {"topic": topic, "rounds": rounds}
    teller.call(model_call("plan", REASONER, f"Plan how to answer: {question}", (900, 2600), (80, 200), lambda _: plan))
    think = model_call(
        "think", REASONER, f"What is still unknown about {topic}?", (1500, 9000), (90, 320),
        lambda r: {"query": f"{topic} {r.randint(2019, 2026)}"},
    )  # fmt: skip
    for number in range(1, rounds + 1):
        teller.call(think, str(number))
        teller.branches([(_search(topic, source), f"{source}-{number}") for source in ("web", "papers", "issues")])
        teller.update({"round": number, "sources": 3 * number})
    if checked:
        teller.delegate("fact_check", fact_check, lambda r: {"supported": r.randint(3, 5)})
    elif teller.chance(0.3):
        teller.skip("fact_check", "only asked for in long reports")
    result = {"answer": answer, "sources": 3 * rounds}
    teller.call(model_call(
        "synthesise", REASONER, f"Answer with sources: {question}", (6000, 28000), (300, 900), lambda _: result,
        flaky=0.05, troubles=(*OF_MODELS, TOO_LONG),
    ))  # fmt: skip


def _search(topic: str, source: str) -> Call:
    return tool_call(
        "search", 0.4, 2.8, lambda r: {"hits": r.randint(0, 9), "best": f"{source}: {topic}"},
        inputs=lambda _: {"query": topic, "top_k": 8}, flaky=0.06,
    )  # fmt: skip


def fact_check(teller: Storyteller) -> None:
    """The sub-workflow of research."""
    rng = teller.rng
    claims = rng.sample(CLAIMS, rng.randint(2, 4))
    context = {"claims": len(claims), "model": SMALL.name}
    teller.begin("fact-check", "Fact check", "research-agent", context, _labels("research"))
    prompt = "List the claims of this text."
    teller.call(model_call("split_claims", SMALL, prompt, (800, 2000), (60, 160), lambda _: {"claims": claims}))
    check = model_call(
        "check", SMALL, "Do the sources support this claim?", (1200, 4000), (30, 90),
        lambda r: {"supported": bool(r.randrange(10))}, flaky=0.04,
    )  # fmt: skip
    teller.branches([(check, str(number)) for number in range(1, len(claims) + 1)])
    teller.call(model_call(
        "verdict", LARGE, "Sum up as JSON.", (900, 1800), (40, 120), lambda _: {"verdict": "supported"}, flaky=0.02,
        troubles=(BAD_JSON,),
    ))  # fmt: skip


def code_review(teller: Storyteller) -> None:
    """A branch for each file, and a long tool call that heartbeats."""
    rng = teller.rng
    number, files = rng.randint(310, 990), rng.sample(FILES, rng.randint(2, 5))
    context = {"repository": rng.choice(REPOSITORIES), "pull_request": number}
    teller.begin("code-review", "Code review", rng.choice(USERS), context, _labels("platform"))
    diff = tool_call("fetch_diff", 0.2, 1.2, lambda r: {"files": len(files), "lines": r.randint(20, 900)})
    teller.call(diff)
    review = model_call(
        "review", REASONER, "Review this file. Name only what must change.", (1200, 14000), (60, 420),
        lambda r: {"findings": r.sample(REVIEWS, r.randint(0, 2))}, flaky=0.07,
    )  # fmt: skip
    teller.branches([(review, file) for file in files])
    teller.call(tool_call("run_tests", 6, 24, lambda r: {"passed": r.randint(180, 420), "failed": 0}, flaky=0.08))
    teller.call(model_call(
        "summarise", REASONER, "Sum up the findings for the author.", (2500, 7000), (120, 380),
        lambda r: {"verdict": r.choice(("approve", "request_changes"))},
    ))  # fmt: skip
    teller.call(tool_call("post_comment", 0.2, 0.7, lambda r: {"comment": r.randint(10**6, 10**7)}))


def invoice_extraction(teller: Storyteller) -> None:
    """Steps that are announced, and a large amount that waits for a person."""
    rng = teller.rng
    pages, total = rng.randint(1, 4), round(rng.uniform(80, 9000), 2)
    supplier, number = rng.choice(SUPPLIERS), rng.randint(100, 999)
    context = {"file": f"inv-2026-{number}.pdf", "pages": pages, "supplier": supplier}
    teller.begin("invoice-extraction", "Invoice extraction", "accounting", context, _labels("finance"))
    teller.announce("validate", "book")
    extract = model_call(
        "extract", LARGE, "Extract all lines as JSON.", (1600, 2600), (90, 260), lambda r: {"lines": r.randint(1, 14)},
        flaky=0.05,
    )  # fmt: skip
    teller.branches([(extract, f"page-{page}") for page in range(1, pages + 1)])
    valid = teller.chance(0.85)
    teller.call(tool_call("validate", 0.05, 0.2, lambda _: {"total": total, "ok": valid}, flaky=0.01))
    if not valid:
        teller.call(model_call(
            "repair", LARGE, "The lines do not add up. Read the totals again.", (2200, 5000), (120, 260),
            lambda _: {"total": total}, flaky=0.1, troubles=(BAD_JSON, RATE_LIMIT),
        ))  # fmt: skip
    if total > APPROVAL_LIMIT:
        reason = f"{total:.2f} EUR to {supplier} is above the limit of {APPROVAL_LIMIT} EUR"
        teller.approval("validate", reason, "not booked: the amount is disputed")
    if teller.chance(0.05):
        teller.skip("book", "this invoice was booked before")
    else:
        teller.call(tool_call("book", 0.2, 1.5, lambda _: {"entry": f"2026/{4000 + number}"}, flaky=0.05))


def meeting_notes(teller: Storyteller) -> None:
    """A loop over the parts of a recording."""
    rng = teller.rng
    meeting, parts = rng.choice(MEETINGS), rng.randint(2, 4)
    context = {"recording": f"rec-{rng.randint(1000, 9999)}.m4a", "meeting": meeting}
    teller.begin("meeting-notes", "Meeting notes", rng.choice(USERS), context, _labels("office"))
    teller.call(tool_call("transcribe", 8, 32, lambda _: {"minutes": 9 * parts, "language": "en"}, flaky=0.03))
    part = model_call(
        "summarise", SMALL, "Sum up this part of the meeting.", (3000, 8000), (120, 300),
        lambda r: {"decisions": r.randint(0, 3)},
    )  # fmt: skip
    for number in range(1, parts + 1):
        teller.call(part, str(number))
    teller.call(model_call(
        "merge", LARGE, f"Make one page of notes: {meeting}", (1200, 3000), (200, 500),
        lambda _: {"title": meeting, "sections": parts},
    ))  # fmt: skip
    teller.call(tool_call("send_mail", 0.2, 0.8, lambda r: {"recipients": r.randint(3, 12)}))
