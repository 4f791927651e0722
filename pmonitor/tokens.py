"""Users' tokens for programs: `Authorization: Bearer pmu_…`. A token may what its user may."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from pmonitor import access, rows, secrets
from pmonitor.models import ApiToken
from pmonitor.rows import Columns

USED_EVERY = timedelta(minutes=1)  # how exactly last_used_at is kept
TOKEN, PERSON = Columns(ApiToken, "token"), Columns(User, "person")
# Every call of a program begins with this: token, user and the groups that give the role, as they are now.
FIND = f"""
SELECT {TOKEN}, {PERSON}, ARRAY(
    SELECT name FROM auth_group JOIN auth_user_groups ON group_id = auth_group.id WHERE user_id = person.id
)
FROM pmonitor_apitoken token JOIN auth_user person ON person.id = token.user_id
WHERE token.prefix = %(prefix)s
"""  # noqa: S608 - the names of the models' columns


def new(user: User, name: str = "") -> str:
    """Make a token for a user; returned here once, only its hash is kept."""
    token, prefix, hashed = secrets.new("pmu")
    ApiToken.objects.create(user=user, name=name, prefix=prefix, hash=hashed)
    return token


def find(token: str) -> ApiToken | None:
    """The row of a token whose user is active, else None."""
    if not (token.isascii() and token.isprintable()):
        return None  # a NUL would be an error of the database
    row = _row(token[: secrets.PREFIX_LENGTH])
    if row is None or not secrets.matches(token, row.hash) or not row.user.is_active:
        return None
    return row


def _row(prefix: str) -> ApiToken | None:
    found = rows.one(FIND, {"prefix": prefix})
    if found is None:
        return None
    row, person = TOKEN.take(found), PERSON.take(found)
    if row is not None and person is not None:
        row.user = person
        access.keep_role(person, next(found))
    return row


class BearerAuthentication(BaseAuthentication):
    """DRF's authentication by a user's token."""

    challenge = 'Bearer realm="Process Monitor"'

    def authenticate(self, request: Request | HttpRequest) -> tuple[User, ApiToken] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        row = find(token.strip())
        if row is None:
            raise AuthenticationFailed("This token is not valid.")
        _note_use(row)
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return self.challenge


def _note_use(row: ApiToken) -> None:
    now = timezone.now()
    if row.last_used_at is None or now - row.last_used_at > USED_EVERY:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
