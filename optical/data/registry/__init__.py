"""The registry: the dictionary of public data sets. Each is named once, with its origin, hashes, licence and reader.

To add a data set, add its files to ``files.tsv`` and a family to a file of ``families/``. To add a language, add a line
to ``languages.tsv``.
"""
