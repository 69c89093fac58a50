"""Pages as a person's browser shows them: Debian's Chromium, driven by Selenium (extra `browser`)."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import workspace_kit as wk
from tests.flows.foreign import write_foreign
from workspace_kit.flows.batch import write_reports

HOSTILE = (
    "</title></style><script>window.taken = 1</script><img src=x onerror='window.taken = 1'>"
    '" autofocus onfocus="window.taken = 1" \' &lt; {{ 7 * 7 }} \u202egnp.exe \x1b[31m '
) + "x" * 300


@dataclass(frozen=True)
class Screen:
    """One window: what a test does with it, and what it asked and complained of."""

    driver: Any

    def open(self, page: Path) -> None:
        self.driver.get_log("performance")
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> set[str]:
        """Places asked for since the page was opened, data within the page left out."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [each["params"] for each in events if each["method"] == "Network.requestWillBeSent"]
        return {each["request"]["url"] for each in sent if not each["request"]["url"].startswith("data:")}

    def pdf(self) -> str:
        printed = self.driver.execute_cdp_cmd(
            "Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True}
        )
        return str(printed["data"])


@pytest.fixture(scope="session")
def window() -> Iterator[Callable[..., Screen]]:
    """Open a window of a width in CSS pixels, light or dark."""
    from selenium import webdriver

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium, "chromium is not on PATH: apt-get install chromium"
    assert driver, "chromedriver is not on PATH: apt-get install chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))

    def sized(width: int, *, dark: bool = False) -> Screen:
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
        chrome.get_log("browser")
        return Screen(chrome)

    yield sized
    chrome.quit()


@pytest.fixture(scope="session")
def pages(small, tmp_path_factory) -> dict[str, Path]:
    """The index and three reports: of a run, of another program, and of texts that mean harm."""
    root = tmp_path_factory.mktemp("pages") / "results"
    shutil.copytree(small, root / small.name)
    write_foreign(root, "foreign", [2, 5, 7])
    hostile = wk.WorkspaceManager(root).create_workspace(
        {"name": HOSTILE, "note": HOSTILE, "tags": [HOSTILE, HOSTILE]}, "hostile"
    )
    signals = pl.DataFrame(
        {"timestamp": [None], "symbol": ["A"], "action": ["BUY"], "strength": [1.0]},
        schema_overrides={"timestamp": pl.Datetime("us")},
    ).with_columns(timestamp=pl.datetime(2020, 1, 1))
    for trial in range(12):
        metrics = {"sharpe_ratio": trial / 10, HOSTILE: 1.0}
        parameters = {HOSTILE: HOSTILE, "window": trial}
        wk.write_trial(
            hostile, trial, strategy=HOSTILE, parameters=parameters, signals=signals, metrics=metrics
        )
    done = write_reports(root, workers=1)
    assert done.failed == {}
    made = dict(done.rows.select("workspace", "page").iter_rows())
    return {
        "index": done.index,
        "run": Path(made[small.name]),
        "foreign": Path(made["foreign"]),
        "hostile": Path(made["hostile"]),
    }
