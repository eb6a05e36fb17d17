"""Google Drive v2: what `sync.stores.gdrive` is made of. Only imported when a Drive is used."""
