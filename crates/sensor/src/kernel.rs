//! The kernel side, loaded: object, maps, links.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Mutex;

use vedette_rules::prefilter::OpenFilter;

use libbpf_rs::{
    Link, MapCore, MapFlags, MapHandle, MapType, Object, ObjectBuilder, PrintLevel, set_print,
};

use crate::btf::{Completion, Tracepoints};
use crate::filter;
use crate::interest::{Plan, Watch, syscall};
use crate::ring::Ring;
use crate::sensor::{Config, Drops, Error, ProgramStats};
use crate::spec::{Handling, Want, encode};
use crate::syscalls::{ALL, How};
use crate::tables::{bits, values};

/// Compiled by `build.rs`.
static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sensor.bpf.o"));

/// Rows of the system call table, and of the table of 32-bit numbers.
const SYSCALLS: u32 = 512;
/// Bytes of `struct bits`.
const BITS_BYTES: usize = 64;
/// A ring wakes its reader when one part in so many is full: early enough that the reader is there before the rest is.
const WAKE_SHARE: u32 = 8;
/// Causes of loss that the kernel side counts, in the order of `enum cause`.
const CAUSES: usize = 5;
/// Lines of libbpf's complaints that an error carries.
const LOG_LINES: usize = 30;

/// Programs that hang on a tracepoint of their own.
const ATTACHED: &[&str] = &[
    "sys_exit",
    "process_exec",
    "process_fork",
    "process_exit",
    "uring_submit_req",
    "uring_submit_sqe",
    "uring_complete",
];

/// Tracepoints that some kernels lack.
const OPTIONAL: &[&str] = &[
    "io_uring_submit_req",
    "io_uring_submit_sqe",
    "io_uring_complete",
];

/// The tracepoint of a program that some kernels lack.
fn optional_tracepoint(program: &str) -> Option<&'static str> {
    match program {
        "uring_submit_req" => Some("io_uring_submit_req"),
        "uring_submit_sqe" => Some("io_uring_submit_sqe"),
        "uring_complete" => Some("io_uring_complete"),
        _ => None,
    }
}

/// What libbpf said during the load that is under way: its callback takes no context.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[allow(
    clippy::needless_pass_by_value,
    reason = "libbpf-rs prescribes the signature"
)]
fn collect(_: PrintLevel, text: String) {
    if let Ok(mut log) = LOG.lock() {
        if log.len() >= LOG_LINES {
            log.remove(0);
        }
        log.push(text.trim_end().to_owned());
    }
}

/// Does something while what libbpf says is collected, see [`collected`].
pub(crate) fn collecting<T>(what: impl FnOnce() -> T) -> T {
    if let Ok(mut log) = LOG.lock() {
        log.clear();
    }
    let previous = set_print(Some((PrintLevel::Warn, collect)));
    let done = what();
    set_print(previous);
    done
}

/// The end of what libbpf said.
pub(crate) fn collected() -> String {
    LOG.lock().map(|l| l.join("\n")).unwrap_or_default()
}

/// Everything the kernel holds for us; gone when this is dropped.
pub(crate) struct Kernel {
    // Links go first, so that no program runs while the maps go.
    links: Vec<Link>,
    maps: BTreeMap<String, MapHandle>,
    rings: Vec<MapHandle>,
    programs: BTreeMap<&'static str, u8>,
    /// How many filters were installed.
    epoch: u64,
    /// Names that the filter in use asks for.
    names: Vec<[u8; filter::NAME_BYTES]>,
    object: Object,
}

impl Kernel {
    /// Loads the object, fills its tables and makes the rings. Nothing is attached yet.
    pub(crate) fn load(config: &Config, cpus: u32) -> Result<(Self, Vec<Ring>), Error> {
        collecting(|| Self::load_quietly(config, cpus))
    }

