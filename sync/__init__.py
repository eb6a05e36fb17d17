"""What moves things: stores, Drive, journal, mirror, restore, watch, session, the background service and the command line."""

if __name__ == "sync":
    raise ImportError("import batonpass.sync: a second copy of every class would be made under the name 'sync'")
