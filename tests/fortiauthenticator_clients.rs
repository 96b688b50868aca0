//! The real clients of `fortiauthenticator.md` sections 3 and 6: each test sends what one of them sends and reads what it reads.
//!
//! FortiPortal, Nextcloud and Planka speak the OIDC code flow through discovery: they wait for those endpoints.

use obol_testkit::{ALICE, Answer, Client, ClientSpec, House, PASSWORD, REVOKE, Server, TOKEN, VERIFY, obol};
use serde_json::{Value, json};

/// A server with alice and a public client of this id.
fn server_for(client_id: &str) -> (Server, Client) {
    let server = obol!().server().alice();
    let client = server.add_client(&ClientSpec::public(client_id));
    (server.start(), client)
}

fn post_json(server: &Server, path: &str, body: Value) -> Answer {
    server.http().post(path).body("application/json", body.to_string()).send()
}

fn password_request(client_id: &str, password: &str) -> Value {
    json!({"username": ALICE, "password": password, "client_id": client_id, "grant_type": "password"})
}

#[test]
fn terraform_provider_fortiflexvm_reads_access_token_and_ignores_the_status() {
    let (server, _) = server_for("flexvm");
    let body = post_json(&server, TOKEN, password_request("flexvm", PASSWORD)).json();
    assert!(body["access_token"].as_str().is_some_and(|token| !token.is_empty()));
    // It would take any `access_token` for a success, so an error must not have one.
    let refused = post_json(&server, TOKEN, password_request("flexvm", "wrong")).json();
    assert_eq!(refused.get("access_token"), None);
}

#[test]
fn terraform_provider_fortisase_reads_refresh_token_as_a_string_or_panics() {
    let (server, _) = server_for("FortiSASE");
    let body = post_json(&server, TOKEN, password_request("FortiSASE", PASSWORD)).expect(200).json();
    assert!(body["access_token"].is_string());
    assert!(body["refresh_token"].is_string());
}

#[test]
fn terraform_provider_fortimanager_reads_access_token() {
    let (server, _) = server_for("FortiManager");
    let body = post_json(&server, TOKEN, password_request("FortiManager", PASSWORD)).expect(200).json();
    assert!(body["access_token"].is_string());
}

#[test]
fn fortisase_ansible_plugin_sends_an_empty_secret_and_raises_on_any_http_error() {
    let (server, client) = server_for("FortiSASE");
    let mut request = password_request("FortiSASE", PASSWORD);
    request["client_secret"] = "".into();
    let answer = post_json(&server, TOKEN, request).expect(200);
    assert!(server.stands(&client, &answer.text("access_token")));
}

#[test]
fn fortimanager_ansible_uri_task_takes_the_token_from_the_returned_json() {
    let (server, client) = server_for("FortiManager");
    let request = server.http().post("/api/v1/oauth/token/").header("accept", "*/*");
    let body = password_request("FortiManager", PASSWORD).to_string();
    let answer =
        request.header("user-agent", "ansible-httpget").body("application/json", body).send().expect(200);
    // The task fills its `json` result only for a JSON content type.
    assert!(answer.header("content-type").unwrap_or_default().starts_with("application/json"));
    assert!(server.stands(&client, &answer.text("access_token")));
}

#[test]
fn fortisoar_connector_wants_status_success_and_json_also_in_errors() {
    let (server, _) = server_for("fortigatecloud");
    let answer = post_json(&server, TOKEN, password_request("fortigatecloud", PASSWORD));
    assert!(format!("{:?}", answer.headers).contains("json"));
    assert_eq!(answer.text("status"), "success");
    assert!(!answer.text("access_token").is_empty());

    let refused = post_json(&server, TOKEN, password_request("fortigatecloud", "wrong"));
    assert!(format!("{:?}", refused.headers).contains("json"));
    assert_ne!(refused.text("status"), "success");
}

#[test]
fn fortisase_python_sdk_posts_a_form_with_an_empty_secret_and_revokes_by_json() {
    let (server, client) = server_for("FortiSASE");
    let credentials = [("client_id", "FortiSASE"), ("client_secret", "")];
    let mut form = vec![("grant_type", "password"), ("username", ALICE), ("password", PASSWORD)];
    form.extend(credentials);
    let first = server.http().post(TOKEN).form(&form).send().expect(200);
    assert!(first.integer("expires_in") > 0);
    assert_eq!(first.text("message"), "successfully authenticated");

    let refresh_token = first.text("refresh_token");
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    form.extend(credentials);
    let second = server.http().post(TOKEN).form(&form).send().expect(200);
    let access = second.text("access_token");
    assert!(second.json()["refresh_token"].is_string());
    assert!(second.integer("expires_in") > 0);

    post_json(&server, REVOKE, json!({"client_id": "FortiSASE", "client_secret": "", "token": access}))
        .expect(200);
    assert!(!server.stands(&client, &access));
}

#[test]
fn forticare_script_indexes_message_unconditionally() {
    let (server, _) = server_for("fcare");
    let body = post_json(&server, TOKEN, password_request("fcare", PASSWORD)).json();
    for key in ["message", "access_token", "refresh_token"] {
        assert!(body[key].is_string(), "{key}");
    }
    for request in [password_request("fcare", "wrong"), password_request("nobody", PASSWORD), json!({})] {
        assert!(post_json(&server, TOKEN, request).json()["message"].is_string());
    }
}

