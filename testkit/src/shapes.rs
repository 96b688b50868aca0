//! The matrix of ways in which the same call can be written: body type times final slash.

use std::thread;

use crate::BodyType::{Form, Json};
use crate::{Answer, BodyType, Server};

/// One way to write a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How its fields are written.
    pub body: BodyType,
    /// Whether the path ends with a slash.
    pub slash: bool,
}

impl Shape {
    /// All four ways.
    pub const ALL: [Self; 4] = [
        Self { body: Json, slash: true },
        Self { body: Json, slash: false },
        Self { body: Form, slash: true },
        Self { body: Form, slash: false },
    ];

    /// A path, given with its final slash, in this shape.
    pub fn path(self, path: &str) -> &str {
        with_slash(path, self.slash)
    }

    /// A POST of fields in this shape.
    pub fn post(self, server: &Server, path: &str, fields: &[(&str, &str)]) -> Answer {
        server.http().post(self.path(path)).fields(self.body, fields).send()
    }
}

/// Runs a rule in all four shapes; a failure says in which.
#[track_caller]
pub fn for_each_shape(mut rule: impl FnMut(Shape)) {
    for shape in Shape::ALL {
        let _named = NamedOnPanic(format!("{shape:?}"));
        rule(shape);
    }
}

/// Runs a rule on a path, given with its final slash, with and without it.
#[track_caller]
pub fn for_each_slash(path: &str, mut rule: impl FnMut(&str)) {
    for slash in [true, false] {
        let path = with_slash(path, slash);
        let _named = NamedOnPanic(path.to_owned());
        rule(path);
    }
}

fn with_slash(path: &str, slash: bool) -> &str {
    assert!(path.ends_with('/'), "paths are given with their final slash: {path}");
    if slash { path } else { path.trim_end_matches('/') }
}

struct NamedOnPanic(String);

impl Drop for NamedOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this failed in the shape {}", self.0);
        }
    }
}
