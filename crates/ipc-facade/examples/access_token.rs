//! A token that lets one process in, once, for a short time: a descriptor, and who shows it.
//!
//! An authority seals a page of `shm` memory (`Protection::Immutable`), gives its descriptor to
//! the vault and to the client over `uds`, and the client shows it to the vault. Nobody can write
//! to the page, and no copy of it is the same object for the kernel, so it cannot be forged; it
//! names a user and a process, which the kernel says of the connection too, so it is worth
//! nothing to a thief; the vault's own clock ends it. No key, no secret, nothing in files,
//! arguments or environments. Between hosts take `net::tls`. Run it (as root it also tries
//! another user): `cargo run -p ipc-facade --example access_token`. It prints what the vault says
//! to each who comes.

use ipc_facade::shm::{self, Protection, Region};
use ipc_facade::uds::{self, Address, Policy, SeqPacket};
use ipc_facade::{Credentials, ErrorKind};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::{fs::MetadataExt, process::CommandExt};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
A vault that lets in who shows a token of his own, in time, and once.

usage: access_token";

const PATIENCE: Duration = Duration::from_secs(10);
const NOBODY: u32 = 65534;

/// Who comes, and what the vault must say.
const VISITORS: [(&str, &str); 6] = [
    ("honest", "welcome"),
    ("replays", "used already"),
    ("late", "expired"),
    ("thief", "it is of another process"),
    ("forger", "it is not ours"),
    ("stranger", "it is of another user"),
];

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => authority(),
        ["vault", name] => vault(name),
        ["visitor", part, name, owner] => visit(part, name, owner),
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

/// Who may come in with a token: what stands in the sealed page.
type Claims = [u32; 2];

/// By what the kernel tells one object from every other that exists at the time.
fn identity(fd: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let file = File::from(fd.try_clone_to_owned()?).metadata()?;
    Ok((file.dev(), file.ino()))
}

/// Abstract names have no permissions, so a policy says who may come, to be asked for a token.
fn address(name: &str, place: &str) -> Outcome<Address> {
    Ok(Address::abstract_name(format!("{name}-{place}"))?)
}

fn bind(name: &str, place: &str) -> Outcome<uds::SeqPacketListener> {
    let users = Policy::users([our_user()?, NOBODY]);
    Ok(uds::Options::new()
        .policy(users)
        .bind_seqpacket(address(name, place)?)?)
}

fn our_user() -> io::Result<u32> {
    Ok(fs::metadata("/proc/self")?.uid())
}

