"""Every setting, all from the environment; .env.example explains each variable."""

from __future__ import annotations

import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from pmonitor import env, logs

django_stubs_ext.monkeypatch()

VERSION = "0.5.0"
BASE_DIR = Path(__file__).resolve().parent.parent

# Security
SECRET_KEY = env.text("SECRET_KEY")
DEBUG = env.flag("DEBUG")
HUB_URL = env.url("HUB_URL")  # the address servers are told; empty: the one the request came to
SECURE = HUB_URL.startswith("https://")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", HUB_URL)
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")  # only these may say X-Forwarded-For and -Proto
METRICS_ALLOW = env.networks("METRICS_ALLOW", "127.0.0.0/8,::1")  # who may read /metrics without a token
SECURE_PROXY_SSL_HEADER = ("pmonitor.scheme", "https")  # written by ClientMiddleware for trusted proxies only
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked by the container's own health check
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# The parts
INSTALLED_APPS = [
    "pmonitor.apps.HubAdminConfig",  # Django's admin, for the role admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "csp",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "rest_framework",
    "pmonitor",
    "servers",
    "actions",
    "alerts",
]
MIDDLEWARE = [
    "pmonitor.client.ClientMiddleware",  # first: who asks, by which scheme, and the request's id in the logs
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "pmonitor.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "pmonitor.urls"
ASGI_APPLICATION = "pmonitor.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "pmonitor.page.page",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "pmonitor.templatetags.show",
            ],
        },
    }
]

# Where things are kept
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.database("DATABASE_URL"),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "pool": {
                "min_size": 1,
                "max_size": env.integer("DATABASE_POOL", 20, 2, 500),
                "timeout": 10,
                # Its tries come ever later: after an hour without the database it would take minutes to see it back.
                "reconnect_timeout": 4,
            },
            "prepare_threshold": 2,  # of cursors that bind at the server, which report_rows.py uses
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.text("REDIS_URL", "")
# Without Redis web and worker share one process, so memory will do; with it they may be many.
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "pmonitor"},
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 2000}}
}
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},  # limits.py goes on without it
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not STATIC_ROOT.exists()  # a checkout serves from static/, an image from its collected copy
if WHITENOISE_USE_FINDERS:
    warnings.filterwarnings("ignore", "No directory at", UserWarning)  # whitenoise, of the collected copy
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# Who may come in
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "servers:fleet"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "pmonitor.access.RoleBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "pmonitor.client.address"
AXES_LOCKOUT_CALLABLE = "pmonitor.accounts.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# The API
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "pmonitor.tokens.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "pmonitor.problems.handle",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Process Monitor",
    "DESCRIPTION": "What agents and programs say to the hub. agent/PROTOCOL.md tells the same in prose.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/",
    "OAS_VERSION": "3.1.0",  # msgspec describes structs in its JSON Schema
}
# How many of each a client may ask for: (times, seconds). Read by pmonitor.limits.
RATE_LIMITS = {
    "register": (env.integer("LIMIT_REGISTER", 10, 1, 100_000), 60),
    "actions": (env.integer("LIMIT_ACTIONS", 60, 1, 100_000), 60),
    "reads": (env.integer("LIMIT_READS", 120, 1, 100_000), 60),
    "searches": (env.integer("LIMIT_SEARCHES", 60, 1, 100_000), 60),
    "search-parts": (10 * env.integer("LIMIT_SEARCHES", 60, 1, 100_000), 60),  # of a search of the past
}

# Mail, for who is told of incidents
SMTP = env.mail("SMTP_URL")  # None: e-mail contacts cannot be told
SMTP_FROM = env.text("SMTP_FROM", None if SMTP else "")  # whom mail comes from

# Language and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ro", _("Romanian"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_THOUSAND_SEPARATOR = True
TIME_ZONE = "UTC"
USE_TZ = True

LOG_FORMAT = env.choice("LOG_FORMAT", "auto", ("auto", "json", "text"))
LOGGING_CONFIG = None
logs.configure(LOG_FORMAT, env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")))

# The protocol's numbers
REPORT_INTERVAL_SEC = env.integer("REPORT_INTERVAL_SEC", 10, 1, 300)
SILENT_AFTER_REPORTS = 3
REPORT_MAX_BYTES = 2_000_000  # after unpacking, too
KEPT = {  # how long history's levels live
    "host readings": timedelta(hours=env.integer("KEEP_READINGS_HOURS", 48, 1, 8760)),
    "host minutes": timedelta(days=env.integer("KEEP_MINUTES_DAYS", 30, 3, 3650)),
    "host hours": timedelta(days=env.integer("KEEP_HOURS_DAYS", 730, 30, 36500)),
    "processes": timedelta(days=env.integer("KEEP_PROCESSES_DAYS", 30, 1, 3650)),
    "service events": timedelta(days=env.integer("KEEP_EVENTS_DAYS", 90, 7, 3650)),
}