    fn load_quietly(config: &Config, cpus: u32) -> Result<(Self, Vec<Ring>), Error> {
        let refused = |source| Error::Load {
            source,
            log: collected(),
        };
        let tracepoints = Tracepoints::look_up(OPTIONAL);
        let ring_count = cpus.div_ceil(config.cpus_per_ring.max(1));
        let mut open = ObjectBuilder::default()
            .open_memory(OBJECT)
            .map_err(refused)?;
        for mut map in open.maps_mut() {
            match map.name().to_string_lossy().as_ref() {
                "scratches" => map.set_max_entries(cpus).map_err(refused)?,
                "rings" => map.set_max_entries(ring_count).map_err(refused)?,
                ".rodata.settings" => {
                    if let Some(bytes) = map.initial_value_mut() {
                        // `struct settings`
                        bytes[..4].copy_from_slice(&config.cpus_per_ring.max(1).to_le_bytes());
                        bytes[4..8].copy_from_slice(&config.snap_len.to_le_bytes());
                        let whole = u32::from(tracepoints.completion == Some(Completion::Whole));
                        bytes[8..12].copy_from_slice(&whole.to_le_bytes());
                        let wake = config.ring_bytes / WAKE_SHARE;
                        bytes[12..16].copy_from_slice(&wake.to_le_bytes());
                    }
                }
                _ => {}
            }
        }
        for mut program in open.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            if let Some(tracepoint) = optional_tracepoint(&name) {
                program.set_autoload(tracepoints.has(tracepoint));
            }
        }
        let object = open.load().map_err(refused)?;
        let mut maps = BTreeMap::new();
        for map in object.maps() {
            let name = map.name().to_string_lossy().into_owned();
            maps.insert(name, MapHandle::try_from(&map).map_err(refused)?);
        }
        let mut kernel = Self {
            links: Vec::new(),
            maps,
            rings: Vec::new(),
            programs: BTreeMap::new(),
            epoch: 0,
            names: Vec::new(),
            object,
        };
        kernel.fill_tables()?;
        kernel.fill_programs()?;
        let rings = kernel.make_rings(ring_count, config.ring_bytes)?;
        Ok((kernel, rings))
    }

    fn map(&self, name: &'static str) -> Result<&MapHandle, Error> {
        self.maps.get(name).ok_or(Error::Object(name))
    }

    fn update(&self, map: &'static str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.map(map)?
            .update(key, value, MapFlags::ANY)
            .map_err(|source| Error::Map { map, source })
    }

    fn fill_tables(&self) -> Result<(), Error> {
        for nr in 0..SYSCALLS {
            self.update("compat_numbers", &nr.to_le_bytes(), &u16::MAX.to_le_bytes())?;
        }
        for call in ALL {
            for nr in call.compat {
                let key = u32::from(*nr).to_le_bytes();
                self.update("compat_numbers", &key, &call.nr.to_le_bytes())?;
            }
        }
        for (table, moves) in bits::ALL {
            let mut value = [0; BITS_BYTES];
            value[0] = moves.len() as u8;
            for (i, (from, to)) in moves.iter().enumerate() {
                value[1 + i] = *from;
                value[32 + i] = *to;
            }
            self.update("bit_tables", &u32::from(*table).to_le_bytes(), &value)?;
        }
        for (table, from, to) in values::all() {
            let key = u64::from(table) << 32 | u64::from(from);
            self.update("value_tables", &key.to_le_bytes(), &to.to_le_bytes())?;
        }
        Ok(())
    }

    /// Puts the programs that rows name into the tail call table. Slot 0 stays empty: it means the interpreter.
    fn fill_programs(&mut self) -> Result<(), Error> {
        let mut names: Vec<&'static str> = ALL
            .iter()
            .filter_map(|call| match call.how {
                How::Program(name) => Some(name),
                How::Row(_) => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        for (index, name) in names.into_iter().enumerate() {
            let slot = index as u8 + 1;
            let program = self
                .object
                .progs()
                .find(|p| p.name() == name)
                .ok_or(Error::Object(name))?;
            let fd = program.as_fd().as_raw_fd();
            self.update(
                "programs",
                &u32::from(slot).to_le_bytes(),
                &fd.to_le_bytes(),
            )?;
            self.programs.insert(name, slot);
        }
        Ok(())
    }

    fn make_rings(&mut self, count: u32, bytes: u32) -> Result<Vec<Ring>, Error> {
        let opts = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
            ..Default::default()
        };
        let mut rings = Vec::new();
        for index in 0..count {
            let map = MapHandle::create(MapType::RingBuf, Some("ring"), 0, 0, bytes, &opts)
                .map_err(|source| Error::Map {
                    map: "rings",
                    source,
                })?;
            let fd = map.as_fd().as_raw_fd();
            self.update("rings", &index.to_le_bytes(), &fd.to_le_bytes())?;
            rings.push(Ring::map(map.as_fd(), bytes as usize).map_err(Error::Ring)?);
            self.rings.push(map);
        }
        Ok(rings)
    }

    /// Says what is wanted, call by call. Takes effect at once, for each call by itself.
    pub(crate) fn want(&mut self, watch: &Watch, plan: &Plan) -> Result<(), Error> {
        if let Some(opens) = watch.opens() {
            self.install(opens)?;
        }
        for (nr, want) in plan.wants() {
            let value = match syscall(nr) {
                Some(call) => {
                    let mut how = Handling {
                        want,
                        program: 0,
                        filter: watch.filter(call),
                        fds: call.fds(),
                        creates: call.creates(),
                    };
                    match call.how {
                        How::Row(rows) => encode(call.event, how, rows),
                        How::Program(name) => {
                            how.program = self.programs.get(name).copied().unwrap_or(0);
                            if how.program == 0 {
                                // without a program there is nothing to send
                                how.want = Want::NOTHING;
                            }
                            encode(call.event, how, &[])
                        }
                    }
                }
                None => {
                    let how = Handling {
                        want,
                        ..Handling::default()
                    };
                    encode(0, how, &[])
                }
            };
            self.update("specs", &u32::from(nr).to_le_bytes(), &value)?;
        }
        Ok(())
    }

    /// Puts a filter beside the one in use and changes over to it.
    fn install(&mut self, opens: &OpenFilter) -> Result<(), Error> {
        self.epoch += 1;
        let next = (self.epoch % 2) as u32;
        let names: Vec<[u8; filter::NAME_BYTES]> =
            opens.names.iter().map(|name| filter::name(name)).collect();
        for name in &names {
            self.update("filter_names", name, &[1])?;
        }
        let bytes = filter::encode(opens, self.epoch);
        self.update("filters", &next.to_le_bytes(), &bytes)?;
        self.update("filter_used", &0u32.to_le_bytes(), &next.to_le_bytes())?;
        for old in self.names.iter().filter(|old| !names.contains(old)) {
            let map = "filter_names";
            self.map(map)?
                .delete(old)
                .map_err(|source| Error::Map { map, source })?;
        }
        self.names = names;
        Ok(())
    }

    /// Attaches the tracepoints. Programs that are only called by others are left alone.
    pub(crate) fn attach(&mut self) -> Result<(), Error> {
        for name in ATTACHED {
            let program = self
                .object
                .progs_mut()
                .find(|p| p.name() == *name)
                .ok_or(Error::Object(name))?;
            if optional_tracepoint(name).is_some() && !program.autoload() {
                continue;
            }
            let link = program.attach().map_err(|source| Error::Attach {
                program: name,
                source,
            })?;
            self.links.push(link);
        }
        Ok(())
    }

    /// The rings' descriptors, which become readable when a ring wakes its reader.
    pub(crate) fn ring_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.rings.iter().map(MapHandle::as_fd)
    }

    /// What each processor counted: events, bytes, events that the filter held back, losses.
    pub(crate) fn counters(&self) -> Result<Vec<([u64; 3], Drops)>, Error> {
        let values = self
            .map("counters")?
            .lookup_percpu(&0u32.to_le_bytes(), MapFlags::ANY)
            .map_err(|source| Error::Map {
                map: "counters",
                source,
            })?
            .unwrap_or_default();
        Ok(values
            .iter()
            .map(|bytes| {
                let word = |at: usize| {
                    bytes
                        .get(at * 8..at * 8 + 8)
                        .and_then(|b| b.try_into().ok())
                        .map_or(0, u64::from_le_bytes)
                };
                let mut lost = [0; CAUSES];
                for (i, lost) in lost.iter_mut().enumerate() {
                    *lost = word(3 + i);
                }
                let [ring_full, too_long, nested, no_program, pending_full] = lost;
                let drops = Drops {
                    ring_full,
                    too_long,
                    nested,
                    no_program,
                    pending_full,
                };
                ([word(0), word(1), word(2)], drops)
            })
            .collect())
    }

    /// Size and, where the kernel keeps them (`kernel.bpf_stats_enabled`), run count and time of each program.
    pub(crate) fn programs(&self) -> Vec<ProgramStats> {
        let ours: Vec<String> = self
            .object
            .progs()
            .map(|p| p.name().to_string_lossy().into_owned())
            .collect();
        let ids: Vec<u32> = self
            .object
            .progs()
            .filter_map(|p| libbpf_rs::Program::id_from_fd(p.as_fd()).ok())
            .collect();
        let mut out: Vec<ProgramStats> = libbpf_rs::query::ProgInfoIter::default()
            .filter(|info| ids.contains(&info.id))
            .map(|info| {
                let short = info.name.to_string_lossy().into_owned();
                ProgramStats {
                    // the kernel keeps 15 letters of the name
                    name: ours
                        .iter()
                        .find(|name| name.starts_with(&short))
                        .cloned()
                        .unwrap_or(short),
                    verified_instructions: info.verified_insns,
                    runs: info.run_cnt,
                    run_time_ns: info.run_time_ns,
                }
            })
            .collect();
        out.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel")
            .field("links", &self.links.len())
            .field("rings", &self.rings.len())
            .finish_non_exhaustive()
    }
}