#[test]
fn cloud_session_sdk_repeats_username_and_password_in_its_refresh_and_falls_back_to_the_password() {
    let (server, client) = server_for("organization");
    let first = post_json(&server, TOKEN, password_request("organization", PASSWORD)).expect(200);
    let mut refresh = password_request("organization", PASSWORD);
    refresh["grant_type"] = "refresh_token".into();
    refresh["refresh_token"] = first.text("refresh_token").into();
    let second = post_json(&server, TOKEN, refresh.clone()).expect(200);
    for key in ["access_token", "refresh_token", "scope", "token_type"] {
        assert!(second.json()[key].is_string(), "{key}");
    }
    assert!(second.json()["expires_in"].is_u64());

    server.revoke(&client, &second.text("access_token")).expect(200);
    refresh["refresh_token"] = second.text("refresh_token").into();
    let refused = post_json(&server, TOKEN, refresh);
    assert!((400..500).contains(&refused.status), "a refused refresh is a 4xx: {refused:?}");
    post_json(&server, TOKEN, password_request("organization", PASSWORD)).expect(200);
}

#[test]
fn fortigate_autoscale_lambda_refreshes_without_secret_and_compares_expires_in_with_120() {
    let (server, _) = server_for("flexvm");
    let first = post_json(&server, TOKEN, password_request("flexvm", PASSWORD)).expect(200);
    let refresh = json!({"grant_type": "refresh_token", "client_id": "flexvm", "refresh_token": first.text("refresh_token")});
    let second = post_json(&server, TOKEN, refresh).expect(200);
    assert!(second.json()["access_token"].is_string() && second.json()["refresh_token"].is_string());

    let request = server.http().get("/api/v1/oauth/verify_token/?client_id=flexvm");
    let request = request.header("content-type", "application/json").bearer(&second.text("access_token"));
    let verified = request.send().expect(200);
    assert!(verified.integer("expires_in") > 120);
}

#[test]
fn shell_licence_tool_gets_a_token_and_revokes_it_by_json_without_secret() {
    let (server, client) = server_for("assetmanagement");
    let access =
        post_json(&server, TOKEN, password_request("assetmanagement", PASSWORD)).text("access_token");
    assert!(server.stands(&client, &access));
    post_json(&server, REVOKE, json!({"client_id": "assetmanagement", "token": access})).expect(200);
    assert!(!server.stands(&client, &access));
}

#[test]
fn fortigate_cloud_powershell_and_fortiztp_scripts_read_access_token() {
    for client_id in ["fortigatecloud", "fortiztp"] {
        let (server, _) = server_for(client_id);
        let request = server.http().post(TOKEN).header("accept", "application/json");
        let body = password_request(client_id, PASSWORD).to_string();
        let answer = request.body("application/json; charset=utf-8", body).send().expect(200);
        assert!(!answer.text("access_token").is_empty());
    }
}

#[test]
fn a_fortimanager_library_revokes_immediately_after_the_exchange() {
    let (server, client) = server_for("FortiManager");
    for _ in 0..20 {
        let access =
            post_json(&server, TOKEN, password_request("FortiManager", PASSWORD)).text("access_token");
        let revoked =
            post_json(&server, REVOKE, json!({"client_id": "FortiManager", "token": access})).expect(200);
        assert!(revoked.json().is_object());
        assert!(!server.stands(&client, &access));
    }
}

#[test]
fn go_load_tool_uses_token_type_as_the_scheme_and_fails_on_an_empty_username() {
    let House { server, gateway, .. } = obol!().house();
    let secret = gateway.own_secret();
    let request = json!({
        "grant_type": "password", "client_id": "gateway", "client_secret": secret,
        "username": ALICE, "password": PASSWORD,
    });
    let answer = post_json(&server, TOKEN, request).expect(200);
    let access = answer.text("access_token");
    assert!(answer.json()["expires_in"].is_u64());
    assert!(answer.json()["scope"].is_string() && answer.json()["refresh_token"].is_string());

    let authorization = format!("{} {access}", answer.text("token_type"));
    let verify =
        server.http().get(&format!("{VERIFY}?client_id=gateway")).header("authorization", &authorization);
    let verified = verify.header("content-type", "application/json").send().expect(200);
    assert!(verified.json()["expires_in"].is_u64());
    assert!(!verified.text("username").is_empty());

    post_json(&server, REVOKE, json!({"client_id": "gateway", "client_secret": secret, "token": access}))
        .expect(200);
    assert!(!server.stands(&gateway, &access));
}

#[test]
fn java_client_has_a_40_character_id_and_a_128_character_secret_and_looks_at_the_status_of_verify_only() {
    let id = "Hx2yqfjco7qWLQW2ctZXlhbRRJzGSa0123456789";
    let secret = "s3cretOf128Characters.0123456789".repeat(4);
    assert_eq!((id.len(), secret.len()), (40, 128));
    let server = obol!().server().alice();
    server.add_client(&ClientSpec::confidential(id).secret(&secret));
    let server = server.start();
    let request = json!({
        "grant_type": "password", "client_id": id, "client_secret": secret, "username": ALICE, "password": PASSWORD,
    });
    let access = post_json(&server, TOKEN, request).expect(200).text("access_token");
    let path = format!("{VERIFY}?client_id={id}");
    server.http().get(&path).bearer(&access).send().expect(200);
    server.http().get(&path).bearer("another").send().expect(401);
}

#[test]
fn client_ids_are_short_free_strings_in_mixed_case() {
    let ids = [
        "assetmanagement",
        "iam",
        "flexvm",
        "FortiManager",
        "FortiSASE",
        "fortilancloud",
        "FortiFlex.v2_x-1",
    ];
    let server = obol!().server().alice();
    let clients = ids.map(|id| server.add_client(&ClientSpec::public(id)));
    let server = server.start();
    for client in &clients {
        let access = server.token_by_password(client, ALICE, PASSWORD).access;
        assert!(server.stands(client, &access));
        let other_case = Client::bare(&client.id.to_uppercase());
        assert!(!server.stands(&other_case, &access), "{}", client.id);
    }
}
