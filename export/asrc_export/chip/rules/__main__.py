"""`python -m asrc_export.chip.rules` prints docs/rules.md."""

from asrc_export.chip.rules.page import page

print(page(), end="")
