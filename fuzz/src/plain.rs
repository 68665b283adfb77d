//! A mutator for hosts on which libFuzzer cannot be built: it changes known inputs and sees no
//! coverage, so it finds less. Its options are libFuzzer's, as far as it has them.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Inputs are at most this long where nothing else is said.
const DEFAULT_MAX_LEN: usize = 4096;
/// Lengths, counts and marks at which parsers go wrong.
const INTERESTING: &[&[u8]] = &[
    &[0; 4],
    &[0xff; 4],
    &[0xff; 8],
    &[0, 0, 0, 0x80],
    &[0, 0, 0x40, 0],
    &[1, 0, 0, 0],
    b"/",
    b"..",
    b"\0",
];

struct Options {
    runs: u64,
    time: Duration,
    seed: u64,
    max_len: usize,
    artifacts: String,
    inputs: Vec<PathBuf>,
}

/// Runs `check` on the files given, or on mutations of those in the directories given, until a
/// run panics or its count or time is over.
pub fn main(check: fn(&[u8])) -> ExitCode {
    let options = Options::parse(std::env::args().skip(1));
    let files: Vec<PathBuf> = options
        .inputs
        .iter()
        .filter(|p| p.is_file())
        .cloned()
        .collect();
    for file in &files {
        check(&fs::read(file).expect("the input can be read"));
    }
    if !files.is_empty() {
        return ExitCode::SUCCESS;
    }
    let mut corpus = vec![Vec::new()];
    for dir in &options.inputs {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        corpus.extend(paths.iter().filter_map(|path| fs::read(path).ok()));
    }
    fuzz(check, &options, &corpus)
}

fn fuzz(check: fn(&[u8]), options: &Options, corpus: &[Vec<u8>]) -> ExitCode {
    let start = Instant::now();
    let mut random = Random(options.seed.max(1));
    let mut runs = 0;
    while runs < options.runs && start.elapsed() < options.time {
        let input = match corpus.get(runs as usize) {
            Some(known) => known.clone(),
            None => random.mutation(corpus, options.max_len),
        };
        runs += 1;
        if catch_unwind(AssertUnwindSafe(|| check(&input))).is_err() {
            let path = format!("{}crash-{}-{runs}", options.artifacts, options.seed);
            fs::write(&path, &input).expect("the place for findings can be written to");
            eprintln!("Test unit written to {path}");
            eprintln!("stat::number_of_executed_units: {runs}");
            return ExitCode::from(77);
        }
    }
    eprintln!("stat::number_of_executed_units: {runs}");
    ExitCode::SUCCESS
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            runs: u64::MAX,
            time: Duration::MAX,
            seed: 1,
            max_len: DEFAULT_MAX_LEN,
            artifacts: String::new(),
            inputs: Vec::new(),
        };
        for argument in arguments {
            let Some((key, value)) = argument.strip_prefix('-').and_then(|a| a.split_once('='))
            else {
                options.inputs.push(Path::new(&argument).to_owned());
                continue;
            };
            let number = value.parse::<u64>();
            match (key, number) {
                ("runs", Ok(runs)) => options.runs = runs,
                ("max_total_time", Ok(seconds)) => options.time = Duration::from_secs(seconds),
                ("seed", Ok(seed)) => options.seed = seed,
                ("max_len", Ok(len)) => options.max_len = len as usize,
                ("artifact_prefix", _) => options.artifacts = value.to_owned(),
                // Limits that only libFuzzer can hold a target to.
                _ => {}
            }
        }
        options
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn mutation(&mut self, corpus: &[Vec<u8>], max_len: usize) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.next() as u8,
                2 => bytes.truncate(at),
                3 => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len() + 1);
                    bytes.splice(at..at, other[from..].iter().copied());
                }
                4 => {
                    let known = INTERESTING[self.below(INTERESTING.len())];
                    bytes.splice(at..at, known.iter().copied());
                }
                _ => {
                    let byte = self.next() as u8;
                    let count = self.below(32);
                    bytes.splice(at..at, std::iter::repeat_n(byte, count));
                }
            }
        }
        bytes.truncate(max_len);
        bytes
    }
}
