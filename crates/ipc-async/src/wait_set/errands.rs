//! What is done before a sleep: timers, members that must be asked, and what is owed.

use super::finding::Found;
use super::member::{Manner, Role, What};
use super::slots::Name;
use super::table::{Table, pay};
use super::timers::following;
use crate::sys::Epoll;
use ipc_core::{Debt, Interest, Pollable, Rest, Result, Until};
use std::time::Instant;

impl<K: Copy> Table<'_, K> {
    /// What is to be done before a sleep; returns when the next timer ends it.
    pub(super) fn run_errands(
        &mut self,
        epoll: &Epoll,
        until: Until,
        found: &mut Found<'_, K>,
    ) -> Result<Until> {
        while let Some(&post) = self.again.last() {
            self.look_again(epoll, post)?;
            self.again.pop();
        }
        if Debt::is_any_unpaid() {
            self.pay_debts(epoll)?;
        }
        let disturbed = Rest::disturbances();
        if disturbed != self.disturbed {
            self.disturbed = disturbed;
            self.ask_all_again();
        }
        self.timers_first = !self.timers_first;
        if self.timers_first {
            self.take_timers(found);
            self.ask(epoll, found)?;
        } else {
            self.ask(epoll, found)?;
            self.take_timers(found);
        }
        Ok(match (until, self.timers.next()) {
            (Until::Forever, Some(next)) => Until::At(next),
            (Until::At(instant), Some(next)) => Until::At(instant.min(next)),
            _ => until,
        })
    }

    /// Asks those who are to be asked, the next after who was found last first. Who has nothing,
    /// and whose descriptor will show what comes, is asked no more until it does.
    fn ask(&mut self, epoll: &Epoll, found: &mut Found<'_, K>) -> Result<()> {
        for _ in 0..self.asked.len() {
            if found.is_full() {
                break;
            }
            let Some(name) = self.asked.pop_front() else {
                break;
            };
            let Some(member) = self.members.get_mut(name) else {
                continue;
            };
            let What::Endpoint(watched) = &mut member.what else {
                continue;
            };
            watched.asked = watched.manner != Manner::Quiet;
            if !watched.asked {
                continue;
            }
            if watched.is_told(found.wait) {
                self.asked.push_back(name);
                continue;
            }
            match watched.is_ready_unshown(&mut self.late) {
                None => drop(self.remove(epoll, name)),
                Some(true) => {
                    watched.note_told(found.wait);
                    found.push(member.key);
                    self.asked.push_back(name);
                }
                Some(false) => {
                    watched.asked = !watched.rests;
                    // What one that rests owes is in a debt, and those are looked at already.
                    if watched.asked {
                        self.asked.push_back(name);
                        self.pay_debt(epoll, name)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Somebody has used an endpoint that a set relied on: whose it was, nobody says.
    #[cold]
    fn ask_all_again(&mut self) {
        for (name, member) in self.members.iter_mut() {
            if let What::Endpoint(watched) = &mut member.what
                && watched.rests
            {
                watched.end_rest(&mut self.late);
                watched.asked = true;
                self.asked.push_back(name);
            }
        }
    }

    fn take_timers(&mut self, found: &mut Found<'_, K>) {
        if self.timers.len() == 0 {
            return;
        }
        let now = Instant::now();
        while !found.is_full() {
            let Some((at, name)) = self.timers.take(now) else {
                break;
            };
            let Some(member) = self.members.get(name) else {
                continue;
            };
            found.push(member.key);
            let What::Timer { period, .. } = member.what else {
                continue;
            };
            match period.and_then(|period| following(at, period, now)) {
                Some(next) => self.set_timer(name, next),
                None => _ = self.members.remove(name),
            }
        }
    }

    #[cold]
    fn pay_debts(&mut self, epoll: &Epoll) -> Result<()> {
        let names: Vec<Name> = self.members.iter().map(|(name, _)| name).collect();
        names
            .into_iter()
            .try_for_each(|name| self.pay_debt(epoll, name))
    }

    /// Writes what a member owes, as far as it fits; for the rest its room is waited for. The peer
    /// may need the end of a question before it answers.
    fn pay_debt(&mut self, epoll: &Epoll, name: Name) -> Result<()> {
        let Some(member) = self.members.get(name) else {
            return Ok(());
        };
        let What::Endpoint(watched) = &member.what else {
            return Ok(());
        };
        if watched.role != (Role::Tells { payer: None }) {
            return Ok(());
        }
        let owes = |endpoint: &dyn Pollable| endpoint.owes() && !pay(endpoint);
        if watched.source.with(&mut self.late, owes) != Some(true) {
            return Ok(());
        }
        let (key, source) = (member.key, watched.source.clone());
        let role = Role::Pays { of: name };
        let payer = self.enter(epoll, source, Interest::Write, Manner::Always, key, role)?;
        if let Some(watched) = self.watched_mut(name) {
            watched.role = Role::Tells { payer: Some(payer) };
        }
        Ok(())
    }
}
