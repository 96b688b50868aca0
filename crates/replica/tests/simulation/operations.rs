//! What callers ask of a node, and how it answers: as the application does, with a real replica.

use std::sync::Arc;
use std::time::Duration;

use obol_replica::Replica;
use obol_store::{Denials, Deny};
use obol_testkit::checker::{Grant, Operation, Outcome, Target};
use obol_token::{Asked, Claims, ClientId, Expiry, FamilyId, Scratch, Subject, SubjectId, TokenId};
use tokio::time::sleep;

use crate::dice::Dice;
use crate::history::{History, Token};
use crate::link::{Link, OPERATION};
use crate::machine::when;
use crate::world::{Ms, NODES, TURN};

/// What a caller asks.
#[derive(Clone)]
pub(crate) enum Ask {
    Issue,
    Verify(Arc<Token>),
    Revoke(Revoked),
}

/// What is to be revoked.
#[derive(Clone)]
pub(crate) enum Revoked {
    /// A token, or its family if it has one.
    Token(Arc<Token>),
    User(u64),
    Client(u64),
    Everything,
}

/// An operation that a node was asked to do.
pub(crate) struct Operated {
    pub(crate) number: u64,
    pub(crate) ask: Ask,
    pub(crate) link: Arc<Link>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) history: Arc<History>,
    /// Tokens that are asked about after a revocation of others with them.
    pub(crate) others: Vec<Arc<Token>>,
}

impl Operated {
    /// Does it, and notes the answer.
    pub(crate) async fn perform(self) {
        let said = OPERATION.scope(self.number, self.said()).await;
        self.history.answer(self.number, self.now(), said);
    }

    async fn said(&self) -> Vec<Operation> {
        match &self.ask {
            Ask::Issue => self.issue().await,
            Ask::Verify(token) => {
                vec![Operation::Verify { token: token.name.clone(), outcome: self.verify(token).await }]
            }
            Ask::Revoke(what) => {
                let outcome = self.revoke(what).await;
                self.follow_up(what, outcome);
                vec![Operation::Revoke { what: what.target(), outcome }]
            }
        }
    }

    async fn verify(&self, token: &Token) -> Outcome {
        let Ok((vouched, now)) = self.replica.vouch_now() else { return Outcome::Unknown };
        self.be_preempted().await;
        let mut scratch = Scratch::default();
        let client = client(token.client);
        match vouched.memory().verify(&token.sealed, Asked::Client(&client), now, &mut scratch) {
            Ok(_) => Outcome::Done(()),
            Err(_) => Outcome::Refused,
        }
    }

    /// One token, or a family of up to three.
    async fn issue(&self) -> Vec<Operation> {
        let mut dice = self.dice(1);
        let Ok((vouched, now)) = self.replica.vouch_now() else {
            return vec![Operation::Issue { outcome: Outcome::Unknown }];
        };
        self.be_preempted().await;
        let family = dice
            .once_in(2)
            .then(|| (FamilyId::from_bytes(dice.bytes()), format!("f{:x}", self.number).into()));
        let (client_number, user) = (dice.below(3), dice.below(4));
        let (client, username) = (client(client_number), format!("u{user}"));
        let mut said = Vec::new();
        for nth in 0..if family.is_some() { dice.between(1..=3) } else { 1 } {
            let expires_at = match dice.once_in(5) {
                true => Expiry::At(now.plus_secs(5 + i64::try_from(dice.below(25)).expect("few"))),
                false => Expiry::Never,
            };
            let id = TokenId::from_bytes(dice.bytes());
            let claims = Claims {
                token_id: id,
                family: family.as_ref().map(|(id, _)| *id),
                client_id: &client,
                subject: Some(Subject { id: subject(user), username: &username }),
                scopes: "read",
                audience: None,
                confirmation: None,
                issued_at: now,
                expires_at,
                position: vouched.position(),
            };
            let Ok(sealed) = vouched.memory().seal(&claims, dice.bytes()) else { continue };
            let name = format!("t{:x}.{nth}", self.number).into();
            let token =
                Token { name, sealed, id, family: family.clone(), client: client_number, user, expires_at };
            said.push(Operation::Issue { outcome: Outcome::Done(Box::new(grant(&token))) });
            self.history.given(self.number, self.now(), token);
        }
        said
    }

