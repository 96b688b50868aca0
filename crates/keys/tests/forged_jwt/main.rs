//! Forged JWT access tokens that must not verify. Home of the attacks of RFC 8725 §2 and of others that were seen.
//!
//! Whoever forges here may do more than an outsider can: most rows are well signed with the right key.

mod forms;
mod headers;
mod house;
mod payloads;
mod signatures;

use std::collections::HashSet;
use std::time::Instant;

use obol_keys::ForeignJwt;
use obol_token::{Algorithm, Refusal};
use proptest::prelude::*;

use crate::house::House;

/// A forged token, by the name of the attack.
type Row = (String, String);

fn table(house: &House) -> Vec<Row> {
    [headers::rows(house), payloads::rows(house), signatures::rows(house), forms::rows(house)].concat()
}

#[test]
fn forged_tokens_do_not_verify_and_genuine_ones_do() {
    let house = House::new();
    let table = table(&house);
    assert!(table.len() >= 80, "{} rows", table.len());
    let mut seen = HashSet::new();
    for (name, token) in &table {
        assert!(seen.insert(name), "{name} is there twice");
        assert!(!house.is_genuine(token), "{name} changes nothing");
    }
    let refused = |when: &str| {
        for (name, token) in &table {
            let verdict = house.verdict(token);
            let expected = matches!(verdict, Err(Refusal::Malformed | Refusal::UnknownKey | Refusal::Forged));
            assert!(expected, "{name}, {when}: {verdict:?}\n{token}");
        }
    };
    refused("before any was verified");
    for algorithm in Algorithm::ALL {
        for when in ["anew", "remembered"] {
            assert_eq!(house.verdict(house.genuine(algorithm)), Ok(()), "{algorithm:?} {when}");
        }
    }
    refused("with the signatures of genuine ones remembered");
}

#[test]
fn a_remembered_signature_does_not_outlive_its_keys() {
    let house = House::new();
    for algorithm in Algorithm::ALL {
        let token = house.genuine(algorithm);
        assert_eq!(house.verdict(token), Ok(()));
        assert_eq!(house.verdict_without_signing_key(algorithm, token), Err(Refusal::UnknownKey));
        assert_eq!(house.verdict_without_sealing_key(token), Err(Refusal::UnknownKey));
        assert_eq!(house.verdict(token), Ok(()), "and the key is looked for each time");
    }
}

#[test]
fn what_is_signed_as_one_type_opens_as_no_other() {
    let house = House::new();
    for algorithm in Algorithm::ALL {
        let key = house.signing.current(algorithm).unwrap();
        let text = key.sign_compact(algorithm, "JWT", br#"{"iss":"https://a"}"#).unwrap();
        assert_eq!(house.signing.open_compact("JWT", &text).unwrap(), br#"{"iss":"https://a"}"#);
        assert_eq!(house.signing.open_compact("logout+jwt", &text), None);
        assert_eq!(house.signing.open_compact("JWT", house.genuine(algorithm)), None);
        assert_eq!(house.signing.without(key.id()).open_compact("JWT", &text), None, "retired");
        let of_that_type = |name: &str| name.starts_with("an ID token") || name == "typ JWT";
        for (name, token) in table(&house).into_iter().filter(|(name, _)| !of_that_type(name)) {
            assert_eq!(house.signing.open_compact("JWT", &token), None, "{name}");
        }
    }
}

/// The promise is about CPU time; the least of many turns is that, whatever else the machine does.
#[test]
fn a_remembered_token_costs_at_most_three_times_an_opaque_one() {
    let house = House::new();
    let least = |token: &str| {
        let turn = |_| {
            let began = Instant::now();
            (0..20).for_each(|_| assert_eq!(house.verdict(token), Ok(())));
            began.elapsed()
        };
        (0..200).map(turn).min().unwrap()
    };
    let opaque = least(&house.issue_opaque());
    for algorithm in Algorithm::ALL {
        let signed = least(house.genuine(algorithm));
        assert!(signed <= 3 * opaque, "{algorithm:?}: {signed:?}, opaque: {opaque:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_refused_without_a_panic(text in "(eyJ[A-Za-z0-9_-]{0,60})?\\.?[ -~]{0,80}\\.?[A-Za-z0-9_-]{0,90}") {
        let house = house::shared();
        prop_assert!(house.verdict(&text).is_err());
        prop_assert_eq!(house.signing.open_compact("JWT", &text), None);
        prop_assert!(ForeignJwt::read(&text).is_err());
    }

    #[test]
    fn a_genuine_token_with_anything_else_in_it_is_refused(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.=+/ -]{0,3}") {
        let house = house::shared();
        for algorithm in Algorithm::ALL {
            let mut token = house.genuine(algorithm).to_owned();
            let at = at.index(token.len());
            token.replace_range(at..=at, &with);
            prop_assert_eq!(house.verdict(&token).is_ok(), house.is_genuine(&token));
        }
    }
}
