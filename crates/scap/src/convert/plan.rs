//! Compiles the conversion table: for each event type and number of parameters, one step to today's form.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use vedette_event::{EVENT_TYPES, EventFlags, EventType, MAX_PARAMS, ParamType};

use super::table::{Change, ROWS, Take};

/// Steps that the oldest event needs to today's form. The table's longest chain (execve, thirteen versions of it) has
/// fewer; the bound keeps a wrong row from looping.
const MAX_STEPS: usize = 32;

/// What becomes of an event of one shape.
#[derive(Debug)]
pub(super) struct Plan {
    pub action: Action,
    /// Type of the result.
    pub kind: EventType,
    /// Type of the start of the call that the sources take from.
    pub start: Option<EventType>,
    /// Where each parameter of the result comes from.
    pub sources: Vec<Source>,
    /// False when the event stays as it is.
    pub changed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start of a call that nothing is taken from.
    Drop,
    /// Start of a call that takes a number.
    Pass,
    /// Start of a call whose parameters its end will take.
    Keep { numbered: bool },
    /// An event.
    Emit,
}

/// Where a parameter comes from. `width` is the size of the parameter in the result, when it is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// From the event itself.
    Old { index: u8, width: Option<u8> },
    /// From the start of the call; `default` when there is none.
    Start {
        index: u8,
        width: Option<u8>,
        default: &'static [u8],
    },
    /// The value that stands for "not known" where the language asks for one.
    Default(&'static [u8]),
    /// Nothing.
    Empty,
    /// The JSON text of an old container event.
    ContainerJson,
}

/// The compiled table.
#[derive(Debug)]
pub(super) struct Plans {
    /// By type: the number of parameters that today's form has, [`ANY`] or [`NONE`].
    current: [u8; EVENT_TYPES],
    /// By type and number of parameters: the place of the plan in `found`, plus 1; 0 for none.
    index: Vec<u16>,
    found: Vec<Plan>,
}

/// Shapes of one type in [`Plans::index`].
const SHAPES: usize = MAX_PARAMS + 1;

/// Any number of parameters is today's form: the type never changed.
const ANY: u8 = u8::MAX;
/// No number of parameters is: the type is old, or the start of a call.
const NONE: u8 = u8::MAX - 1;

impl Plans {
    /// True when events of this shape need no conversion.
    #[inline]
    pub(super) fn is_current(&self, kind: EventType, nparams: usize) -> bool {
        match self.current.get(usize::from(kind.0)) {
            Some(&ANY) | None => true,
            Some(&NONE) => false,
            Some(&count) => usize::from(count) == nparams,
        }
    }

    /// True when the type is not used any more.
    pub(super) fn is_old(&self, kind: EventType) -> bool {
        self.current.get(usize::from(kind.0)) == Some(&NONE)
    }

    pub(super) fn get(&self, kind: EventType, nparams: usize) -> Option<&Plan> {
        if nparams >= SHAPES {
            return None;
        }
        let place = *self.index.get(usize::from(kind.0) * SHAPES + nparams)?;
        self.found.get(usize::from(place).checked_sub(1)?)
    }
}

/// The compiled table, made at first use.
pub(super) fn plans() -> &'static Plans {
    static PLANS: LazyLock<Plans> = LazyLock::new(compile);
    &PLANS
}

fn compile() -> Plans {
    let ids: FxHashMap<&str, EventType> = EventType::all()
        .filter_map(|kind| Some((kind.info()?.symbol, kind)))
        .collect();
    let mut changes: FxHashMap<(EventType, u8), (EventType, &Change)> = FxHashMap::default();
    for row in ROWS {
        // A symbol that the table lacks cannot occur in a capture either; a test checks that there is none.
        let (Some(&from), Some(&to)) = (ids.get(row.from), ids.get(row.to)) else {
            continue;
        };
        changes.insert((from, row.nparams), (to, &row.change));
    }
    let mut plans = Plans {
        current: [ANY; EVENT_TYPES],
        index: vec![0; EVENT_TYPES * SHAPES],
        found: Vec::new(),
    };
    for kind in EventType::all() {
        plans.current[usize::from(kind.0)] = current(kind);
    }
    for kind in EventType::all() {
        for nparams in 0..SHAPES {
            if let Some(plan) = chain(&plans, &changes, kind, nparams as u8) {
                plans.found.push(plan);
                plans.index[usize::from(kind.0) * SHAPES + nparams] = plans.found.len() as u16;
            }
        }
    }
    plans
}

fn current(kind: EventType) -> u8 {
    let Some(info) = kind.info() else { return ANY };
    let old = info.flags.has(EventFlags::OLD_VERSION);
    let managed = info.flags.has(EventFlags::CONVERTER_MANAGED);
    match (managed, old) {
        (false, false) => ANY,
        (false, true) => NONE,
        (true, false) if !kind.is_enter() => info.params.len() as u8,
        (true, _) => NONE,
    }
}

