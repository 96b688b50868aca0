//! The traits of obol-store over one SQLite file.
