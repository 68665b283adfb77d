//! `cargo xtask deny`: licences, advisories and sources of the dependencies.

use xshell::cmd;

use crate::Outcome;
use crate::workspace::shell;

/// Runs cargo-deny over `deny.toml`; without the tool, says how to get it.
pub(crate) fn run() -> Outcome {
    let sh = shell()?;
    if cmd!(sh, "cargo deny --version")
        .quiet()
        .ignore_stderr()
        .read()
        .is_err()
    {
        return Err(
            "cargo-deny is not installed: `cargo install --locked cargo-deny`, or take it \
                    from your distribution; it is needed for this command only"
                .into(),
        );
    }
    Ok(cmd!(sh, "cargo deny --workspace --all-features check").run()?)
}
