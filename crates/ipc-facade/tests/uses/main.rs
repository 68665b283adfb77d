//! The use cases of docs/use-cases.md: each example is run as a user would run it, what it prints
//! is read, and nothing of it may be left.

mod ends;
mod files;
mod memory;
mod messages;
mod network;
mod run;
