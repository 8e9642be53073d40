# SPDX-License-Identifier: MIT
"""The files of the project, and what their include lines say."""

import re
import subprocess
from functools import cached_property
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
POLICY_ROOMS = ("granularities", "algorithms", "bitmaps", "backings", "protections", "observers",
                "metadata")
CODE = (".hpp", ".cpp")


class Tree:
    def __init__(self, root):
        self.root = Path(root).resolve()

    @cached_property
    def files(self):
        """All files that git has or would take; outside git, all that no build made."""
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root, capture_output=True, text=True)
        if listing.returncode == 0 and (self.root / ".git").exists():
            names = listing.stdout.split("\0")
        else:
            names = [str(path.relative_to(self.root)) for path in self.root.rglob("*")
                     if not path.relative_to(self.root).parts[0].startswith((".git", "build"))]
        return sorted(Path(name) for name in set(names) if name and (self.root / name).is_file())

    def under(self, folder, *suffixes):
        """The files of a folder, by the ends of their names."""
        return [path for path in self.files
                if path.is_relative_to(folder) and path.name.endswith(suffixes or ("",))]

    def text(self, path):
        """The text of a file; empty for a binary one, or where there is none."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            return ""

    def includes(self, path):
        """Pairs of the opening mark, `<` or `"`, and the name."""
        return INCLUDE.findall(self.text(path))

    @cached_property
    def policies(self):
        """The headers that hold a policy; what lies in a room's detail/ is its own affair."""
        return [path for room in POLICY_ROOMS
                for path in self.under(f"include/palloc/{room}", ".hpp")
                if path.parent.name == room]
