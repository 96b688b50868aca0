"""A web application on requests-oauthlib, as its documentation has one, with PyJWT for the ID token. Nothing in it is made for obol."""

import os
import secrets
import time

import jwt
import requests
from flask import Flask, redirect, request, session
from oauthlib.oauth2 import InvalidGrantError
from requests import HTTPError
from requests_oauthlib import OAuth2Session

import web

ISSUER, CLIENT_ID, CLIENT_SECRET = (os.environ[name] for name in ["ISSUER", "CLIENT_ID", "CLIENT_SECRET"])
# Plain http is for the loopback address alone.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

metadata = requests.get(ISSUER + "/.well-known/openid-configuration").json()
keys = jwt.PyJWKClient(metadata["jwks_uri"])
begun = {}


class Application:
    def begin(self, redirect_uri):
        scope = ["openid", "profile", "email"]
        oauth = OAuth2Session(CLIENT_ID, redirect_uri=redirect_uri, scope=scope, pkce="S256")
        nonce = secrets.token_urlsafe()
        url, state = oauth.authorization_url(metadata["authorization_endpoint"], nonce=nonce)
        session["state"] = state
        begun[state] = oauth, nonce
        return redirect(url)

    def finish(self):
        oauth, nonce = begun.pop(session.pop("state"))
        token = oauth.fetch_token(
            metadata["token_endpoint"], authorization_response=request.url, client_secret=CLIENT_SECRET
        )
        claims = verified(token["id_token"])
        assert claims["nonce"] == nonce, "the ID token answers another request"
        return token, claims

    def refresh(self, person):
        token, claims = person
        # As in the documentation: what has expired is refreshed by the next call.
        token = {**token, "expires_at": time.time() - 10}
        saved = []
        oauth = OAuth2Session(
            CLIENT_ID,
            token=token,
            auto_refresh_url=metadata["token_endpoint"],
            auto_refresh_kwargs={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
            token_updater=saved.append,
        )
        oauth.get(metadata["userinfo_endpoint"]).raise_for_status()
        [token] = saved
        fresh = verified(token["id_token"])
        assert fresh["sub"] == claims["sub"], "the ID token is another person's"
        return token, fresh

    def about(self, person):
        token, claims = person
        answer = OAuth2Session(CLIENT_ID, token=token).get(metadata["userinfo_endpoint"])
        answer.raise_for_status()
        return web.facts(claims, answer.json(), token)

    def leave(self, person):
        token, _ = person
        auth = CLIENT_ID, CLIENT_SECRET
        revoked = requests.post(metadata["revocation_endpoint"], {"token": token["refresh_token"]}, auth=auth)
        revoked.raise_for_status()
        answer = requests.post(metadata["introspection_endpoint"], {"token": token["access_token"]}, auth=auth)
        return {"active": answer.json()["active"]}

    def ended_by_provider(self, error):
        refused = isinstance(error, HTTPError) and error.response.status_code == 401
        return refused or isinstance(error, InvalidGrantError)


def verified(id_token):
    key = keys.get_signing_key_from_jwt(id_token)
    algorithms = metadata["id_token_signing_alg_values_supported"]
    return jwt.decode(id_token, key, algorithms=algorithms, issuer=ISSUER, audience=CLIENT_ID)


if __name__ == "__main__":
    web.serve(Flask(__name__), Application())
