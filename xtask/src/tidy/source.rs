//! Reads Rust source far enough to tell code from comments and text, and no further.

/// The source with the content of comments, strings and characters replaced by spaces. Line breaks
/// and offsets stay.
pub(crate) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = skip(bytes, at);
        if end > at {
            for byte in &mut code[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            at = end;
        } else {
            at += 1;
            // A word that ends in r or b is no prefix of a raw string.
            if is_word(bytes[at - 1]) && !raw_prefix(bytes, at - 1) {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
            }
        }
    }
    String::from_utf8(code).expect("whole comments and strings became spaces")
}

/// The lines (counted from 1) on which `word` stands as a whole word.
pub(crate) fn lines_with_word<'a>(
    code: &'a str,
    word: &'a str,
) -> impl Iterator<Item = usize> + 'a {
    code.lines().enumerate().filter_map(move |(index, line)| {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.any(|found| found == word).then_some(index + 1)
    })
}

/// Where the comment or literal that starts at `at` ends; `at` where none starts.
fn skip(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return at
            + rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return block_comment(bytes, at);
    }
    if rest[0] == b'"' {
        return quoted(bytes, at, b'"');
    }
    if rest[0] == b'\'' {
        // 'a' and '\n' are characters, 'a without a closing quote is a lifetime.
        let escaped = rest.get(1) == Some(&b'\\');
        let width = rest.get(1).map_or(1, |first| utf8_width(*first));
        if escaped || rest.get(1 + width) == Some(&b'\'') {
            return quoted(bytes, at, b'\'');
        }
    }
    if raw_prefix(bytes, at) {
        return raw_string(bytes, at);
    }
    at
}

fn block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Whether `r"`, `r#"`, `br"`, `cr#"` and the like start here.
fn raw_prefix(bytes: &[u8], at: usize) -> bool {
    let mut rest = &bytes[at..];
    if let [b'b' | b'c', tail @ ..] = rest {
        rest = tail;
    }
    let [b'r', tail @ ..] = rest else {
        return false;
    };
    let hashes = tail.iter().take_while(|byte| **byte == b'#').count();
    tail.get(hashes) == Some(&b'"')
}

fn raw_string(bytes: &[u8], start: usize) -> usize {
    let open = start
        + bytes[start..]
            .iter()
            .position(|byte| *byte == b'"')
            .unwrap_or_default();
    let hashes = bytes[start..open]
        .iter()
        .filter(|byte| **byte == b'#')
        .count();
    let mut at = open + 1;
    while at < bytes.len() {
        let closes = bytes[at] == b'"'
            && bytes[at + 1..]
                .iter()
                .take_while(|byte| **byte == b'#')
                .count()
                >= hashes;
        if closes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    at
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn utf8_width(first: u8) -> usize {
    match first {
        0..0x80 => 1,
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> usize {
        lines_with_word(&code_only(source), "unsafe").count()
    }

    #[test]
    fn code_counts_and_text_does_not() {
        assert_eq!(words("unsafe { f() }"), 1);
        assert_eq!(words("// unsafe\n/* unsafe /* unsafe */ unsafe */"), 0);
        assert_eq!(
            words(r##"let a = "unsafe \" unsafe"; let b = r#"unsafe " unsafe"#;"##),
            0
        );
        assert_eq!(words("let quote = '\"'; unsafe {}"), 1);
        assert_eq!(words("fn f<'a>(x: &'a str) { unsafe {} }"), 1);
        assert_eq!(words("let c = 'é'; let d = '\\''; unsafe {}"), 1);
        assert_eq!(words("#![allow(unsafe_code)]"), 0);
        assert_eq!(words("let bar = 1; bar\"unsafe\""), 0);
    }

    #[test]
    fn offsets_stay() {
        let source = "a /* é\n */ b \"x\ny\" c";
        assert_eq!(code_only(source).len(), source.len());
        assert_eq!(code_only(source).lines().count(), source.lines().count());
    }
}
