//! What broke systems like this one, tried against a running server: one file a row of the catalogue of
//! attacks, each test named by its row.
//!
//! Rows A and T are here. Where a row says "every", its test goes over the table of routes and the served
//! API document: what a new route brings is attacked as soon as it is served, and whatever this suite
//! cannot judge of it fails until somebody says what it is, in `slots`.
//!
//! Spec: attacks.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on has failed; these hold for its helpers too"
)]

// How a server is started, how it is asked, and a good request for every route: what the tests of the API
// are built from, the very files, so that a new route has to be told to one of them alone.
#[path = "../../../crates/tikti-server/tests/api/bad_input/contents.rs"]
mod contents;
#[expect(dead_code, reason = "shared: some of it is for the tests of the API alone")]
#[path = "../../../crates/tikti-server/tests/api/bad_input/fields.rs"]
mod fields;
#[path = "../../../crates/tikti-server/tests/api/doors/forge.rs"]
mod forge;
#[expect(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared: some of it is for the tests of the API alone"
)]
#[path = "../../../crates/tikti-server/tests/api/support/mod.rs"]
mod support;

mod call;
mod forms;
mod slots;
mod world;

mod a1;
mod a10;
mod a2;
mod a3;
mod a4;
mod a5;
mod a6;
mod a7;
mod a8;
mod a9;
mod t1;
mod t2;
mod t3;
mod t4;
mod t5;
mod t6;
mod t7;
