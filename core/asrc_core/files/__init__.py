"""Files written whole or not at all, and formats that a suffix names."""
