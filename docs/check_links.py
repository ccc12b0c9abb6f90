"""Checks that every link within a built site leads to a file, and to a place in it where it names one.

    python3 docs/check_links.py target/site
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places in it that links can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and tag != "base":
                self.links.add(value)
            elif name in ("id", "name") and value:
                self.places.add(value)


def broken(site: Path) -> list[str]:
    """Each link that leads nowhere, with its page."""
    # The table of contents stands in its own page, and the page of errors is shown at any path.
    paths = [path for path in sorted(site.rglob("*.html")) if path.name not in ("404.html", "toc.html")]
    pages = {path: Page(path) for path in paths}
    found = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = unquote(parts.fragment)
            if not target.is_file():
                found.append(f"{path.relative_to(site)}: {link} leads to no file")
            elif place and target in pages and place not in pages[target].places:
                found.append(f"{path.relative_to(site)}: {link} names no place in its page")
    print(f"{sum(len(page.links) for page in pages.values())} links of {len(pages)} pages")
    return found


if __name__ == "__main__":
    sys.exit("\n".join(broken(Path(sys.argv[1]).resolve())) or None)
