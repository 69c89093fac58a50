"""The only code that knows the names and formats of files in a workspace."""
