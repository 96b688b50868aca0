//! §5, §6: what the server says of it, and requires.

use obol_testkit::{AuthorizationRequest, ClientSpec, FORTI_AUTHORIZE, METADATA, PAR, Server, obol};

const OPENID: &str = "/.well-known/openid-configuration";

fn requires(server: &Server) -> bool {
    server.http().get(METADATA).send().expect(200).json()["require_pushed_authorization_requests"] == true
}

#[test]
fn rfc9126_5_the_metadata_name_the_endpoint_and_that_it_need_not_be_used() {
    let (server, _) = obol!().application();
    for path in [METADATA, OPENID] {
        let document = server.http().get(path).send().expect(200).json();
        let endpoint = format!("{}{PAR}", server.url());
        assert_eq!(document["pushed_authorization_request_endpoint"], endpoint.as_str(), "{path}");
        assert_eq!(document["require_pushed_authorization_requests"], false, "{path}");
    }
    let path = "/api/v1/oauth/.well-known/openid-configuration/";
    let document = server.http().get(path).send().expect(200).json();
    assert_eq!(document.get("pushed_authorization_request_endpoint"), None);
}

#[test]
fn rfc9126_5_where_it_is_required_of_all_nothing_else_is_taken() {
    let server = obol!().server().alice().flag("--require-pushed-authorization-requests");
    let app = server.add_client(&ClientSpec::application("app"));
    let server = server.start();
    assert!(requires(&server));
    let request = AuthorizationRequest::of(&app);
    for endpoint in [request.endpoint(), FORTI_AUTHORIZE] {
        let answer = server.person().follows(&request.clone().to(endpoint)).returns();
        assert_eq!((answer.error(), answer.get("state")), ("invalid_request", Some("a state")));
    }
    assert!(!server.person().goes_through(&server.pushed(&app, &request)).code().is_empty());
}

#[test]
fn rfc9126_6_a_client_of_which_it_is_required_cannot_do_without() {
    let (server, app) = obol!().application_of(|app| app.flag("--require-par"));
    let free = server.add_client(&ClientSpec::application("free"));
    assert!(!requires(&server));
    let request = AuthorizationRequest::of(&app);
    for endpoint in [request.endpoint(), FORTI_AUTHORIZE] {
        let answer = server.person().follows(&request.clone().to(endpoint)).returns();
        assert_eq!(answer.error(), "invalid_request");
    }
    assert!(!server.person().goes_through(&server.pushed(&app, &request)).code().is_empty());
    assert!(!server.person().goes_through(&AuthorizationRequest::of(&free)).code().is_empty());
    server.run(&["client", "set", "app", "--par", "optional"]).exits(0);
    assert!(!server.person().goes_through(&request).code().is_empty());
    server.run(&["client", "set", "app", "--par", "required"]).exits(0);
    assert_eq!(server.person().follows(&request).returns().error(), "invalid_request");
}
