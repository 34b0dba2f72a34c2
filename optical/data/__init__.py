"""The data room: languages, the registry of public data sets, and readers that never lose a pair."""
