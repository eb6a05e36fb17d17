"""A stand-in for Kaggle's own module, in a test's kernel only. Secrets: those of STANDIN_SECRETS, a JSON object."""

import json
import os


class BackendError(Exception):
    pass


class UserSecretsClient:
    def get_secret(self, label):
        if os.environ.get("STANDIN_INTERNET") == "off":
            raise ConnectionError("Connection error trying to communicate with service.")
        secrets = json.loads(os.environ.get("STANDIN_SECRETS", "{}"))
        if label not in secrets:
            raise BackendError(f"No user secrets exist for kernel id 1 and label {label}.")
        return secrets[label]
