"""How sending fails: one error for every kind of contact. It never carries an address, which may hold secrets."""

from __future__ import annotations


class DeliveryError(Exception):
    """A notice did not get there. why: of words.WHY, "word" or "word:detail".

    permanent: the same would happen again, so it is not tried again. contacts: and the contact is to blame, not the
    hub's own settings. retry_after: seconds that the receiver asks to wait.
    """

    def __init__(
        self, why: str, *, permanent: bool = False, contacts: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(why)
        self.why, self.permanent, self.contacts, self.retry_after = why, permanent, contacts, retry_after
