"""The transport methods: one file each, with one function ``solve``."""
