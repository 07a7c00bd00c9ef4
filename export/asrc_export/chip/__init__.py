"""The chip: targets as data, rules, placement, storage, energy and time."""
