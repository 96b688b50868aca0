"""A web application on Authlib and Flask, as Authlib's documentation has one. Nothing in it is made for obol."""

import os

from authlib.integrations.flask_client import OAuth, OAuthError
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask
from requests import HTTPError

import web

app = Flask(__name__)
obol = OAuth(app).register(
    "obol",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
)


class Application:
    def begin(self, redirect_uri):
        return obol.authorize_redirect(redirect_uri)

    def finish(self):
        # Checks state, and the ID token with its nonce.
        token = obol.authorize_access_token()
        return token, token["userinfo"]

    def refresh(self, person):
        token = obol.fetch_access_token(grant_type="refresh_token", refresh_token=person[0]["refresh_token"])
        return token, obol.parse_id_token(token, nonce=None)

    def about(self, person):
        token, claims = person
        return web.facts(claims, obol.userinfo(token=token), token)

    def leave(self, person):
        token, _ = person
        metadata = obol.load_server_metadata()
        with OAuth2Session(obol.client_id, obol.client_secret) as client:
            client.revoke_token(metadata["revocation_endpoint"], token=token["refresh_token"]).raise_for_status()
            answer = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"])
        return {"active": answer.json()["active"]}

    def ended_by_provider(self, error):
        refused = isinstance(error, HTTPError) and error.response.status_code == 401
        return refused or (isinstance(error, OAuthError) and error.error == "invalid_grant")


if __name__ == "__main__":
    web.serve(app, Application())
