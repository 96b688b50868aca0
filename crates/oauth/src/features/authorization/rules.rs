//! What comes next for an authorization request: pure, and one table of tests.

use crate::{Decision, ErrorCode};

/// `prompt` (OpenID Connect Core §3.1.2.1), with FortiAuthenticator's `approval_prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Prompt {
    pub(super) none: bool,
    pub(super) login: bool,
    pub(super) consent: bool,
    pub(super) select_account: bool,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Situation {
    pub(super) prompt: Prompt,
    /// Somebody is signed in, recently enough.
    pub(super) signed_in: bool,
    /// That person is whom the client means, if it means one.
    pub(super) meant: bool,
    /// That person has chosen this account for the request, or signed in for it.
    pub(super) chosen: bool,
    /// That person's answer to it.
    pub(super) decision: Option<Decision>,
    /// The person has allowed as much before, or need not be asked.
    pub(super) asked_before: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    SignIn,
    Choose,
    Ask,
    Give,
    Refuse(ErrorCode),
}

pub(super) fn decide_next(situation: &Situation) -> Next {
    let Situation { prompt, signed_in, meant, chosen, decision, asked_before } = *situation;
    // §3.1.2.1: with `none` no page is shown, whatever is missing.
    let or = |page: Next, code: ErrorCode| if prompt.none { Next::Refuse(code) } else { page };
    if !signed_in || (!meant && !chosen) {
        return or(Next::SignIn, ErrorCode::LoginRequired);
    }
    if !meant {
        // §3.1.2.1: somebody else has signed in for it, and would only be asked for a password again and again.
        return Next::Refuse(ErrorCode::LoginRequired);
    }
    if prompt.select_account && !chosen {
        return or(Next::Choose, ErrorCode::AccountSelectionRequired);
    }
    match decision {
        Some(Decision::Deny) => Next::Refuse(ErrorCode::AccessDenied),
        Some(Decision::Allow) => Next::Give,
        None if prompt.consent || !asked_before => or(Next::Ask, ErrorCode::ConsentRequired),
        None => Next::Give,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Situation = Situation {
        prompt: Prompt { none: false, login: false, consent: false, select_account: false },
        signed_in: true,
        meant: true,
        chosen: false,
        decision: None,
        asked_before: true,
    };
    const NONE: Prompt = Prompt { none: true, ..READY.prompt };
    const CONSENT: Prompt = Prompt { consent: true, ..READY.prompt };
    const SELECT: Prompt = Prompt { select_account: true, ..READY.prompt };

    #[test]
    fn oidc_core_3_1_2_what_is_missing_is_asked_for_in_order() {
        let (allow, deny) = (Some(Decision::Allow), Some(Decision::Deny));
        for (situation, expected) in [
            (READY, Next::Give),
            (Situation { signed_in: false, ..READY }, Next::SignIn),
            (Situation { signed_in: false, decision: allow, ..READY }, Next::SignIn),
            (Situation { meant: false, ..READY }, Next::SignIn),
            (Situation { meant: false, chosen: true, ..READY }, Next::Refuse(ErrorCode::LoginRequired)),
            (
                Situation { meant: false, chosen: true, decision: allow, ..READY },
                Next::Refuse(ErrorCode::LoginRequired),
            ),
            (Situation { asked_before: false, ..READY }, Next::Ask),
            (Situation { asked_before: false, decision: allow, ..READY }, Next::Give),
            (Situation { decision: deny, ..READY }, Next::Refuse(ErrorCode::AccessDenied)),
            (Situation { prompt: CONSENT, ..READY }, Next::Ask),
            (Situation { prompt: CONSENT, decision: allow, ..READY }, Next::Give),
            (Situation { prompt: SELECT, ..READY }, Next::Choose),
            (Situation { prompt: SELECT, decision: allow, ..READY }, Next::Choose),
            (Situation { prompt: SELECT, chosen: true, ..READY }, Next::Give),
        ] {
            assert_eq!(decide_next(&situation), expected, "{situation:?}");
        }
    }

    #[test]
    fn oidc_core_3_1_2_1_with_none_no_page_is_shown() {
        let none = Situation { prompt: NONE, ..READY };
        let refused = Next::Refuse;
        for (situation, expected) in [
            (none, Next::Give),
            (Situation { signed_in: false, ..none }, refused(ErrorCode::LoginRequired)),
            (Situation { meant: false, ..none }, refused(ErrorCode::LoginRequired)),
            (Situation { asked_before: false, ..none }, refused(ErrorCode::ConsentRequired)),
            (
                Situation { prompt: Prompt { select_account: true, ..NONE }, ..READY },
                refused(ErrorCode::AccountSelectionRequired),
            ),
        ] {
            assert_eq!(decide_next(&situation), expected, "{situation:?}");
        }
    }
}
