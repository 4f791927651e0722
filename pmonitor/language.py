"""Which language an answer is in: the pages in the reader's, the API in English."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

PAGES = ("/api/docs",)  # what people read under /api/


class LanguageMiddleware(LocaleMiddleware):
    """Django's, but programs are always told in English what is wrong: they look for words, and so do their logs."""

    def process_request(self, request: HttpRequest) -> None:
        """Choose the request's language."""
        if request.path_info.startswith("/api/") and request.path_info not in PAGES:
            translation.activate(settings.LANGUAGE_CODE)
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
        else:
            super().process_request(request)
