"""Words for simulated runs."""

from __future__ import annotations

USERS = ("mara.lindqvist", "tom.okafor", "ines.moreau", "yuki.tanaka", "daniel.weiss", "priya.nair", "lena.horvat")
CUSTOMERS = ("Nordlicht Optik", "Baker & Sons", "Cafe Moreau", "Atlas Freight", "Hillside School", "Veltro Bikes")
SUPPLIERS = ("Papier Huber", "CloudNine Hosting", "Bluefin Logistics", "Kessler Tools", "Aqua Office Water")

TICKETS = (
    ("Cannot log in after changing my phone", "account", "You can register the new phone under Settings, Security."),
    ("Charged twice for the January plan", "billing", "Two identical charges were made; one of them is refunded."),
    ("Export to CSV stops at 10,000 rows", "bug", "The limit is lifted with today's release; please try again."),
    ("How do I add a colleague to our workspace?", "how_to", "Open Members, choose Invite and enter the address."),
    (
        "Webhook signature does not verify",
        "integration",
        "Sign the raw body: most frameworks parse it before you see it.",
    ),
    ("Please delete my data", "privacy", "Your request is recorded; deletion is complete within 30 days."),
    ("Invoices show the old company name", "billing", "The new name is on every invoice from this month on."),
    ("Search finds nothing in French documents", "bug", "The French index was rebuilt; new results appear now."),
)
"""Subject, label and reply."""

QUESTIONS = (
    (
        "How do HNSW and IVF compare for 10 million vectors?",
        "vector index",
        "HNSW answers faster and needs more memory.",
    ),
    (
        "What changes for consumers with KIP-848?",
        "kip-848",
        "The broker computes assignments; rebalances no longer stop all.",
    ),
    ("Which EU rules apply to a support chatbot?", "ai act chatbot", "Users must be told that they talk to a machine."),
    (
        "Is prompt caching worth it at 2,000 calls a day?",
        "prompt caching",
        "Yes, where the shared prefix exceeds 1,000 tokens.",
    ),
    (
        "What do studies say about four-day weeks?",
        "four-day week",
        "Output stayed level in most trials; sick days fell.",
    ),
    ("How long do lithium cells last at 45 degrees?", "battery ageing", "About half of their cycles at 25 degrees."),
)
"""Question, subject and answer."""

CLAIMS = (
    "HNSW needs more memory than IVF", "recall is above 0.95 at ef=128", "building IVF takes a tenth of the time",
    "the index fits into 64 GB", "latency stays below 20 ms", "updates need no rebuild",
)  # fmt: skip

FILES = (
    "api/handlers.py", "api/auth.py", "core/ledger.py", "core/rounding.py", "web/cart.ts", "web/checkout.ts",
    "jobs/refunds.py", "tests/test_ledger.py",
)  # fmt: skip

REVIEWS = (
    "the error is swallowed here", "amounts are compared as floats", "no test covers the empty cart",
    "this query runs once a row", "the lock is not released on return", "naming: two things are called order",
)  # fmt: skip

MEETINGS = ("Weekly planning", "Incident review", "Roadmap Q2", "Supplier call", "Design critique")
REPOSITORIES = ("payments-api", "web-shop", "ledger")
