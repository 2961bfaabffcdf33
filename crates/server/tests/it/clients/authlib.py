# A token exchange (RFC 8693) with Authlib, as an application would write it.
import os

from authlib.integrations.requests_client import OAuth2Session

session = OAuth2Session(token_endpoint_auth_method="none")
token = session.fetch_token(
    os.environ["SERVER"] + "/oauth/token",
    grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token_type="urn:ietf:params:oauth:token-type:id_token",
    subject_token=os.environ["ID_TOKEN"],
    resource=os.environ["RESOURCE"],
)
assert not token.is_expired()
print(token["access_token"])
