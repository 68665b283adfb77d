//! Rule `functions`: a function is short enough to be understood at once, and a line to be read.

use super::Finding;
use super::source::code_only;
use super::tree::Tree;

const AIM: usize = 70;
const LIMIT: usize = 100;
const COLUMNS: usize = 100;

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let source = |path: &str| path.ends_with(".rs");
    for (path, text) in tree.files().iter().filter(|(path, _)| source(path)) {
        let code = code_only(text);
        for Function { name, line, lines } in functions(&code) {
            let message = format!(
                "`{name}` has {lines} lines; aim at {AIM}, at most {LIMIT}: split it by subject"
            );
            if lines > LIMIT {
                findings.push(Finding::error(path, line, message));
            } else if lines > AIM {
                findings.push(Finding::warning(path, line, message));
            }
        }
        for (index, (line, code)) in text.lines().zip(code.lines()).enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS && !is_excused(line, code) {
                let message = format!("{columns} columns; at most {COLUMNS}");
                findings.push(Finding::error(path, index + 1, message));
            }
        }
    }
}

/// A string cannot be broken without changing it, and a table in a comment not without spoiling it.
fn is_excused(line: &str, code: &str) -> bool {
    let words = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let text = words(line) > words(code);
    match line.split_once("//") {
        None => text,
        Some((before, comment)) => {
            let table = comment.trim_start_matches(['/', '!', ' ']).starts_with('|');
            before.contains('"') || (before.trim().is_empty() && table)
        }
    }
}

/// A function with a body.
struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

/// The functions of a file, from the line of `fn` to that of the closing brace.
fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = next_word(code, from, "fn") {
        from = at + 2;
        let rest = &code[from..];
        let name = rest.trim_start();
        let name = &name[..name.find(|c: char| !is_word(c)).unwrap_or(name.len())];
        if name.is_empty() {
            // The type of a function pointer.
            continue;
        }
        let Some(end) = body(rest) else { continue };
        found.push(Function {
            name,
            line: code[..at].matches('\n').count() + 1,
            lines: rest[..end].matches('\n').count() + 1,
        });
    }
    found
}

/// Where the body that follows a function's name ends; `None` where a `;` comes first.
fn body(rest: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces <= 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn next_word(code: &str, from: usize, word: &str) -> Option<usize> {
    let mut start = from;
    loop {
        let at = start + code[start..].find(word)?;
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
            return Some(at);
        }
        start = at + word.len();
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::check;

    #[test]
    fn a_long_function_warns_and_a_longer_one_fails_and_so_does_a_wide_line() {
        rejects(
            "functions",
            check,
            &[
                (
                    "crates/ipc-odd/src/long.rs:4: warning",
                    "`long` has 71 lines",
                ),
                ("crates/ipc-odd/src/long.rs:75", "`longer` has 101 lines"),
                ("crates/ipc-odd/src/wide.rs:4", "101 columns"),
                ("crates/ipc-odd/src/wide.rs:6", "113 columns"),
            ],
        );
    }
}
