# SPDX-License-Identifier: GPL-2.0-or-later
"""What a unit file assigns, as systemd.syntax(7) has it."""
import re

ASSIGNMENT = re.compile(r"(\w+)\s*=\s*(.*)")


class Unknown(Exception):
    """Something in the unit that the test would otherwise silently leave out."""


def logical_lines(text):
    """Without comments, and with what a backslash at the end of a line continues."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith(("#", ";"))]
    return re.sub(r"\\\n", " ", "\n".join(kept)).splitlines()


def assignments(text):
    """{section: {name: [value, ...]}}; an empty value forgets those before it."""
    sections, names = {}, None
    for line in filter(None, map(str.strip, logical_lines(text))):
        if line.startswith("[") and line.endswith("]"):
            names = sections.setdefault(line[1:-1], {})
            continue
        match = ASSIGNMENT.fullmatch(line)
        if not match or names is None:
            raise Unknown(f"a line that is no assignment: {line}")
        name, value = match.groups()
        if "%" in value:
            raise Unknown(f"a specifier in {line}")
        names[name] = names.get(name, []) + [value] if value else []
    return sections
