//! A member: a process that sends or receives what it is told to, until its server is gone.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use super::{Done, END, Invitation, Members, SENDER_SHIFT, Seat, Task};
use crate::{
    cost,
    family::{Endpoint, Maker},
    mechanisms, payload, placement, protocol,
};

/// What a member process does, until its server is gone.
pub fn run(server: u32) -> io::Result<()> {
    placement::die_with_parent(server)?;
    let control = io::stdin().as_fd().try_clone_to_owned()?;
    let (invitation, given) = protocol::receive::<Invitation>(&control)?;
    let mut member = match Member::new(&invitation, given) {
        Ok(member) => member,
        Err(error) => return protocol::send(&control, &failed(&error), &[]),
    };
    protocol::send(&control, &Done::default(), &[])?;
    loop {
        let task = match protocol::receive::<Task>(&control) {
            Ok((task, _)) => task,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let done = member.work(task).unwrap_or_else(|error| failed(&error));
        protocol::send(&control, &done, &[])?;
    }
}

fn failed(error: &io::Error) -> Done {
    Done {
        failed: Some(error.to_string()),
        ..Done::default()
    }
}

struct Member {
    end: Box<dyn Endpoint>,
    seat: Seat,
    senders: usize,
    buffer: Vec<u8>,
}

impl Member {
    fn new(invitation: &Invitation, given: Vec<OwnedFd>) -> io::Result<Member> {
        placement::allow(&invitation.cpus)?;
        let members = maker(invitation)?;
        Ok(Member {
            end: (members.join)(invitation.seat, given, &invitation.shape)?,
            seat: invitation.seat,
            senders: members.counts.0,
            buffer: vec![0; invitation.shape.size],
        })
    }

    fn work(&mut self, task: Task) -> io::Result<Done> {
        let before = cost::begin(false)?;
        let mut done = Done::default();
        match task {
            Task::Pass(message) => self.end.send(&message)?,
            Task::Send(messages) => self.send(messages)?,
            Task::End(ends) => {
                payload::stamp(&mut self.buffer, END);
                (0..ends).try_for_each(|_| self.end.send(&self.buffer))?;
            }
            Task::TakeOne => {
                self.end.recv(&mut self.buffer)?;
                done.taken = self.buffer.clone();
            }
            Task::Take => done.messages = self.take()?,
        }
        done.usage = cost::end(before, false)?;
        Ok(done)
    }

    fn send(&mut self, messages: u32) -> io::Result<()> {
        let Seat::Sender(sender) = self.seat else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        for number in 1..=messages {
            let stamp = (sender as u64) << SENDER_SHIFT | u64::from(number);
            payload::stamp(&mut self.buffer, stamp);
            self.end.send(&self.buffer)?;
        }
        Ok(())
    }

    /// Takes messages until the end: of each sender those that come must come in its order.
    fn take(&mut self) -> io::Result<u32> {
        let (mut last, mut came) = (vec![0; self.senders], 0);
        loop {
            self.end.recv(&mut self.buffer)?;
            let head = self.buffer.first_chunk().copied();
            let stamp = u64::from_le_bytes(head.ok_or(io::ErrorKind::InvalidData)?);
            if stamp == END {
                return Ok(came);
            }
            let number = stamp & ((1 << SENDER_SHIFT) - 1);
            match last.get_mut((stamp >> SENDER_SHIFT) as usize) {
                Some(last) if *last < number => *last = number,
                _ => {
                    return Err(io::Error::other(format!(
                        "message {stamp:#x} is out of order"
                    )));
                }
            }
            came += 1;
        }
    }
}

fn maker(invitation: &Invitation) -> io::Result<Members> {
    let named = |maker: &&Maker| maker.name == invitation.maker;
    let families = mechanisms::all();
    let family = families
        .iter()
        .find(|family| family.name == invitation.mechanism);
    let maker = family.and_then(|family| family.makers.iter().find(named));
    let members = maker.and_then(|maker| maker.members);
    members.ok_or_else(|| io::Error::other("no such maker has members"))
}
