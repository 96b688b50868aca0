"""Pages and the sessions of browsers, for the applications beside this file. Nothing here speaks OAuth."""

import base64
import json
import os
import secrets

from flask import redirect, render_template_string, request, session, url_for
from werkzeug.serving import make_server

PAGE = """<!doctype html><title>Python</title>
<p>{{ message }} <a href="/sign-in">Sign in</a></p>
<dl>{% for name, value in facts.items() %}<dt>{{ name }}</dt><dd id="{{ name }}">{{ value }}</dd>{% endfor %}</dl>
<form method="post" action="/refresh"><button>Get new tokens</button></form>
<form method="post" action="/sign-out"><button>Sign out</button></form>
"""


def serve(app, application):
    """Serves an application on a Flask app until the process ends. What it has to bring:
    begin(redirect_uri) gives the answer that sends the browser away, finish() and refresh(person) give a person,
    about(person) and leave(person) give facts to show, ended_by_provider(error) tells whether the person has to sign in again.
    """
    app.secret_key = secrets.token_bytes(32)
    signed_in = {}

    @app.get("/")
    def home():
        person = signed_in.get(session.get("id"))
        return show(application.about(person) if person else {})

    @app.get("/sign-in")
    def sign_in():
        return application.begin(url_for("callback", _external=True))

    @app.get("/callback")
    def callback():
        person = application.finish()
        session["id"] = secrets.token_urlsafe()
        signed_in[session["id"]] = person
        return redirect("/")

    @app.post("/refresh")
    def refresh():
        signed_in[session["id"]] = application.refresh(signed_in[session["id"]])
        return redirect("/")

    @app.post("/sign-out")
    def sign_out():
        return show(application.leave(signed_in.pop(session.pop("id"))))

    @app.errorhandler(Exception)
    def failed(error):
        signed_in.pop(session.pop("id", None), None)
        if application.ended_by_provider(error):
            return show({}, "Your sign-in was ended by the provider.")
        app.logger.exception("%s %s", request.method, request.path)
        return show({}, "This did not work."), 500

    host, port = os.environ["LISTEN"].rsplit(":", 1)
    server = make_server(host, int(port), app)
    print(f"listening at http://{host}:{server.server_port}", flush=True)
    server.serve_forever()


def show(facts, message=""):
    return render_template_string(PAGE, facts=facts, message=message)


def facts(claims, about, token):
    """What to show of a person; FortiAuthenticator's userinfo says `username`."""
    assert about["sub"] == claims["sub"], "userinfo is another person's"
    header = json.loads(base64.urlsafe_b64decode(token["id_token"].split(".")[0] + "=="))
    return {
        "sub": claims["sub"],
        "username": about.get("preferred_username") or about["username"],
        "email": about["email"],
        "key": header["kid"],
        "algorithm": header["alg"],
        "access_token": token["access_token"],
        "refresh_token": token["refresh_token"],
    }
