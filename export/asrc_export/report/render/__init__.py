"""How reports are shown: text, Markdown, JSON, CSV, and a page with figures."""
