"""A web application on Authlib and Flask, as Authlib's documentation has one.

Nothing in it is made for obol: whatever the test sees here, it sees of an unmodified client.
"""

import base64
import json
import os
import secrets

from authlib.integrations.flask_client import OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, redirect, render_template_string, session, url_for
from werkzeug.serving import make_server

PAGE = """<!doctype html><title>Authlib</title>
{% if not facts %}<a href="/sign-in">Sign in</a>{% endif %}
<dl>{% for name, value in facts.items() %}<dt>{{ name }}</dt><dd id="{{ name }}">{{ value }}</dd>{% endfor %}</dl>
<form method="post" action="/refresh"><button>Get new tokens</button></form>
<form method="post" action="/sign-out"><button>Sign out</button></form>
"""

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)
obol = OAuth(app).register(
    "obol",
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    server_metadata_url=os.environ["ISSUER"] + "/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
)
signed_in = {}


@app.get("/")
def home():
    kept = signed_in.get(session.get("id"))
    if kept is None:
        return render_template_string(PAGE, facts={})
    token, claims = kept
    about = obol.userinfo(token=token)
    assert about["sub"] == claims["sub"], "userinfo is another person's"
    facts = {
        "sub": claims["sub"],
        # FortiAuthenticator calls it `username`.
        "username": about.get("preferred_username") or about["username"],
        "email": about["email"],
        "issued": claims["iat"],
        "key": header(token["id_token"])["kid"],
        "algorithm": header(token["id_token"])["alg"],
        "access_token": token["access_token"],
        "refresh_token": token["refresh_token"],
    }
    return render_template_string(PAGE, facts=facts)


@app.get("/sign-in")
def sign_in():
    return obol.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    # Checks state, and the ID token with its nonce.
    token = obol.authorize_access_token()
    session["id"] = secrets.token_urlsafe()
    signed_in[session["id"]] = token, token["userinfo"]
    return redirect("/")


@app.post("/refresh")
def refresh():
    before, _ = signed_in[session["id"]]
    token = obol.fetch_access_token(grant_type="refresh_token", refresh_token=before["refresh_token"])
    signed_in[session["id"]] = token, obol.parse_id_token(token, nonce=None)
    return redirect("/")


@app.post("/sign-out")
def sign_out():
    token, _ = signed_in.pop(session.pop("id"))
    endpoint = obol.load_server_metadata()["revocation_endpoint"]
    with OAuth2Session(obol.client_id, obol.client_secret) as client:
        client.revoke_token(endpoint, token=token["refresh_token"]).raise_for_status()
    return redirect("/")


def header(jwt):
    encoded = jwt.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


if __name__ == "__main__":
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    server = make_server(host, int(port), app)
    print(f"listening at http://{host}:{server.server_port}", flush=True)
    server.serve_forever()
