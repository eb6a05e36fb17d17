"""A Google Drive of our own, for tests: the parts of Drive v2 and v3 that PyDrive2, Batonpass and rclone speak, as a process.

    process.py    how a test starts it and talks to it          server.py     HTTP: routes, keep-alive, what goes on the wire
    accounts.py   accounts, clients, tokens, quotas             storage.py    files, folders, trash, versions
    query.py      the language of `q`                           fields.py     the language of `fields`
    uploads.py    resumable sessions                            answers.py    answers and errors as Google words them
    files.py, media.py, sign_in.py                              one group of calls each
    consent.py    the page that asks a person in a real browser
    v3.py         the words of v3 over the same files       tls.py, link.py   HTTPS as a proxy; how fast the wire is
    temper.py     what the real Drive may do, one way or the other
    revisions.py  older contents, and what they cost
    storm.py      many faults at once, from a seed
    faults.py     what goes wrong, when it is told to           control.py    how a test tells it to

It keeps contents in a temporary folder, so that large files cost no memory, and forgets everything when it stops.
"""
