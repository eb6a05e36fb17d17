"""Every store of `MAKERS`, through the whole contract."""

from stores.suite import StoreContract


class TestEveryStore(StoreContract):
    """The fixture `store` of conftest.py is each store in turn."""
