//! Who is in a wait set, and which registrations with the kernel show them.

use super::finding::Found;
use super::member::{Late, Manner, Member, Role, Source, Watched, What};
use super::slots::{Name, Slots};
use super::timers::Timers;
use crate::sys::{Epoll, Event, EventFlags};
use ipc_core::{Error, ErrorKind, Interest, Pollable, Rest, Result};
use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Table<'a, K> {
    pub(super) members: Slots<Member<'a, K>>,
    posts: Slots<Post>,
    by_number: HashMap<RawFd, Name>,
    pub(super) timers: Timers,
    /// Members that are asked before the next sleep, in turn.
    pub(super) asked: VecDeque<Name>,
    /// Of timers and those who are asked each is first now and then.
    pub(super) timers_first: bool,
    /// The disturbances of those that are not, of which we know.
    pub(super) disturbed: usize,
    /// Posts that looked once, and are to look again.
    pub(super) again: Vec<Name>,
    pub(super) late: Late<'a>,
}

/// One registration: the kernel takes a descriptor once, whoever waits for it.
#[derive(Debug)]
struct Post {
    number: RawFd,
    members: Vec<Name>,
}

impl<'a, K: Copy> Table<'a, K> {
    pub(super) fn new() -> Self {
        Self {
            members: Slots::new(),
            posts: Slots::new(),
            by_number: HashMap::new(),
            timers: Timers::new(),
            asked: VecDeque::new(),
            timers_first: false,
            disturbed: Rest::disturbances(),
            again: Vec::new(),
            late: Late::new(),
        }
    }

    /// How much there is to do before a sleep.
    pub(super) fn errands(&self) -> usize {
        self.timers.len() + self.asked.len() + self.again.len()
    }

    pub(super) fn add_timer(&mut self, at: Instant, period: Option<Duration>, key: K) -> Name {
        let due = (at, 0);
        let what = What::Timer { due, period };
        let name = self.members.insert(Member { key, what });
        self.set_timer(name, at);
        name
    }

