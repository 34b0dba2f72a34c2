"""Bitext: from files to checked sentence pairs in parquet shards."""
