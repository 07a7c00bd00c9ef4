"""From floats to integers: scales, roundings and bits, chosen, searched for or trained at."""
