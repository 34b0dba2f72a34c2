"""Files: local or remote, compressed or in an archive, opened as one bounded and checked byte stream."""