/// Follows the rows from one shape until it is in today's form.
fn chain(
    plans: &Plans,
    changes: &FxHashMap<(EventType, u8), (EventType, &Change)>,
    from: EventType,
    nparams: u8,
) -> Option<Plan> {
    let mut plan = Plan {
        action: Action::Emit,
        kind: from,
        start: None,
        sources: (0..nparams)
            .map(|index| Source::Old { index, width: None })
            .collect(),
        changed: false,
    };
    for _ in 0..MAX_STEPS {
        let count = plan.sources.len();
        if plans.is_current(plan.kind, count) {
            return plan.changed.then_some(plan);
        }
        let info = plan.kind.info()?;
        if !info.flags.has(EventFlags::CONVERTER_MANAGED) {
            // An old type that nothing is taken from.
            return plan.kind.is_enter().then(|| ends(plan, Action::Drop));
        }
        let &(to, change) = changes.get(&(plan.kind, u8::try_from(count).ok()?))?;
        match change {
            Change::Pass => return Some(ends(plan, Action::Pass)),
            Change::Keep { numbered } => {
                let action = Action::Keep {
                    numbered: *numbered,
                };
                return Some(ends(plan, action));
            }
            Change::Add(takes) => step(&mut plan, to, takes, true)?,
            Change::Become(takes) => step(&mut plan, to, takes, false)?,
        }
        plan.changed = true;
    }
    None
}

fn ends(mut plan: Plan, action: Action) -> Plan {
    plan.action = action;
    plan
}

/// Applies one row to the sources collected so far.
fn step(plan: &mut Plan, to: EventType, takes: &[Take], add: bool) -> Option<()> {
    let params = to.info()?.params;
    let before = std::mem::take(&mut plan.sources);
    // The first row that takes from the start of the call uses it up.
    let spent = plan.start.is_some();
    let mut start = None;
    let mut sources = if add { before.clone() } else { Vec::new() };
    for &take in takes {
        match take {
            Take::Old(from, to) => {
                for index in from..=to {
                    let mut source = *before.get(usize::from(index))?;
                    let ty = params.get(sources.len())?.ty;
                    narrow(&mut source, fixed_width(ty));
                    sources.push(source);
                }
            }
            Take::Start(index) | Take::StartOrEmpty(index) => {
                let ty = params.get(sources.len())?.ty;
                let default = match take {
                    Take::StartOrEmpty(_) => &[],
                    _ => default_value(ty),
                };
                sources.push(if spent {
                    Source::Default(default)
                } else {
                    start = Some(EventType(plan.kind.0.checked_sub(1)?));
                    Source::Start {
                        index,
                        width: fixed_width(ty),
                        default,
                    }
                });
            }
            Take::Default => {
                let ty = params.get(sources.len())?.ty;
                sources.push(Source::Default(default_value(ty)));
            }
            Take::Empty(count) => {
                sources.extend(std::iter::repeat_n(Source::Empty, usize::from(count)));
            }
            Take::ContainerJson => sources.push(Source::ContainerJson),
        }
    }
    if sources.len() > params.len() {
        // More than today's form has: the row is for a later table.
        return None;
    }
    plan.start = plan.start.or(start);
    plan.sources = sources;
    plan.kind = to;
    Some(())
}

fn narrow(source: &mut Source, to: Option<u8>) {
    if let Source::Old { width, .. } | Source::Start { width, .. } = source {
        *width = match (*width, to) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// Bytes of a number of this type; `None` for what has no fixed size.
fn fixed_width(ty: ParamType) -> Option<u8> {
    use ParamType as T;
    Some(match ty {
        T::I8 | T::U8 | T::Flags8 | T::EnumFlags8 | T::SigType => 1,
        T::I16 | T::U16 | T::Flags16 | T::EnumFlags16 | T::SyscallId => 2,
        T::I32 | T::U32 | T::Flags32 | T::EnumFlags32 | T::Uid | T::Gid | T::Mode | T::SigSet => 4,
        T::I64 | T::U64 | T::RelTime | T::AbsTime | T::Errno | T::Fd | T::Pid => 8,
        _ => return None,
    })
}

/// The value that Falco takes when the start of a call was lost: 0, "nobody" for ids, no address family.
fn default_value(ty: ParamType) -> &'static [u8] {
    match ty {
        ParamType::Uid | ParamType::Gid => &[0xff; 4],
        ParamType::SockAddr => &[0],
        ty => match fixed_width(ty) {
            Some(1) => &[0; 1],
            Some(2) => &[0; 2],
            Some(4) => &[0; 4],
            Some(_) => &[0; 8],
            None => &[],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_of_the_table_exists() {
        for row in ROWS {
            for symbol in [row.from, row.to] {
                assert!(EventType::by_symbol(symbol).is_some(), "{symbol}");
            }
        }
    }

    #[test]
    fn every_old_type_has_a_way_to_today() {
        let plans = plans();
        let mut dead = Vec::new();
        for kind in EventType::all().filter(|&kind| plans.is_old(kind)) {
            let info = kind.info().unwrap();
            if info.flags.has(EventFlags::UNUSED) {
                continue;
            }
            if plans.get(kind, info.params.len()).is_none() {
                dead.push(info.symbol);
            }
        }
        assert!(dead.is_empty(), "no plan for {dead:?}");
    }

    #[test]
    fn every_plan_ends_in_todays_form() {
        let plans = plans();
        for plan in &plans.found {
            if plan.action == Action::Emit {
                let info = plan.kind.info().unwrap();
                assert!(
                    plans.is_current(plan.kind, plan.sources.len()),
                    "{} with {}",
                    info.symbol,
                    plan.sources.len()
                );
            }
        }
    }

    #[test]
    fn every_row_leads_to_today() {
        let plans = plans();
        let mut dead = Vec::new();
        for row in ROWS {
            let kind = EventType::by_symbol(row.from).unwrap();
            if plans.get(kind, usize::from(row.nparams)).is_none() {
                dead.push(format!("{} with {} parameters", row.from, row.nparams));
            }
        }
        assert!(dead.is_empty(), "{}", dead.join("\n"));
    }
}
