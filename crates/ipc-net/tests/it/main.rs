//! The tests of ipc-net, one file per question.
