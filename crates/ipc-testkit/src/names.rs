//! Names that somebody will choose one day: generated, the same in every run.

/// At least 300 distinct names that break careless code: ways out of a directory, NUL, every
/// control byte, what a shell or a terminal would act on, lengths around the limits, bytes that
/// are no UTF-8, and letters that look the same and are not.
///
/// Which of them a mechanism takes is its own affair; it must say so, and do nothing else.
#[must_use]
pub fn nasty_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    names.extend(WORDS.iter().map(|word| word.as_bytes().to_vec()));
    // Each byte behind a letter, and before one: all control bytes, all that is not ASCII.
    names.extend((0..=255).map(|byte| vec![b'a', byte]));
    names.extend((0..=255).map(|byte| vec![byte, b'a']));
    // Around what a name, a path of a socket and a component of a path may have.
    for length in [
        99, 100, 101, 106, 107, 108, 109, 254, 255, 256, 4095, 4096, 4097,
    ] {
        names.push(vec![b'n'; length]);
        names.push("\u{e9}".repeat(length / 2).into_bytes());
    }
    names.extend([
        b"\xff\xfe".to_vec(),
        b"\xc3".to_vec(),
        b"\xed\xa0\x80".to_vec(),
    ]);
    names.extend([
        b"\xc0\xae\xc0\xae".to_vec(),
        b"a\x80".to_vec(),
        b"\xf5".to_vec(),
    ]);
    names.sort();
    names.dedup();
    names
}

/// What looks harmless, one by one.
const WORDS: &[&str] = &[
    "",
    ".",
    "..",
    "...",
    "/",
    "//",
    "../x",
    "x/..",
    "x/../y",
    "./x",
    "x/",
    "/x",
    "//x",
    "x//y",
    "/../../etc/passwd",
    "-",
    "--",
    "-rf",
    "--help",
    "-",
    "~",
    "~root",
    "*",
    "?",
    "[a]",
    "$HOME",
    "`id`",
    "$(id)",
    "a;b",
    "a|b",
    "a&b",
    "a b",
    " a",
    "a ",
    "  ",
    "a'b",
    "a\"b",
    "a\\b",
    "%s%n",
    "%00",
    "%2e%2e%2f",
    "..%2f",
    "CON",
    "nul",
    "@abstract",
    "\u{feff}x",
    "x\u{200b}y",
    "\u{202e}cba",
    "\u{202d}abc",
    "\u{2066}a\u{2069}",
    "a\u{0}b",
    "\u{0}",
    "x\u{0}",
    "\u{1b}[2J",
    "\u{1b}]0;title\u{7}",
    "line\nbreak",
    "line\r\nbreak",
    "tab\tstop",
    "\u{85}",
    "\u{2028}",
    // Composed and decomposed: the same to the eye, two names to the kernel.
    "\u{e9}",
    "e\u{301}",
    "\u{c5}",
    "A\u{30a}",
    "\u{212b}",
    "\u{f1}",
    "n\u{303}",
    "\u{1e9b}\u{323}",
    "\u{1e69}",
    "s\u{323}\u{307}",
    "s\u{307}\u{323}",
    "\u{ac00}",
    "\u{1100}\u{1161}",
    "\u{fb01}",
    "fi",
    "\u{3a9}",
    "\u{2126}",
    "\u{430}",
    "a",
    "\u{131}",
    "i",
    "\u{df}",
    "ss",
    "\u{1e9e}",
    "\u{5d0}\u{5d1}",
    "\u{645}\u{631}",
    "\u{1f600}",
    "\u{1f468}\u{200d}\u{1f469}",
    "\u{10ffff}",
];
