"""The evidence pack: what a study found, in files that others can use without asking.

`writing` puts it together; each other module makes one kind of its files.
"""
