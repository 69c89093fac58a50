"""Pure functions from frames to frames: nothing here reads a file, a clock or a random source of its own."""
