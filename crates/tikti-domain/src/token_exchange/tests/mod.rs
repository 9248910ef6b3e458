//! The decision from all sides: a world in which everything is in order, a table of what changes in it,
//! and what holds whatever changes.

mod properties;
mod table;
mod world;
