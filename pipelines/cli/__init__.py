"""The command line: parsing, help, printing, and what becomes of a failure."""
