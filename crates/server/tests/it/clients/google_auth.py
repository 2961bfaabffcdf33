# What Google's client libraries do in a job: sys.argv[1] is the configuration file of an external account.
import sys

import google.auth
import google.auth.transport.requests

credentials, _ = google.auth.load_credentials_from_file(
    sys.argv[1], scopes=["https://www.googleapis.com/auth/cloud-platform"]
)
credentials.refresh(google.auth.transport.requests.Request())
assert credentials.valid and credentials.expiry
print(credentials.token)