    async fn revoke(&self, what: &Revoked) -> Outcome {
        // Without a lease nothing is begun.
        let Ok((_, now)) = self.replica.vouch_now() else { return Outcome::Refused };
        self.be_preempted().await;
        let Ok(appended) = self.link.deny(&what.deny(), now).await else { return Outcome::Unknown };
        match self.replica.confirm(appended).await {
            Ok(_) => Outcome::Done(()),
            Err(_) => Outcome::Unknown,
        }
    }

    /// Every node is asked about what was revoked: at once, and later; and about what has to settle, when it has.
    fn follow_up(&self, what: &Revoked, outcome: Outcome) {
        let moments: &[(Ms, Ms)] = match outcome {
            Outcome::Done(()) => &[(0, 0), (0, 8), (10, 60), (80, 400), (600, 2_500), (3_000, 30_000)],
            Outcome::Unknown => &[(0, 100), (500, 2_000), (2_110, 2_300), (2_400, 5_000), (5_000, 9_000)],
            Outcome::Refused => return,
        };
        let tokens: Vec<_> = match what {
            Revoked::Token(token) => vec![Arc::clone(token)],
            _ => self.others.iter().filter(|token| what.covers(token)).take(3).cloned().collect(),
        };
        let mut dice = self.dice(2);
        for token in &tokens {
            for slot in 0..NODES {
                for (from, until) in moments {
                    let at = self.now() + TURN + dice.between(*from..=*until);
                    self.history.ask_later(at, dice.next(), slot, Ask::Verify(Arc::clone(token)));
                }
            }
        }
    }

    /// Now and then the thread is taken away between one step and the next, for as long as the machine likes.
    async fn be_preempted(&self) {
        let mut dice = self.dice(3);
        if dice.once_in(8) {
            sleep(Duration::from_millis(dice.scaled(1..=3_000))).await;
        }
    }

    fn dice(&self, question: u64) -> Dice {
        Dice::of(self.link.world.seed, &[6, self.number, question])
    }

    fn now(&self) -> Ms {
        self.link.machine().now()
    }
}

impl Ask {
    /// What is noted when there was no answer.
    pub(crate) fn unanswered(&self) -> Operation {
        match self {
            Self::Issue => Operation::Issue { outcome: Outcome::Unknown },
            Self::Verify(token) => Operation::Verify { token: token.name.clone(), outcome: Outcome::Unknown },
            Self::Revoke(what) => Operation::Revoke { what: what.target(), outcome: Outcome::Unknown },
        }
    }
}

impl Revoked {
    fn target(&self) -> Target {
        match self {
            Self::Token(token) => match &token.family {
                Some((_, family)) => Target::Family(family.clone()),
                None => Target::Token(token.name.clone()),
            },
            Self::User(user) => Target::User(format!("u{user}").into()),
            Self::Client(number) => Target::Client(client(*number).into()),
            Self::Everything => Target::Everything,
        }
    }

    fn deny(&self) -> Deny {
        match self {
            Self::Token(token) => match token.family {
                Some((family, _)) => Deny::Family(family),
                None => Deny::Token { id: token.id, expires_at: token.expires_at },
            },
            Self::User(user) => Deny::Subject(subject(*user)),
            Self::Client(number) => Deny::Client(ClientId::new(&client(*number)).expect("a client's id")),
            Self::Everything => Deny::Everything,
        }
    }

    fn covers(&self, token: &Token) -> bool {
        match self {
            Self::Token(_) => false,
            Self::User(user) => token.user == *user,
            Self::Client(client) => token.client == *client,
            Self::Everything => true,
        }
    }
}

fn grant(token: &Token) -> Grant {
    Grant {
        access: token.name.clone(),
        refresh: None,
        family: token.family.as_ref().map(|(_, name)| name.clone()),
        client: client(token.client).into(),
        user: Some(format!("u{}", token.user).into()),
        expires_at: match token.expires_at {
            Expiry::Never => None,
            Expiry::At(at) => Some(Duration::from_millis(when(at))),
        },
    }
}

fn client(number: u64) -> String {
    format!("c{number}")
}

fn subject(user: u64) -> SubjectId {
    SubjectId::from_bytes([u8::try_from(user).expect("few people"); 16])
}
