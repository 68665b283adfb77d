//! Bytes that go between a pipe and another descriptor without passing through this process.

use crate::sys::Far;
use crate::{Receiver, Sender};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use std::os::fd::{AsFd, BorrowedFd};

impl Receiver {
    four_forms! {
        /// Moves at least one byte, at most `most`, to `target`, any descriptor that the kernel
        /// can splice to: a file at its current position, a socket, another pipe. Returns how
        /// many; what is not moved stays in the pipe, so that nothing is ever half way.
        ///
        /// A socket that blocks has only this form: the kernel takes no flag for it. Where it
        /// comes to wait in the kernel, others at this pipe wait too.
        ///
        /// ```
        /// use std::io::{Read, Seek};
        /// use std::os::fd::AsFd;
        /// # let memory = rustix::fs::memfd_create("doc", rustix::fs::MemfdFlags::CLOEXEC)
        /// #     .map_err(std::io::Error::from)?;
        /// # let mut file = std::fs::File::from(memory);
        /// let (tx, rx) = ipc_pipe::pair()?;
        /// tx.send(b"pear")?;
        /// assert_eq!(rx.splice_to(file.as_fd(), 1 << 20)?, 4);
        /// # let mut text = String::new();
        /// file.rewind()?;
        /// file.read_to_string(&mut text)?;
        /// assert_eq!(text, "pear");
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the last sender has gone and all is moved, or when
        /// nobody reads `target` any more; [`WrongType`](ErrorKind::WrongType) for what cannot be
        /// spliced to; [`Unsupported`](ErrorKind::Unsupported) for the other forms and a socket
        /// or a terminal that blocks; [`InvalidInput`](ErrorKind::InvalidInput) in
        /// [`record`](crate::Options::record) mode, since a splice does not know records.
        #[doc(alias = "splice")]
        splice_to / try_splice_to / splice_to_timeout / splice_to_deadline
            = splice_to_until(target: BorrowedFd<'_>, most: usize) -> usize
    }

    four_forms! {
        /// Copies at least one byte, at most `most`, to the pipe of `target`, and leaves them
        /// here to be received. Returns how many. Both pipes then hold the same pages.
        ///
        /// Called again before anything is received it copies the same bytes again.
        ///
        /// ```
        /// let ((tx, rx), (copy, tap)) = (ipc_pipe::pair()?, ipc_pipe::pair()?);
        /// tx.send(b"pear")?;
        /// assert_eq!(rx.tee_to(&copy, 1 << 16)?, 4);
        /// let mut bytes = [0; 16];
        /// assert_eq!(tap.recv(&mut bytes)?, rx.recv(&mut bytes)?);
        /// # Ok::<(), ipc_pipe::Error>(())
        /// ```
        ///
        /// # Errors
        /// As [`splice_to`](Receiver::splice_to); what `target` owes goes out before.
        #[doc(alias = "tee")]
        tee_to / try_tee_to / tee_to_timeout / tee_to_deadline
            = tee_to_until(target: &Sender, most: usize) -> usize
    }

    fn splice_to_until(&self, target: BorrowedFd<'_>, most: usize, until: Until) -> Result<usize> {
        check_bytes("splice", self.keeps_records())?;
        if most == 0 {
            return Ok(0);
        }
        let moved = self.end().splice_to(Far::target(target)?, most, until)?;
        unless_ended("splice", moved)
    }

    fn tee_to_until(&self, target: &Sender, most: usize, until: Until) -> Result<usize> {
        check_bytes("tee", self.keeps_records() || target.keeps_records())?;
        if most == 0 {
            return Ok(0);
        }
        target.make_ready(most, until)?;
        let copied = self.end().tee_to(Far::pipe(target.as_fd()), most, until)?;
        unless_ended("tee", copied)
    }
}

impl Sender {
    four_forms! {
        /// Moves at least one byte, at most `most`, from `source`, any descriptor that the kernel
        /// can splice from, into the pipe; returns how many, and 0 at the end of `source`. What
        /// is owed goes out before. Nothing is taken from `source` that is not in the pipe.
        ///
        /// The pipe then holds the pages of a *file*, not a copy: who writes to the file before
        /// they are received changes what is received.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when nobody can read the pipe any more; else as
        /// [`Receiver::splice_to`]. A Unix stream has all forms, though it blocks.
        #[doc(alias = "splice")]
        splice_from / try_splice_from / splice_from_timeout / splice_from_deadline
            = splice_from_until(source: BorrowedFd<'_>, most: usize) -> usize
    }

    fn splice_from_until(
        &self,
        source: BorrowedFd<'_>,
        most: usize,
        until: Until,
    ) -> Result<usize> {
        check_bytes("splice", self.keeps_records())?;
        if most == 0 {
            return Ok(0);
        }
        self.make_ready(most, until)?;
        self.end().splice_from(Far::source(source)?, most, until)
    }
}

pub(crate) fn check_bytes(operation: &'static str, record: bool) -> Result<()> {
    if record {
        return Err(Error::new(operation, ErrorKind::InvalidInput)
            .hint("a pipe in record mode keeps messages apart, which this does not: use send"));
    }
    Ok(())
}

fn unless_ended(operation: &'static str, moved: usize) -> Result<usize> {
    match moved {
        0 => Err(Error::new(operation, ErrorKind::Closed)),
        moved => Ok(moved),
    }
}
