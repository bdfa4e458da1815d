"""What tokens cost: a table of prices, and the dollars of a session's totals by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from reference_backends.figures import Tokens, Totals


@dataclass(frozen=True)
class Price:
    """Dollars for 1,000 tokens of one model. Without a price of their own, cached ones are prompt.

    Decimal, or what is written as one: a float like 0.1 is taken as it is printed.
    """

    prompt: Decimal | float | str
    completion: Decimal | float | str
    cached: Decimal | float | str | None = None

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if value is not None and not (_exact(value).is_finite() and _exact(value) >= 0):
                raise ValueError(f"{value!r} is no sum of money")

    def of(self, tokens: Tokens) -> Decimal:
        """Answer the dollars for these tokens."""
        # A provider that reports more cached than input tokens must not get a discount for it.
        cached = min(tokens.cached_tokens, tokens.input_tokens)
        cached_price = self.prompt if self.cached is None else self.cached
        return (
            (tokens.input_tokens - cached) * _exact(self.prompt)
            + cached * _exact(cached_price)
            + tokens.output_tokens * _exact(self.completion)
        ) / 1000


@dataclass(frozen=True)
class Bill:
    """Dollars, and the tokens that no price was known for."""

    dollars: Decimal
    unpriced: Tokens


def bill(totals: Totals, prices: Mapping[str, Price]) -> Bill:
    """Price each model's tokens at that model's price."""
    dollars, priced = Decimal(0), Tokens()
    for model, tokens in totals.models.items():
        if model in prices:
            dollars += prices[model].of(tokens)
            priced += tokens
    return Bill(dollars, totals.tokens - priced)


def _exact(value: Decimal | float | str) -> Decimal:
    try:
        return value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is no sum of money") from None
