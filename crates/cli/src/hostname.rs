//! The name under which alerts mention this host.

/// `FALCO_HOSTNAME` when set, as in Falco; else the kernel's host name.
pub(crate) fn current() -> String {
    if let Some(name) = std::env::var_os("FALCO_HOSTNAME")
        && !name.is_empty()
    {
        return name.to_string_lossy().into_owned();
    }
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| String::from("unknown"), |name| name.trim().to_owned())
}
