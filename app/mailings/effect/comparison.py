"""Two sides and what they prove: the same for a mailing, a journey and a season."""

from __future__ import annotations

from dataclasses import dataclass

from app.mailings.effect.proof import Difference, Side, difference_of_means, difference_of_rates


@dataclass(frozen=True, slots=True)
class Comparison:
    """Who was treated against the control group: the difference of their rates, and of what each spent."""

    treated: Side
    control: Side
    rates: Difference
    money: Difference

    @property
    def extra(self) -> tuple[int, int] | None:
        """Between how many and how many more people did it because of it; None where that is not proven."""
        if self.rates.verdict not in {"more", "less"} or self.rates.low is None or self.rates.high is None:
            return None
        return round(self.rates.low * self.treated.people), round(self.rates.high * self.treated.people)


def compared(treated: Side, control: Side, *, is_watched: bool) -> Comparison:
    """Compare two sides; ``is_watched``: somebody may look at any moment, and not only at the end."""
    rates = difference_of_rates(treated, control, is_watched=is_watched)
    return Comparison(treated, control, rates, difference_of_means(treated, control))
