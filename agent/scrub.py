"""Secrets out of command lines and log lines before they leave the server.

A secret hidden too often is better than one shown; what looks like any other text is not known for one.
"""

from __future__ import annotations

import re

HIDDEN = "***"
MAX_CHARS = 1024

_WORD = (
    r"(?:pass(?:wd|word|phrase|code)?|pwd|secret(?:s|key)?|token|credentials?|api[-_]?key|access[-_]?key"
    r"|secret[-_]?key|private[-_]?key|auth(?:[-_]?(?:key|token|pass|password))?|encryption[-_]?key"
    r"|enroll?ment[-_]?key|requirepass|masterauth|jwt|cookie|session[-_]?key"
    r"|[A-Za-z0-9]{1,40}(?:password|passwd|secret|token|apikey|enrolmentkey))"
)
# A whole option or variable name: up to eight parts such as DB_ or --redis- may stand before the telling word.
_NAME = rf"(?:[A-Za-z0-9]{{1,40}}[-_.]){{0,8}}{_WORD}(?:[-_.](?:id|value|base64|b64|hex|key))?"
_SECRET_OPTION = re.compile(rf"^--?{_NAME}$", re.IGNORECASE)
_SECRET_PAIR = re.compile(rf"^(-{{0,2}}{_NAME}\s*[=:])(.+)$", re.IGNORECASE | re.DOTALL)
_HEADER_OPTION = frozenset(("-H", "--header", "--proxy-header"))
_USER_OPTION = frozenset(("-u", "--user", "--proxy-user", "-U"))
_QUOTED_OR_WORD = r"(\"[^\"]*\"|'[^']*'|[^\s\"'&;,]+)"

# Programs whose password option is one letter: the option, and whether its value is glued on, stands apart, or both.
_SHORT_OPTIONS = tuple(
    (re.compile(rf"^(?:.*/)?(?:{programs})$"), option, glued, apart)
    for programs, option, glued, apart in (
        (r"(?:mysql|mariadb)[a-z-]*", "-p", True, False),
        (r"sshpass", "-p", True, True),
        (r"mongo(?:sh|dump|restore|export|import)?", "-p", True, True),
        (r"(?:redis|valkey)-(?:cli|benchmark)", "-a", False, True),
        (r"ldap(?:search|modify|add|delete|passwd|whoami)", "-w", True, True),
        (r"sqlcmd|bcp|isql", "-P", True, True),
    )
)

_IN_TEXT = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # scheme://user:pass@host, and https://token@host
        (r"(\b[a-z][a-z0-9+.-]{1,20}://)([^\s/@:]*):(\S*)@", rf"\1\2:{HIDDEN}@"),
        (r"(\bhttps?://)([^\s/@:]{16,})@", rf"\1{HIDDEN}@"),
        # HTTP headers
        (
            r"(\b(?:proxy-)?authorization\s*[:=]\s*)(?:(?:basic|bearer|token|digest|negotiate)\s+)?[^\s\"']+",
            rf"\1{HIDDEN}",
        ),
        (r"\b(bearer)\s+[a-z0-9._~+/=-]{6,}", rf"\1 {HIDDEN}"),
        (r"(\bx-[a-z0-9-]*(?:token|key|auth|secret)[a-z0-9-]*\s*:\s*)[^\s\"']+", rf"\1{HIDDEN}"),
        (r"(--(?:proxy-)?user=[^\s:]+:)\S+", rf"\1{HIDDEN}"),
        # keys that are recognised by their own shape: AWS, GitHub, GitLab, Slack, Stripe, npm, Vault, JSON web tokens
        (r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b", HIDDEN),
        (r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk_live_|sk-|npm_|hvs\.)[a-z0-9_-]{10,}", HIDDEN),
        (r"\beyJ[a-z0-9_-]{8,}\.[a-z0-9_-]{4,}\.[a-z0-9_-]*", HIDDEN),
        # NAME=value and "name": "value" anywhere in a line, as in sh -c "DB_PASSWORD=x run" or a rewritten title
        (rf"((?<![A-Za-z0-9_.]){_NAME}[\"']?\s?[=:]\s?){_QUOTED_OR_WORD}", rf"\1{HIDDEN}"),
        (rf"((?:^|\s)--?{_NAME}\s+)(?!-){_QUOTED_OR_WORD}", rf"\1{HIDDEN}"),
    )
)


# Every pattern above needs one of these: most lines have none, and are spared the patterns.
_TELLING = (
    *("pass", "pwd", "secret", "token", "credential", "key", "auth", "jwt", "cookie", "bearer", "://", "user="),
    *("akia", "asia", "aroa", "aida", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox"),
    *("sk_live_", "sk-", "npm_", "hvs.", "eyj", "sql", "bcp", "mariadb", "mongo", "redis", "valkey", "ldap"),
)


def command_line(argv: list[str]) -> str:
    """The command line as one text of at most 1,024 characters, with passwords, tokens and keys replaced by ***."""
    text = " ".join(argv)
    folded = text.casefold()
    if any(map(folded.__contains__, _TELLING)) or not _USER_OPTION.isdisjoint(argv):
        text = " ".join(_without_secrets(argv))
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def text(line: str) -> str:
    """A line of any text, such as a log's, with what is named or shaped like a secret replaced by ***."""
    return _text(line) if any(map(line.casefold().__contains__, _TELLING)) else line


def _without_secrets(argv: list[str]) -> list[str]:
    if not argv:
        return []
    rest = (_argument(arg, argv[index], argv[0]) for index, arg in enumerate(argv[1:]))
    return [_text(argv[0]), *rest]


def _argument(arg: str, previous: str, program: str) -> str:
    if _SECRET_OPTION.match(previous) and not arg.startswith("--"):
        return HIDDEN
    if previous in _USER_OPTION and ":" in arg and "://" not in arg:
        return arg.split(":", 1)[0] + ":" + HIDDEN
    if previous in _HEADER_OPTION and _SECRET_PAIR.match(arg):
        return arg.split(":", 1)[0] + ": " + HIDDEN
    return _short_option(arg, previous, program) or _pair(arg) or _text(arg)


def _short_option(arg: str, previous: str, program: str) -> str:
    """A password after a one-letter option: mysql -pSECRET, redis-cli -a SECRET."""
    for programs, option, glued, apart in _SHORT_OPTIONS:
        if programs.match(program):
            if glued and arg.startswith(option) and len(arg) > len(option):
                return option + HIDDEN
            if apart and previous == option:
                return HIDDEN
    return ""


def _pair(arg: str) -> str:
    found = _SECRET_PAIR.match(arg)
    return found.group(1) + HIDDEN if found else ""


def _text(arg: str) -> str:
    for pattern, replacement in _IN_TEXT:
        arg = pattern.sub(replacement, arg)
    return arg
