//! The right answers: status and essential content.

use serde::Deserialize;

use crate::load::Right;

/// Tokens just issued.
#[derive(Deserialize)]
pub(crate) struct Issued<'a> {
    #[serde(borrow)]
    pub(crate) access_token: &'a str,
    pub(crate) refresh_token: Option<&'a str>,
    expires_in: u64,
    token_type: &'a str,
}

impl<'a> Issued<'a> {
    /// Reads an answer of the token endpoint of either dialect.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, String> {
        let issued: Self = read(body)?;
        match issued {
            Self { access_token: "", .. } => Err("the access token is empty".to_owned()),
            Self { expires_in: 0, .. } => Err("the access token has expired already".to_owned()),
            Self { token_type, .. } if !token_type.eq_ignore_ascii_case("bearer") => {
                Err("the token is not of type Bearer".to_owned())
            }
            issued => Ok(issued),
        }
    }
}

/// 200 with an access token.
pub(crate) fn issued(asked: &'static str) -> Right {
    Right::new(asked, 200, |body| Issued::read(body).map(drop))
}

/// 200 with an access token and a refresh token.
pub(crate) fn issued_with_refresh(asked: &'static str) -> Right {
    Right::new(asked, 200, |body| match Issued::read(body)?.refresh_token {
        None | Some("") => Err("there is no refresh token".to_owned()),
        Some(_) => Ok(()),
    })
}

/// 200 of verify for a token of this client.
pub(crate) fn verified(client_id: &str) -> Right {
    #[derive(Deserialize)]
    struct Verified<'a> {
        client_id: &'a str,
        expires_in: u64,
        status: &'a str,
        username: &'a str,
    }
    let expected = client_id.to_owned();
    Right::new("verify of a token that stands", 200, move |body| {
        let said: Verified<'_> = read(body)?;
        match said {
            Verified { status, .. } if status != "success" => Err("its status is not `success`".to_owned()),
            Verified { client_id, .. } if client_id != expected => Err("it names another client".to_owned()),
            Verified { username: "", .. } => Err("it names nobody".to_owned()),
            Verified { expires_in: 0, .. } => Err("the token has expired".to_owned()),
            Verified { .. } => Ok(()),
        }
    })
}

/// 401 of verify.
pub(crate) fn refused(asked: &'static str) -> Right {
    #[derive(Deserialize)]
    struct Refused<'a> {
        error: &'a str,
    }
    Right::new(asked, 401, |body| match read::<Refused<'_>>(body)?.error {
        "invalid_token" => Ok(()),
        _ => Err("its error is not `invalid_token`".to_owned()),
    })
}

/// 200 of revocation, in the dialect that has a body.
pub(crate) fn revoked() -> Right {
    #[derive(Deserialize)]
    struct Done<'a> {
        status: &'a str,
    }
    Right::new("revocation", 200, |body| match read::<Done<'_>>(body)?.status {
        "success" => Ok(()),
        _ => Err("its status is not `success`".to_owned()),
    })
}

/// 200 of introspection for a token that is active.
pub(crate) fn active(client_id: &str) -> Right {
    #[derive(Deserialize)]
    struct Active<'a> {
        active: bool,
        client_id: Option<&'a str>,
    }
    let expected = client_id.to_owned();
    Right::new("introspection of a token that stands", 200, move |body| {
        let said: Active<'_> = read(body)?;
        match (said.active, said.client_id) {
            (true, Some(client_id)) if client_id == expected => Ok(()),
            (true, _) => Err("it names another client".to_owned()),
            (false, _) => Err("it says that the token is not active".to_owned()),
        }
    })
}

/// 200 of introspection for so many tokens that are all active.
pub(crate) fn all_active(client_id: &str, count: usize) -> Right {
    #[derive(Deserialize)]
    struct Results<'a> {
        #[serde(borrow)]
        results: Vec<Active<'a>>,
    }
    #[derive(Deserialize)]
    struct Active<'a> {
        active: bool,
        client_id: Option<&'a str>,
    }
    let expected = client_id.to_owned();
    Right::new("introspection of a batch", 200, move |body| {
        let said: Results<'_> = read(body)?;
        let right = |it: &Active<'_>| it.active && it.client_id == Some(&expected);
        match said.results.len() == count && said.results.iter().all(right) {
            true => Ok(()),
            false => Err("it does not say of each token that it is active and whose".to_owned()),
        }
    })
}

/// 200 of `/forward-auth`, which has no body. Who it is stands in the head, which the tests look at.
pub(crate) fn let_through() -> Right {
    Right::new("a gateway's question", 200, |body| match body {
        [] => Ok(()),
        _ => Err("it has a body".to_owned()),
    })
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("its content is not what it should be ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_essential_content_is_right() {
        let valid = r#"{"client_id":"c","expires_in":9,"scope":"","status":"success","username":"u"}"#;
        let broken = [("\"c\"", "\"d\""), ("success", "error"), ("\"u\"", "\"\""), ("9", "0"), ("{", "")];
        is_right_until_changed(verified("c"), valid, &broken);
        let token = r#"{"access_token":"a","expires_in":9,"token_type":"Bearer","refresh_token":"r"}"#;
        let broken = [("\"a\"", "\"\""), ("Bearer", "mac"), ("9", "0"), ("access_token", "token")];
        is_right_until_changed(issued("x"), token, &broken);
        let broken = [("\"r\"", "\"\""), ("refresh_token", "other")];
        is_right_until_changed(issued_with_refresh("x"), token, &broken);
        let body = r#"{"error":"invalid_token"}"#;
        is_right_until_changed(refused("x"), body, &[("invalid_token", "invalid_client")]);
        is_right_until_changed(revoked(), r#"{"status":"success"}"#, &[("success", "error")]);
        let body = r#"{"active":true,"client_id":"c"}"#;
        is_right_until_changed(active("c"), body, &[("true", "false"), ("\"c\"", "\"d\"")]);
        let body = r#"{"results":[{"active":true,"client_id":"c"}]}"#;
        let broken = [("true", "false"), ("\"c\"", "\"d\""), ("[{", "[{\"active\":true},{")];
        is_right_until_changed(all_active("c", 1), body, &broken);
        assert!((let_through().check)(b"").is_ok() && (let_through().check)(b"{}").is_err());
    }

    fn is_right_until_changed(right: Right, body: &str, changes: &[(&str, &str)]) {
        assert_eq!((right.check)(body.as_bytes()), Ok(()), "{body}");
        for (from, to) in changes {
            let changed = body.replacen(from, to, 1);
            assert!((right.check)(changed.as_bytes()).is_err(), "{changed}");
        }
    }
}
