//! What the running kernel's type information says about tracepoints that differ between kernels.

use libbpf_rs::btf::types::{FuncProto, Ptr, Typedef};
use libbpf_rs::btf::{Btf, ReferencesType};

/// What `io_uring_complete` passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// The completion's members, one argument each (kernels before 6.16).
    Members,
    /// The completion itself.
    Whole,
}

/// Whether the kernel has a tracepoint, and what `io_uring_complete` passes.
#[derive(Debug)]
pub(crate) struct Tracepoints {
    present: Vec<&'static str>,
    pub(crate) completion: Option<Completion>,
}

impl Tracepoints {
    /// Looks these tracepoints up in the kernel's types. Without types there are none.
    pub(crate) fn look_up(names: &[&'static str]) -> Self {
        let Ok(kernel) = Btf::from_vmlinux() else {
            return Self {
                present: Vec::new(),
                completion: None,
            };
        };
        Self {
            present: names
                .iter()
                .copied()
                .filter(|name| arguments(&kernel, name).is_some())
                .collect(),
            // context, request, then the completion or its members; the first parameter is the tracepoint's own
            completion: arguments(&kernel, "io_uring_complete").map(|count| {
                if count <= 4 {
                    Completion::Whole
                } else {
                    Completion::Members
                }
            }),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.present.contains(&name)
    }
}

/// Number of parameters of a tracepoint's prototype, the hidden first one included.
fn arguments(kernel: &Btf<'_>, tracepoint: &str) -> Option<usize> {
    let name = format!("btf_trace_{tracepoint}");
    let typedef: Typedef<'_> = kernel.type_by_name(&name)?;
    let pointer = Ptr::try_from(typedef.referenced_type()).ok()?;
    let prototype = FuncProto::try_from(pointer.referenced_type()).ok()?;
    Some(prototype.len())
}
