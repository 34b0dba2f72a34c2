"""Studies: many runs that together answer one question, and the page that answers it.

A study is one file of ``kinds``. It says which cells are trained and, after it has seen their dev measures, which come
next; ``work`` does it, and ``page`` shows it. The test collection is searched for chosen cells only.
"""
