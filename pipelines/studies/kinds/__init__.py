"""The studies, one file each. The file's name is the study's name on the command line."""
