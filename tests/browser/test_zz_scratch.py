from tests.browser.test_explain import *
globals().update({k: v for k, v in globals().items()}); [globals().pop(k) for k in list(globals()) if k.startswith("test_")]
from tests.browser.test_explain import start
import os
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_shot(page_as, start, scheme, width):
    page = page_as("operator", scheme=scheme, width=width)
    page.goto(address(start, "&open=php-fpm"))
    page.screenshot(path=f"/tmp/spike-{scheme}-{width}.png", full_page=True)
    if scheme == "light":
        page.goto(f"/servers/spiky/?at={written(start)}")
        page.screenshot(path=f"/tmp/spike-server-{width}.png")
        page.goto(address(start, "&from=yesterday"))
        page.screenshot(path=f"/tmp/spike-wrong-{width}.png")