/// The layouts on both sides, compared through the object's own type information.
#[cfg(test)]
mod tests {
    use libbpf_rs::btf::types::{MemberAttr, Struct};
    use libbpf_rs::btf::{Btf, HasSize};

    use super::*;
    use crate::record::HEADER_BYTES;
    use crate::spec::{Param, SPEC_BYTES};

    fn types() -> Btf<'static> {
        Btf::from_raw("sensor", OBJECT)
            .expect("the object can be read")
            .expect("the object has types")
    }

    fn offset(of: &Struct<'_>, member: &str) -> usize {
        let found = of
            .iter()
            .find(|m| m.name.is_some_and(|name| name == member))
            .expect("member");
        match found.attr {
            MemberAttr::Normal { offset } | MemberAttr::BitField { offset, .. } => {
                offset as usize / 8
            }
        }
    }

    #[test]
    fn layouts_agree_with_the_object() {
        let types = types();
        let of = |name: &str| types.type_by_name::<Struct<'_>>(name).expect("structure");
        let header = of("header");
        for (member, at) in [
            ("time", 0),
            ("tid", 8),
            ("type", 16),
            ("nparams", 18),
            ("cpu", 20),
            ("origin", 22),
            ("lens", HEADER_BYTES),
        ] {
            assert_eq!(offset(&header, member), at, "header.{member}");
        }
        let spec = of("spec");
        assert_eq!(spec.size(), SPEC_BYTES);
        for (member, at) in [
            ("event", 0),
            ("nparams", 2),
            ("want", 3),
            ("program", 4),
            ("filter", 5),
            ("fds", 6),
            ("creates", 7),
            ("params", 8),
        ] {
            assert_eq!(offset(&spec, member), at, "spec.{member}");
        }
        let bits = of("bits");
        assert_eq!(bits.size(), BITS_BYTES);
        assert_eq!((offset(&bits, "from"), offset(&bits, "to")), (1, 32));
        assert_eq!(of("counters").size(), 8 * (3 + CAUSES));
        let open_filter = of("open_filter");
        assert_eq!(open_filter.size(), filter::BYTES);
        for (member, at) in filter::OFFSETS {
            assert_eq!(offset(&open_filter, member), *at, "open_filter.{member}");
        }
        assert_eq!(of("name").size(), filter::NAME_BYTES);
        assert_eq!(of("settings").size(), 16);
        assert_eq!(offset(&of("settings"), "uring_cqe"), 8);
        assert_eq!(offset(&of("settings"), "wake_bytes"), 12);
    }

    /// The enumeration is not among the object's types, since the table holds it as a byte: its text is read instead.
    #[test]
    fn kinds_agree_with_the_header() {
        let header = include_str!("../../../bpf/include/interpret.h");
        let kinds: Vec<&str> = header
            .lines()
            .filter_map(|line| line.strip_prefix("\tKIND_")?.split(',').next())
            .collect();
        let value = |name: &str| {
            let name = name.strip_prefix("KIND_").expect("a kind");
            kinds.iter().position(|k| *k == name).expect("listed") as u8
        };
        for (param, name) in [
            (Param::Ret, "KIND_RET"),
            (Param::Ret32, "KIND_RET32"),
            (Param::Fd(0), "KIND_FD"),
            (Param::U64(0), "KIND_U64"),
            (Param::U32(0), "KIND_U32"),
            (Param::U16(0), "KIND_U16"),
            (Param::U8(0), "KIND_U8"),
            (Param::Text(0), "KIND_TEXT"),
            (Param::TextOk(0), "KIND_TEXT_OK"),
            (Param::Bytes(0, 0), "KIND_BYTES"),
            (Param::Zero8, "KIND_ZERO8"),
            (Param::Zero32, "KIND_ZERO32"),
            (Param::Mode(0), "KIND_MODE32"),
            (Param::Bits16(0, 0), "KIND_BITS16"),
            (Param::Bits32(0, 0), "KIND_BITS32"),
            (Param::Enum8(0, 0), "KIND_ENUM8"),
            (Param::Enum16(0, 0), "KIND_ENUM16"),
            (Param::MemS64(0, 0), "KIND_MEM_S64"),
            (Param::MemU32(0, 0), "KIND_MEM_U32"),
            (Param::SockAddr(0, 0), "KIND_SOCKADDR"),
            (Param::Caps(0), "KIND_CAPS"),
            (Param::Memory, "KIND_MEMORY"),
        ] {
            let bytes = encode(1, Handling::default(), &[param]);
            assert_eq!(bytes[8], value(name), "{name}");
        }
    }
}
