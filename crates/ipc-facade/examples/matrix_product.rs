//! A matrix product by four processes in shared memory, in steps that they take together.
//!
//! The matrices stand in one `shm` region, so that nothing is sent: each worker writes rows of its
//! own and reads those of all. A `sem::Barrier` holds everybody until the factors are there, and
//! again until the product is; should a worker die, it says `PeerDied` to the others, who would
//! wait for ever at a barrier of the C library. Run it:
//! `cargo run -p ipc-facade --example matrix_product`. It prints how many products of rows each
//! worker made, and that the whole equals the product made by one; with `--death` a worker dies,
//! and the others and the command say so.

use ipc_facade::sem::Barrier;
use ipc_facade::shm::{self, Region};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::{Command, ExitCode};
use std::{env, io};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Four processes multiply two matrices in shared memory.

usage: matrix_product [--death]

  --death  a worker dies half-way: the others learn of it, and the command fails";

const WORKERS: usize = 4;
/// Rows and columns.
const SIDE: usize = 128;
type Row = [i64; SIDE];
type Matrix = [Row; SIDE];

// Where things stand in the region.
const BARRIER_AT: usize = 0;
const LEFT_AT: usize = BARRIER_AT + Barrier::SIZE_BYTES;
const RIGHT_AT: usize = LEFT_AT + size_of::<Matrix>();
const PRODUCT_AT: usize = RIGHT_AT + size_of::<Matrix>();
const SIZE_BYTES: usize = PRODUCT_AT + size_of::<Matrix>();

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => lead(false),
        ["--death"] => lead(true),
        ["worker", number, fate] => number
            .parse()
            .map_err(Into::into)
            .and_then(|number| work(number, fate == "dies")),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(HELP.into()),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn lead(death: bool) -> Outcome {
    let region = shm::anonymous(SIZE_BYTES)?;
    Barrier::create_trusted(&region, BARRIER_AT, WORKERS as u32)?;
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let fate = if death && number == 1 {
            "dies"
        } else {
            "works"
        };
        let mut worker = Command::new(env::current_exe()?);
        worker.args(["worker", &number.to_string(), fate]);
        workers.push(worker.stdin(region.to_fd()?).spawn());
    }
    let mut failed = 0;
    for worker in workers {
        failed += usize::from(!worker?.wait()?.success());
    }
    if failed > 0 {
        return Err(format!("{failed} of {WORKERS} workers failed: there is no product").into());
    }

    for number in 0..SIDE {
        let product: Row = row(&region, PRODUCT_AT, number)?;
        if product != times(&left(number), &std::array::from_fn(right)) {
            return Err(format!("row {number} is not what one process makes of it").into());
        }
    }
    println!("{SIDE} x {SIDE}: equal to the product made by one");
    Ok(())
}

fn work(number: usize, dies: bool) -> Outcome {
    let region = Region::from_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let barrier = Barrier::open_trusted(&region, BARRIER_AT)?;
    let together = |step: &str| match barrier.wait() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("worker {number}, {step}: {error}")),
    };

    together("at the start")?; // from here on everybody is known
    let ours = (0..SIDE).filter(|row| row % WORKERS == number);
    for number in ours.clone() {
        region.write(at(LEFT_AT, number), &left(number))?;
        region.write(at(RIGHT_AT, number), &right(number))?;
    }
    if dies {
        std::process::abort();
    }
    together("before the product")?;
    let right: Box<Matrix> = Box::new(region.read(RIGHT_AT)?);
    for number in ours.clone() {
        let product = times(&row(&region, LEFT_AT, number)?, &right);
        region.write(at(PRODUCT_AT, number), &product)?;
    }
    together("after the product")?;
    println!("worker {number} made {} rows", ours.count());
    Ok(())
}

fn at(matrix: usize, row: usize) -> usize {
    matrix + row * size_of::<Row>()
}

fn row(region: &Region, matrix: usize, number: usize) -> Outcome<Row> {
    Ok(region.read(at(matrix, number))?)
}

/// A row of the left factor.
fn left(number: usize) -> Row {
    std::array::from_fn(|column| (number * 31 + column * 17) as i64 % 23 - 11)
}

/// A row of the right factor.
fn right(number: usize) -> Row {
    std::array::from_fn(|column| (number * 13 + column * 29) as i64 % 19 - 9)
}

/// A row times a matrix.
fn times(row: &Row, matrix: &Matrix) -> Row {
    let mut product = [0; SIDE];
    for (factor, row) in row.iter().zip(matrix) {
        for (sum, value) in product.iter_mut().zip(row) {
            *sum += factor * value;
        }
    }
    product
}
