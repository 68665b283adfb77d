//! Takes the `rust` blocks out of a README and makes programs of them, as rustdoc does.

/// One `rust` block that is meant to build.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// The line of its fence, from 1.
    pub(super) line: usize,
    pub(super) code: String,
    /// Whether it is meant to run too, and not just to build.
    pub(super) runs: bool,
}

/// What the README tells who types its example to list: the lines of the first block of TOML below
/// the heading `Example`, without `[dependencies]` itself.
pub(super) fn dependencies(text: &str) -> Option<String> {
    let (_, example) = text.split_once("\n## Example\n")?;
    let example = example.split("\n## ").next()?;
    let (_, block) = example.split_once("```toml\n[dependencies]")?;
    let (_, lines) = block.split_once('\n')?;
    Some(lines.split("```").next()?.to_owned())
}

/// Every block that is fenced as `rust` and neither ignored nor meant to fail.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &str, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some((index + 1, language.trim(), String::new())),
            (Some(_), Some((start, language, code))) => found.extend(block(start, language, code)),
            (None, Some((start, language, mut code))) => {
                code.push_str(line);
                code.push('\n');
                open = Some((start, language, code));
            }
            (None, None) => {}
        }
    }
    found
}

fn block(line: usize, language: &str, code: String) -> Option<Block> {
    let words: Vec<&str> = language.split(',').map(str::trim).collect();
    let tried = words.first() == Some(&"rust")
        && !words
            .iter()
            .any(|word| ["ignore", "compile_fail", "should_panic"].contains(word));
    tried.then(|| Block {
        line,
        code,
        runs: !words.contains(&"no_run"),
    })
}

impl Block {
    /// A whole program: hidden lines shown, and `main` added where there is none.
    pub(super) fn program(&self) -> String {
        let code: String = self
            .code
            .lines()
            .map(|line| format!("{}\n", shown(line)))
            .collect();
        if code.contains("fn main(") {
            return code;
        }
        let fallible = code
            .split_whitespace()
            .collect::<String>()
            .ends_with("(())");
        if fallible {
            format!(
                "fn main() {{\n    fn example() -> Result<(), impl std::fmt::Debug> {{\n{code}\n\
                 }}\n    example().unwrap();\n}}\n"
            )
        } else {
            format!("fn main() {{\n{code}\n}}\n")
        }
    }
}

/// A line as the compiler sees it: `# ` hides it from the reader, `##` stands for `#`.
fn shown(line: &str) -> String {
    let indented = line.trim_start();
    match indented.strip_prefix('#') {
        Some("") => String::new(),
        Some(rest) if rest.starts_with(' ') => rest[1..].to_owned(),
        Some(rest) if rest.starts_with('#') => line.replacen("##", "#", 1),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_are_not_meant_to_build_are_left_out() {
        let text = "```rust\na();\n```\n```text\nb\n```\n```rust,no_run\nc();\n```\n\
                    ```rust,ignore\nd();\n```\n";
        let found = blocks(text);
        assert_eq!(found.len(), 2);
        assert!(found[0].runs && !found[1].runs);
        assert_eq!((found[0].line, found[0].code.as_str()), (1, "a();\n"));
    }

    #[test]
    fn a_block_becomes_the_program_that_rustdoc_makes_of_it() {
        let block = |code: &str| {
            Block {
                line: 1,
                code: code.to_owned(),
                runs: true,
            }
            .program()
        };
        assert_eq!(block("fn main() {}\n"), "fn main() {}\n");
        assert!(block("# use a::b;\nb();\n").starts_with("fn main() {\nuse a::b;\nb();"));
        assert!(block("x()?;\n# Ok::<(), Error>(())\n").contains("example().unwrap()"));
        assert!(block("#[derive(Debug)]\nstruct A;\n").contains("#[derive(Debug)]"));
    }

    #[test]
    fn the_dependencies_are_those_of_the_example() {
        let text = "```toml\n[dependencies]\na = 1\n```\n## Example\n```toml\n[dependencies] # b\n\
                    b = 1\nc = 2\n```\n```rust\n```\n## Limits\n```toml\n[dependencies]\nd = 1\n```\n";
        assert_eq!(dependencies(text).as_deref(), Some("b = 1\nc = 2\n"));
        assert_eq!(dependencies("\n## Example\n```rust\n```\n"), None);
    }
}