    /// Takes a member out; it comes back, to be dropped where no lock is held.
    pub(super) fn remove(&mut self, epoll: &Epoll, name: Name) -> Option<Member<'a, K>> {
        let member = self.members.remove(name)?;
        match &member.what {
            What::Timer { due, .. } => self.timers.cancel(*due),
            What::Endpoint(watched) => {
                if watched.asked {
                    self.asked.retain(|asked| *asked != name);
                }
                self.leave(epoll, name, watched);
                match watched.role {
                    Role::Tells { payer: Some(payer) } => drop(self.remove(epoll, payer)),
                    Role::Tells { payer: None } => {}
                    Role::Pays { of } => {
                        if let Some(owing) = self.watched_mut(of) {
                            owing.role = Role::Tells { payer: None };
                        }
                    }
                }
            }
        }
        Some(member)
    }

    /// Has a member told once more. None where it is gone, else whether it is to be asked first.
    pub(super) fn again(&mut self, epoll: &Epoll, name: Name) -> Result<Option<bool>> {
        let Some(watched) = self.watched_mut(name) else {
            return Ok(None);
        };
        let must_ask = !watched.plain;
        if watched.manner == Manner::Quiet {
            watched.manner = Manner::Once;
            let post = watched.post;
            self.ask_again(name);
            self.look_again(epoll, post)?;
        }
        Ok(Some(must_ask))
    }

    /// Notes what an event says. What there is no room for is said again.
    pub(super) fn told(&mut self, epoll: &Epoll, event: Event, found: &mut Found<'_, K>) {
        let name = Name::from_bits(event.data.u64());
        if !found.is_full() {
            self.tell_all(epoll, name, event.flags, found);
        }
        if self.is_one_shot(name) {
            self.again.push(name);
        }
    }

    /// Tells those of a registration, as far as there is room.
    fn tell_all(&mut self, epoll: &Epoll, name: Name, came: EventFlags, found: &mut Found<'_, K>) {
        let Some(post) = self.posts.get(name) else {
            return;
        };
        if let [member] = post.members[..] {
            return self.tell(epoll, member, came, found);
        }
        // All of one endpoint, before the first of them arms it anew.
        for at in 0..post.members.len() {
            let post = self.posts.get(name);
            if let Some(&member) = post.and_then(|post| post.members.get(at)) {
                self.ask_again(member);
            }
        }
        for _ in 0..self.posts.get(name).map_or(0, |post| post.members.len()) {
            let Some(post) = self.posts.get_mut(name) else {
                return;
            };
            // Each has its turn, where the caller takes one at a time.
            post.members.rotate_left(1);
            let Some(&member) = post.members.last() else {
                break;
            };
            self.tell(epoll, member, came, found);
            if found.is_full() {
                break;
            }
        }
    }

    pub(super) fn enter(
        &mut self,
        epoll: &Epoll,
        source: Source<'a>,
        interest: Interest,
        manner: Manner,
        key: K,
        role: Role,
    ) -> Result<Name> {
        let Some(endpoint) = source.get() else {
            return Err(Error::new("add", ErrorKind::Closed)
                .on("wait set")
                .hint("the endpoint is dropped already"));
        };
        let fd = endpoint.descriptor(interest);
        let post = self.post_of(fd.as_raw_fd());
        let plain = endpoint.is_plain();
        let watched = Watched {
            shown: flags(endpoint.shown_by(interest)),
            source,
            interest,
            post,
            plain,
            truly: endpoint.shows_truly(),
            asked: false,
            rests: false,
            manner,
            role,
            came: false,
            told_by: 0,
        };
        let what = What::Endpoint(watched);
        let name = self.members.insert(Member { key, what });
        if let Some(post) = self.posts.get_mut(post) {
            post.members.push(name);
        }
        let watched = epoll.watch(fd, post.bits(), self.flags_of(post));
        self.late.push(Source::Kept(endpoint));
        if let Err(error) = watched {
            self.undo(post, name);
            return Err(error);
        }
        self.ask_again(name);
        Ok(name)
    }

    fn undo(&mut self, post: Name, name: Name) {
        self.members.remove(name);
        if let Some(found) = self.posts.get_mut(post) {
            found.members.retain(|member| *member != name);
            if found.members.is_empty() {
                self.by_number.remove(&found.number);
                self.posts.remove(post);
            }
        }
    }

    /// The registration of descriptor `number`. One that was closed since has lost its members
    /// with its number, and is another's.
    fn post_of(&mut self, number: RawFd) -> Name {
        if let Some(&name) = self.by_number.get(&number) {
            let mut members = self.posts.get(name).map(|post| post.members.clone());
            let members = members.get_or_insert_default();
            members.retain(|member| self.is_alive(*member));
            if !members.is_empty() {
                return name;
            }
            if let Some(post) = self.posts.remove(name) {
                for member in post.members {
                    self.asked.retain(|asked| *asked != member);
                    self.members.remove(member);
                }
            }
        }
        let members = Vec::with_capacity(1);
        let name = self.posts.insert(Post { number, members });
        self.by_number.insert(number, name);
        name
    }

    /// Takes a member that is removed out of its registration.
    fn leave(&mut self, epoll: &Epoll, name: Name, watched: &Watched<'a>) {
        let Some(post) = self.posts.get_mut(watched.post) else {
            return;
        };
        post.members.retain(|member| *member != name);
        let is_empty = post.members.is_empty();
        if is_empty {
            self.by_number.remove(&post.number);
            self.posts.remove(watched.post);
        }
        // What is gone has left the kernel by itself, and its number may be another's.
        if let Some(endpoint) = watched.source.get() {
            let fd = endpoint.descriptor(watched.interest);
            if is_empty {
                epoll.forget(fd);
            } else {
                let _ = epoll.rewatch(fd, watched.post.bits(), self.flags_of(watched.post));
            }
            self.late.push(Source::Kept(endpoint));
        }
    }

    fn tell(&mut self, epoll: &Epoll, name: Name, came: EventFlags, found: &mut Found<'_, K>) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        let key = member.key;
        let What::Endpoint(watched) = &mut member.what else {
            return;
        };
        let ended = came.intersects(EventFlags::HUP | EventFlags::ERR);
        if watched.is_told(found.wait) || !ended && !came.intersects(watched.shown) {
            return;
        }
        watched.came = true;
        if watched.is_to_be_asked() {
            watched.end_rest(&mut self.late);
            watched.asked = true;
            self.asked.push_back(name);
        }
        let told = match watched.role {
            Role::Pays { .. } => match watched.source.with(&mut self.late, pay) {
                Some(false) => Some(false),
                Some(true) | None => None,
            },
            Role::Tells { .. } if watched.source.is_gone() => None,
            Role::Tells { .. } if watched.truly && !ended => Some(true),
            Role::Tells { .. } => watched.is_ready(ended, &mut self.late),
        };
        match told {
            Some(true) => {
                watched.note_told(found.wait);
                found.push(key);
            }
            Some(false) => {}
            None => drop(self.remove(epoll, name)),
        }
    }

    /// Has a member asked before the next sleep, if its kind is.
    fn ask_again(&mut self, name: Name) {
        if let Some(member) = self.members.get_mut(name)
            && let What::Endpoint(watched) = &mut member.what
            && watched.is_to_be_asked()
        {
            watched.end_rest(&mut self.late);
            watched.asked = true;
            self.asked.push_back(name);
        }
    }

    pub(super) fn set_timer(&mut self, name: Name, at: Instant) {
        let set = self.timers.set(at, name);
        if let Some(Member {
            what: What::Timer { due, .. },
            ..
        }) = self.members.get_mut(name)
        {
            *due = set;
        }
    }

    /// Has the kernel look again, for those of a registration that are not quiet.
    pub(super) fn look_again(&mut self, epoll: &Epoll, name: Name) -> Result<()> {
        let Some(post) = self.posts.get(name) else {
            return Ok(());
        };
        let awaited = |member: &Name| match self.members.get(*member).map(|found| &found.what) {
            Some(What::Endpoint(watched)) if watched.manner != Manner::Quiet => {
                Some((watched.source.get()?, watched.interest))
            }
            _ => None,
        };
        let Some((endpoint, interest)) = post.members.iter().find_map(awaited) else {
            return Ok(());
        };
        let fd: BorrowedFd<'_> = endpoint.descriptor(interest);
        let watched = epoll.rewatch(fd, name.bits(), self.flags_of(name));
        self.late.push(Source::Kept(endpoint));
        watched
    }

    fn flags_of(&self, post: Name) -> EventFlags {
        let members = self
            .posts
            .get(post)
            .into_iter()
            .flat_map(|post| &post.members);
        let mut all = EventFlags::empty();
        for member in members {
            if let Some(watched) = self.watched(*member) {
                if watched.manner != Manner::Quiet {
                    all |= watched.shown;
                }
                if watched.is_one_shot() {
                    all |= EventFlags::ONESHOT;
                }
            }
        }
        all
    }

    fn is_one_shot(&self, post: Name) -> bool {
        let members = self.posts.get(post).map_or(&[][..], |post| &post.members);
        let mut watched = members.iter().filter_map(|member| self.watched(*member));
        watched.any(Watched::is_one_shot)
    }

    fn is_alive(&self, member: Name) -> bool {
        self.watched(member)
            .is_some_and(|watched| !watched.source.is_gone())
    }

    fn watched(&self, name: Name) -> Option<&Watched<'a>> {
        match &self.members.get(name)?.what {
            What::Endpoint(watched) => Some(watched),
            What::Timer { .. } => None,
        }
    }

    pub(super) fn watched_mut(&mut self, name: Name) -> Option<&mut Watched<'a>> {
        match &mut self.members.get_mut(name)?.what {
            What::Endpoint(watched) => Some(watched),
            What::Timer { .. } => None,
        }
    }
}

const fn flags(interest: Interest) -> EventFlags {
    match interest {
        Interest::Read => EventFlags::IN,
        Interest::Write => EventFlags::OUT,
    }
}

/// Pays; whether nothing is left to wait for, also since the peer that would read it is gone. Where
/// something is, the endpoint is told of the sleep, and its descriptor shows the room.
pub(super) fn pay(endpoint: &dyn Pollable) -> bool {
    let paid = || !matches!(endpoint.pay(), Err(error) if error.kind() == ErrorKind::WouldBlock);
    paid() || endpoint.arm(Interest::Write).unwrap_or(true) && paid()
}
