//! Which events are wanted, and what the kernel side needs to know for that.

use vedette_event::{EventFlags, EventType};
use vedette_rules::prefilter::{OpenFilter, Prefilter};

use crate::spec::{Filter, Want};
use crate::syscalls::{
    ALL, EVENT_EXECVE, EVENT_EXECVEAT, EVENT_PROCEXIT, EVENTS_CLONE, NR_EXEC, NR_FORK_CHILD,
    NR_PROCEXIT, Syscall,
};

/// Which results of a call are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Successes and failures.
    Any,
    /// Results that are not an error number.
    Success,
    /// Error numbers.
    Failure,
}

/// One wanted event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// The event's type.
    pub kind: EventType,
    /// Which of its results.
    pub outcome: Outcome,
}

impl From<EventType> for Interest {
    fn from(kind: EventType) -> Self {
        Self {
            kind,
            outcome: Outcome::Any,
        }
    }
}

impl Interest {
    /// Every event that the sensor can produce.
    pub fn everything() -> Vec<Self> {
        let mut kinds: Vec<EventType> = ALL.iter().map(|s| EventType(s.event)).collect();
        kinds.push(EventType(EVENT_PROCEXIT));
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(Self::from).collect()
    }

    /// What the state engine needs whatever the rules ask: the events that change processes, descriptors or users. What
    /// failed changed nothing, but for a connection that is under way.
    pub fn for_state() -> Vec<Self> {
        Self::everything()
            .into_iter()
            .filter(|i| {
                i.kind
                    .info()
                    .is_some_and(|info| info.flags.has(EventFlags::MODIFIES_STATE))
            })
            .map(|i| Self {
                outcome: if i.kind.name() == "connect" {
                    Outcome::Any
                } else {
                    Outcome::Success
                },
                ..i
            })
            .collect()
    }

    fn want(self) -> Want {
        match self.outcome {
            Outcome::Any => Want::OK.or(Want::FAILED),
            Outcome::Success => Want::OK,
            Outcome::Failure => Want::FAILED,
        }
    }
}

/// Event types that were asked for and that no live source produces: old versions, plugin events, enter events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwatchable(pub Vec<EventType>);

/// What the sensor is to tell.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Events that somebody looks at.
    asked: Vec<Interest>,
    /// Events that only change the state behind the fields.
    behind: Vec<Interest>,
    /// Which opens somebody looks at; `None`: all.
    opens: Option<OpenFilter>,
}

impl Watch {
    /// Everything that the sensor can tell.
    pub fn everything() -> Self {
        Interest::everything().as_slice().into()
    }

    /// What rules need, and the state behind their fields.
    pub fn rules(filter: Prefilter) -> Self {
        let asked: Vec<Interest> = filter
            .wants
            .iter()
            .map(|want| Interest {
                kind: want.kind,
                outcome: match (want.success, want.failure) {
                    (true, false) => Outcome::Success,
                    (false, true) => Outcome::Failure,
                    _ => Outcome::Any,
                },
            })
            .collect();
        let mut behind = Interest::for_state();
        behind.extend(filter.behind_fields.into_iter().map(Interest::from));
        // Who looks at closes wants to see what was closed: then opens have to be told in time.
        let closes = |i: &Interest| matches!(i.kind.0, EVENT_CLOSE | EVENT_CLOSE_RANGE);
        let opens = filter.opens.filter(|_| !asked.iter().any(closes));
        Self {
            asked,
            behind,
            opens,
        }
    }

    pub(crate) fn opens(&self) -> Option<&OpenFilter> {
        self.opens.as_ref()
    }

    /// How the kernel side is to look at a call.
    pub(crate) fn filter(&self, call: &Syscall) -> Filter {
        let asked = self.asked.iter().any(|i| i.kind.0 == call.event);
        match call.event {
            EVENT_CLOSE if asked || self.opens.is_none() => Filter::CloseTold,
            EVENT_CLOSE => Filter::Close,
            EVENT_FCNTL if !asked => Filter::Fcntl,
            EVENT_OPEN | EVENT_OPENAT | EVENT_OPENAT2 if self.opens.is_some() => Filter::Open,
            _ => Filter::None,
        }
    }
}

impl From<&[Interest]> for Watch {
    fn from(asked: &[Interest]) -> Self {
        Self {
            asked: asked.to_vec(),
            ..Self::default()
        }
    }
}

impl From<&Vec<Interest>> for Watch {
    fn from(asked: &Vec<Interest>) -> Self {
        asked.as_slice().into()
    }
}

