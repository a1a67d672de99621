"""The pages and events of the sample company's site and app, and how people move between them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from tidings.sample.company import APP, SITE, Floats, Ints
from tidings.sample.prices import PRODUCTS

PAGEVIEW = "pageview"


@dataclass(frozen=True)
class Step:
    """A page view or a named event on a page; `seconds` is the median time from it to the next step."""

    name: str
    event: str
    path: str
    host: str = SITE
    seconds: float = 40.0


def _page(name: str, path: str, seconds: float = 40.0, host: str = SITE) -> Step:
    return Step(name, PAGEVIEW, path, host, seconds)


_POSTS = (
    ("how-to-plan-a-quarter", 24),
    ("the-one-page-budget", 18),
    ("meetings-that-end", 14),
    ("numbers-without-drama", 11),
    ("template-or-tool", 9),
    ("working-in-the-open", 7),
    ("a-calm-inbox", 6),
    ("hiring-your-first-five", 5),
    ("why-we-charge-once", 4),
    ("year-in-review", 2),
)
_DOCS = (("start", 20), ("import", 12), ("api", 10), ("sharing", 7), ("billing", 5))
_FEATURES = ("board", "timeline", "report", "export", "share", "search", "assistant")

STEPS = (
    _page("home", "/", 30),
    _page("blog", "/blog", 20),
    _page("pricing", "/pricing", 45),
    _page("features", "/features", 40),
    _page("about", "/about", 30),
    _page("shop", "/shop", 25),
    _page("cart", "/cart", 30),
    _page("checkout_page", "/checkout", 60),
    _page("thanks", "/checkout/thanks", 25),
    _page("signup_page", "/signup", 50),
    _page("welcome", "/welcome", 20),
    *(_page(f"post:{name}", f"/blog/{name}", 110) for name, _ in _POSTS),
    *(_page(f"docs:{name}", f"/docs/{name}", 80) for name, _ in _DOCS),
    *(_page(f"product:{product.id}", f"/shop/{product.id}", 45) for product in PRODUCTS),
    *(
        _page(f"app:{name}", f"/{name}".replace("/dashboard", "/"), 60, APP)
        for name in ("dashboard", "projects", "reports")
    ),
    _page("app:settings", "/settings", 40, APP),
    Step("exposure", "experiment_viewed", "/", SITE, 2),
    Step("exposure_again", "experiment_viewed", "/", SITE, 2),
    Step("login", "login", "/login", APP, 4),
    Step("signup", "signup", "/signup", SITE, 3),
    Step("search", "search", "/search", SITE, 8),
    Step("subscribe", "newsletter_subscribed", "/blog", SITE, 15),
    Step("add_to_cart", "add_to_cart", "/shop", SITE, 12),
    Step("checkout", "checkout", "/cart", SITE, 4),
    Step("purchase", "purchase", "/checkout", SITE, 2),
    *(Step(f"feature:{name}", "feature_used", "/projects", APP, 35) for name in _FEATURES),
    Step("project", "project_created", "/projects", APP, 30),
    Step("invite", "invite_sent", "/settings", APP, 25),
    Step("sync", "sync_completed", "/projects", APP, 60),
)
NAMES = tuple(step.name for step in STEPS)
EVENTS = tuple(dict.fromkeys(step.event for step in STEPS))
NOTHING = -1

_PLACES = ("home", "blog", "post", "docs", "pricing", "features", "about", "shop", "product", "search", "subscribe",
           "add_to_cart", "cart", "checkout", "checkout_page")  # fmt: skip
# Row: the current place; column: the next one, in the order of _PLACES; the rest leaves.
_WEB = (
    (3, 8, 3, 4, 11, 14, 2, 15, 3, 1, 0, 0, 0, 0, 0),
    (3, 1, 48, 1, 2, 2, 0, 3, 0, 1, 0, 0, 0, 0, 0),
    (3, 7, 12, 1, 2, 3, 1, 4, 3, 0.6, 1.4, 0, 0, 0, 0),
    (2, 0, 1, 34, 5, 4, 0, 1, 0, 4, 0, 0, 0, 0, 0),
    (5, 0, 1, 5, 3, 14, 2, 12, 3, 0, 0, 0, 0, 0, 0),
    (5, 1, 1, 6, 24, 3, 2, 8, 2, 0, 0, 0, 0, 0, 0),
    (10, 6, 2, 0, 6, 8, 1, 4, 0, 0, 0, 0, 0, 0, 0),
    (3, 1, 0, 0, 2, 1, 0, 3, 54, 3, 0, 0, 0, 0, 0),
    (3, 1, 1, 0, 2, 1, 0, 14, 18, 1, 0, 13, 0, 0, 0),
    (0, 0, 8, 16, 0, 4, 0, 4, 42, 0, 0, 0, 0, 0, 0),
    (4, 10, 30, 0, 2, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 12, 12, 0, 0, 0, 62, 0, 0),
    (1, 0, 0, 0, 1, 0, 0, 9, 5, 0, 0, 0, 2, 46, 0),
    (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 90),
    (0, 0, 0, 1, 2, 0, 0, 3, 2, 0, 0, 0, 6, 0, 0),
)
_LANDINGS = {
    "home": (70, 1, 3, 6, 7, 5, 1, 5, 2, 0, 0, 0, 0, 0, 0),
    "content": (9, 4, 52, 17, 3, 5, 0, 3, 7, 0, 0, 0, 0, 0, 0),
    "shop": (10, 0, 2, 0, 3, 1, 0, 56, 28, 0, 0, 0, 0, 0, 0),
    "product": (12, 0, 4, 1, 5, 8, 0, 14, 56, 0, 0, 0, 0, 0, 0),
}
_ROOMS = ("app:dashboard", "app:projects", "app:reports", "app:settings", "feature", "project", "invite", "sync")
_APP = (
    (3, 42, 18, 6, 12, 0, 0, 0),
    (4, 6, 6, 2, 58, 6, 0, 3),
    (8, 14, 6, 1, 44, 0, 0, 0),
    (10, 18, 4, 3, 0, 0, 12, 0),
    (3, 16, 9, 2, 48, 2, 0, 2),
    (0, 20, 0, 0, 62, 0, 6, 0),
    (6, 30, 0, 10, 0, 0, 20, 0),
    (2, 10, 4, 0, 20, 0, 0, 24),
)
_APP_LANDING = (64, 18, 6, 2, 0, 0, 0, 10)
_BUYING = ("add_to_cart", "cart", "checkout", "checkout_page")
MOST = 11


def at(name: str) -> int:
    """Position of a step."""
    return NAMES.index(name)


@functools.cache
def paths() -> tuple[str, ...]:
    """Every path, once."""
    return tuple(dict.fromkeys(step.path for step in STEPS))


def walk(rng: np.random.Generator, landing: str, count: int) -> Ints:
    """Steps of `count` visits that land at `home`, `content`, `shop`, `product` or in the `app`: a table visit x step.

    A visit that has ended continues with `NOTHING`.
    """
    in_app = landing == "app"
    moves = _shares(_APP if in_app else _WEB)
    begin = np.array(_APP_LANDING if in_app else _LANDINGS[landing], float)
    kinds = _ROOMS if in_app else _PLACES
    walked = np.full((count, MOST), NOTHING, np.int64)
    active = np.arange(count)
    place = _draw(rng, np.broadcast_to(np.cumsum(begin / begin.sum()), (count, len(kinds))))
    for step in range(MOST):
        walked[active, step] = _steps(rng, kinds, place)
        place = _draw(rng, moves[place])
        goes_on = place < len(kinds)
        active, place = active[goes_on], place[goes_on]
    return walked


def without_buying(walked: Ints, longest: int) -> Ints:
    """The first steps of visits, without those that prepare a purchase."""
    buying = [at(name) for name in _BUYING]
    shortened = walked[:, :longest]
    return np.where(np.isin(shortened, buying), NOTHING, shortened)


def _shares(rows: tuple[tuple[float, ...], ...]) -> Floats:
    """Cumulative shares of each row; what is missing to 100 leaves."""
    return np.cumsum(np.array(rows, float) / 100, axis=1)


def _draw(rng: np.random.Generator, edges: Floats) -> Ints:
    return np.asarray((rng.random(len(edges))[:, None] >= edges).sum(axis=1), np.int64)


def _steps(rng: np.random.Generator, kinds: tuple[str, ...], place: Ints) -> Ints:
    """The step at each place; of several pages of a kind one by its weight."""
    found = np.empty(len(place), np.int64)
    for n, kind in enumerate(kinds):
        rows = np.flatnonzero(place == n)
        choices, weights = _members(kind)
        edges = np.cumsum(weights) / np.sum(weights)
        found[rows] = np.array(choices)[np.searchsorted(edges[:-1], rng.random(len(rows)), side="right")]
    return found


@functools.cache
def _members(kind: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    groups: dict[str, dict[str, float]] = {
        "post": dict(_POSTS),
        "docs": dict(_DOCS),
        "product": {product.id: product.weight for product in PRODUCTS},
        "feature": dict.fromkeys(_FEATURES, 1.0),
    }
    if kind not in groups:
        return (at(kind),), (1.0,)
    weights = groups[kind]
    return tuple(at(f"{kind}:{name}") for name in weights), tuple(float(weight) for weight in weights.values())