/// Gives each visitor a token, and sees what becomes of it.
fn authority() -> Outcome {
    let name = format!("access_token-{}", std::process::id());
    let owner = our_user()?;
    let desk = bind(&name, "desk")?;
    let (to_vault, theirs) = uds::pair_seqpacket()?;
    let start = |command: &mut Command, words: &[&str]| command.args(words).arg(&name).spawn();
    let mut vault = start(program().stdin(OwnedFd::from(theirs)), &["vault"])?;
    to_vault.recv_timeout(&mut [0; 8], PATIENCE)?; // it is open

    let mut failed = Vec::new();
    for (part, _) in VISITORS {
        let mut command = program();
        if part == "stranger" {
            if owner != 0 {
                println!("stranger: left out, since only root can start a process of another user");
                continue;
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        let owner = owner.to_string();
        let mut visitor = command.args(["visitor", part, &name, &owner]).spawn()?;
        let client = desk.accept_timeout(PATIENCE)?;
        let Credentials { pid, uid, .. } = client.credentials()?;
        let (claims, life) = match part {
            "thief" => ([uid, std::process::id()], PATIENCE), // of somebody else
            "stranger" => ([0, pid], PATIENCE),
            "late" => ([uid, pid], Duration::from_millis(20)),
            _ => ([uid, pid], PATIENCE),
        };
        let token = mint(claims)?;
        to_vault.send_with_fds(&(life.as_millis() as u64).to_le_bytes(), &[token.as_fd()])?;
        to_vault.recv_timeout(&mut [0; 8], PATIENCE)?; // the vault knows it, before it is shown
        client.send_with_fds(b"token", &[token.as_fd()])?;
        if !visitor.wait()?.success() {
            failed.push(part);
        }
    }
    drop(to_vault); // the vault closes
    if vault.wait()?.success() && failed.is_empty() {
        Ok(())
    } else {
        Err(format!("not as it should be: {failed:?}").into())
    }
}

/// This program, also where another user may not enter the directory that it is in.
fn program() -> Command {
    Command::new("/proc/self/exe")
}

fn mint(claims: Claims) -> Outcome<OwnedFd> {
    let mut options = shm::Options::new();
    let mut page = options
        .size_bytes(size_of::<Claims>())
        .narrowable(true)
        .anonymous()?;
    page.write(0, &claims)?;
    page.protect(Protection::Immutable)?;
    Ok(page.to_read_only_fd()?)
}

/// A token that the authority has told of.
struct Token {
    page: OwnedFd,
    claims: Claims,
    ends: Instant,
    used: bool,
}

fn vault(name: &str) -> Outcome {
    let authority = SeqPacket::from(io::stdin().as_fd().try_clone_to_owned()?);
    let door = bind(name, "door")?;
    let tokens = Mutex::new(Vec::<Token>::new());
    authority.send(b"open")?;
    thread::scope(|scope| {
        let tokens = &tokens;
        // Ends with the process, when the authority is gone.
        scope.spawn(move || {
            while let Ok(visitor) = door.accept() {
                let answer = judge(&visitor, tokens).unwrap_or_else(|error| error.to_string());
                let _ = visitor.send_timeout(answer.as_bytes(), PATIENCE);
            }
        });
        while let Some(token) = learn(&authority)? {
            tokens
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(token);
            authority.send(b"known")?;
        }
        std::process::exit(0)
    })
}

/// The next token that the authority makes; none when it ends.
fn learn(authority: &SeqPacket) -> Outcome<Option<Token>> {
    let (mut life, mut gift) = ([0; 8], uds::Ancillary::new());
    match authority.recv_with_fds(&mut life, &mut gift) {
        Err(error) if error.kind() == ErrorKind::Closed => return Ok(None),
        other => other?,
    };
    let page = gift.take_fds().next().ok_or("no token came")?;
    Ok(Some(Token {
        claims: Region::from_fd(page.try_clone()?)?.read(0)?,
        page,
        ends: Instant::now() + Duration::from_millis(u64::from_le_bytes(life)),
        used: false,
    }))
}

/// What a visitor is told.
fn judge(visitor: &SeqPacket, tokens: &Mutex<Vec<Token>>) -> Outcome<String> {
    let mut gift = uds::Ancillary::new();
    visitor.recv_with_fds_timeout(&mut [0; 8], &mut gift, PATIENCE)?;
    let shown = gift.take_fds().next().ok_or("no token")?;
    let shown = identity(shown.as_fd())?;
    let who = visitor.credentials()?; // the kernel's word, not the visitor's
    let mut tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
    // As long as we hold the page, no other object has its identity.
    let ours = tokens
        .iter_mut()
        .find(|token| identity(token.page.as_fd()).ok() == Some(shown));
    let answer = match ours {
        None => "it is not ours",
        Some(token) if token.claims[0] != who.uid => "it is of another user",
        Some(token) if token.claims[1] != who.pid => "it is of another process",
        Some(token) if token.ends < Instant::now() => "expired",
        Some(token) if token.used => "used already",
        Some(token) => {
            token.used = true;
            "welcome"
        }
    };
    Ok(answer.to_owned())
}

/// Plays one part, and knows what it must lead to.
fn visit(part: &str, name: &str, owner: &str) -> Outcome {
    let mut options = uds::Options::new();
    options.policy(Policy::users([owner.parse()?])); // whom we ask is who we think
    let connect = |place| -> Outcome<SeqPacket> {
        Ok(options.connect_seqpacket_timeout(address(name, place)?, PATIENCE)?)
    };
    let mut gift = uds::Ancillary::new();
    connect("desk")?.recv_with_fds_timeout(&mut [0; 8], &mut gift, PATIENCE)?;
    let mut token = gift.take_fds().next().ok_or("no token came")?;
    let show = |token: &OwnedFd| -> Outcome<String> {
        let (door, mut answer) = (connect("door")?, [0; 64]);
        door.send_with_fds(b"open", &[token.as_fd()])?;
        let length = door.recv_timeout(&mut answer, PATIENCE)?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    match part {
        "replays" => drop(show(&token)?),
        "late" => thread::sleep(Duration::from_millis(40)), // twice as long as it lives
        // The same bytes, sealed as well.
        "forger" => token = mint(Region::from_fd(token)?.read(0)?)?,
        _ => {}
    }
    let answer = show(&token)?;
    println!("{part}: {answer}");
    let expected = VISITORS.iter().find(|(known, _)| *known == part);
    if expected.is_some_and(|(_, expected)| *expected == answer) {
        Ok(())
    } else {
        Err("the vault should have said something else".into())
    }
}