impl<const N: usize> From<&[Interest; N]> for Watch {
    fn from(asked: &[Interest; N]) -> Self {
        asked.as_slice().into()
    }
}

const EVENT_OPEN: u16 = 3;
const EVENT_CLOSE: u16 = 5;
const EVENT_FCNTL: u16 = 151;
const EVENT_OPENAT: u16 = 307;
const EVENT_OPENAT2: u16 = 327;
const EVENT_CLOSE_RANGE: u16 = 451;

/// What is wanted of each system call and tracepoint.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    wants: Vec<(u16, Want)>,
}

impl Plan {
    /// Adds up interests. Types that were asked for and cannot be produced come back.
    pub(crate) fn new(watch: &Watch) -> (Self, Unwatchable) {
        let mut wants: Vec<(u16, Want)> = ALL
            .iter()
            .map(|s| s.nr)
            .chain([NR_PROCEXIT, NR_EXEC, NR_FORK_CHILD])
            .map(|nr| (nr, Want::NOTHING))
            .collect();
        let mut unwatchable = Unwatchable::default();
        let mut add = |nr: u16, want: Want| {
            if let Some(entry) = wants.iter_mut().find(|(n, _)| *n == nr) {
                entry.1 = entry.1.or(want);
            }
        };
        for interest in watch.asked.iter().chain(&watch.behind) {
            let id = interest.kind.0;
            let mut found = false;
            for syscall in ALL.iter().filter(|s| s.event == id) {
                add(syscall.nr, interest.want());
                found = true;
            }
            if id == EVENT_PROCEXIT {
                add(NR_PROCEXIT, Want::OK);
                found = true;
            }
            if id == EVENT_EXECVE || id == EVENT_EXECVEAT {
                add(NR_EXEC, interest.want());
            }
            if EVENTS_CLONE.contains(&id) {
                add(NR_FORK_CHILD, interest.want());
            }
            if !found {
                unwatchable.0.push(interest.kind);
            }
        }
        (Self { wants }, unwatchable)
    }

    /// Numbers and what is wanted of them, nothing included.
    pub(crate) fn wants(&self) -> impl Iterator<Item = (u16, Want)> + '_ {
        self.wants.iter().copied()
    }
}

/// The row of a number, if it is a system call.
pub(crate) fn syscall(nr: u16) -> Option<&'static Syscall> {
    ALL.iter().find(|s| s.nr == nr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(interests: &[Interest]) -> (Plan, Unwatchable) {
        Plan::new(&interests.into())
    }

    fn want_of(plan: &Plan, nr: u16) -> Want {
        plan.wants()
            .find(|(n, _)| *n == nr)
            .map(|(_, want)| want)
            .unwrap()
    }

    #[test]
    fn interests_add_up() {
        let close = EventType::by_symbol("SYSCALL_CLOSE_X").unwrap();
        let (plan, rest) = plan_of(&[
            Interest {
                kind: close,
                outcome: Outcome::Failure,
            },
            Interest {
                kind: close,
                outcome: Outcome::Success,
            },
        ]);
        assert_eq!(want_of(&plan, 3), Want::OK.or(Want::FAILED));
        assert_eq!(want_of(&plan, 257), Want::NOTHING);
        assert_eq!(rest, Unwatchable::default());
    }

    #[test]
    fn exec_and_clone_bring_their_tracepoints() {
        let exec = EventType(EVENT_EXECVE).into();
        let clone = EventType(EVENTS_CLONE[0]).into();
        let (plan, _) = plan_of(&[exec, clone]);
        assert_eq!(want_of(&plan, NR_EXEC), Want::OK.or(Want::FAILED));
        assert_eq!(want_of(&plan, NR_FORK_CHILD), Want::OK.or(Want::FAILED));
        assert_eq!(want_of(&plan, NR_PROCEXIT), Want::NOTHING);
    }

    #[test]
    fn what_cannot_be_watched_comes_back() {
        let plugin = EventType::by_symbol("PLUGINEVENT_E").unwrap();
        let (_, rest) = plan_of(&[plugin.into()]);
        assert_eq!(rest, Unwatchable(vec![plugin]));
    }

    #[test]
    fn the_state_needs_what_changes_it() {
        let state = Interest::for_state();
        for name in [
            "execve", "clone3", "procexit", "openat", "close", "dup2", "connect",
        ] {
            assert!(state.iter().any(|i| i.kind.name() == name), "{name}");
        }
        assert!(state.iter().all(|i| i.kind.name() != "read"));
    }
}
