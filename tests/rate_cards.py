"""Small rate cards for tests, and the ways in which their files change. No assertions here."""

from __future__ import annotations

from pathlib import Path

HEADER = """\
apiVersion: ratecard/v1
id: {id}
revision: {revision}
owner: finance@acme.example
currency: USD
effective: {{from: 2026-01-01T00:00:00Z, to: 2028-01-01T00:00:00Z}}
"""


def discount(multiplier: str, revision: int = 1, card: str = "acme") -> str:
    """A card that takes gpt-4o's list price times `multiplier`."""
    return HEADER.format(id=card, revision=revision) + (
        'discounts: [{match: {provider: openai, model: "gpt-4o*"},'
        f' multiplier: "{multiplier}", applies_to: tokens}}]\n'
    )


class Mounted:
    """A folder as the kubelet mounts a ConfigMap: files lead through `..data`, one symlink.

    An update makes a new folder and replaces that symlink: no file is ever written in place.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._updates = 0
        folder.mkdir(exist_ok=True)

    def update(self, **files: str) -> None:
        """The content of every file, by its name without `.yaml`."""
        self._updates += 1
        made = self._folder / f"..{self._updates}"
        made.mkdir()
        for name, text in files.items():
            (made / f"{name}.yaml").write_text(text)
            link = self._folder / f"{name}.yaml"
            if not link.is_symlink():
                link.symlink_to(Path("..data") / link.name)
        swap = self._folder / "..data_tmp"
        swap.symlink_to(made.name)
        swap.replace(self._folder / "..data")

    def path(self, name: str) -> str:
        return str(self._folder / f"{name}.yaml")
