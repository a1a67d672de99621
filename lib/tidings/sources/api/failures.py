"""What went wrong in a pull of an API, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tidings.errors import ResponseError, SourceError

CHANGED = "The API has changed, or base_url is wrong"
_REPORTED = 5


def together(failed: Sequence[SourceError]) -> SourceError:
    """Several failures as one error with a sentence for each of the first few; a single one keeps its type."""
    if len(failed) == 1:
        return failed[0]
    reported = list(dict.fromkeys(error.failed for error in failed))
    more = f" And {len(reported) - _REPORTED} more." if len(reported) > _REPORTED else ""
    remedies = " ".join(dict.fromkeys(error.remedy for error in failed if error.remedy))
    return SourceError(" ".join(reported[:_REPORTED]) + more, remedies)


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Inside, an unexpected error means that a response has an unknown form, and is reported as that: it is not the
    user's fault.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        field = isinstance(error, KeyError) and error.args
        reported = f"the field {error.args[0]!r} is missing" if field else f"{error} ({type(error).__name__})"
        raise ResponseError(
            f"{what} has a form that Tidings does not know: {reported}.",
            f"{CHANGED}; look for a newer version of Tidings.",
        ) from error
