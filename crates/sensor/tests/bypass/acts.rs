//! What an attacker's program does inside the cell: this test program, called there as `probe`, performs it.

use std::ffi::CString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

const MEMFD: &str = "memfd";

/// Not a test: performs what the environment names, when this program runs inside a cell.
#[test]
fn act() {
    let Ok(action) = std::env::var("CELL_ACT") else {
        return;
    };
    let file = std::env::var("CELL_FILE").unwrap_or_else(|_| "/bin/busybox".into());
    match action.as_str() {
        MEMFD => exec_fd(memory_file(&file), true),
        "memfd_proc" => exec_path_of(memory_file(&file)),
        "deleted" => {
            let fd = open(&file, libc::O_RDONLY);
            std::fs::remove_file(&file).unwrap();
            exec_path_of(fd);
        }
        "map" => map(&file, libc::PROT_READ | libc::PROT_EXEC, 0),
        "protect" => map(&file, libc::PROT_READ, libc::PROT_READ | libc::PROT_EXEC),
        "anonymous" => anonymous(),
        "own_memory" => own_memory(),
        "ptrace" => ptrace(),
        "vm_write" => vm_write(),
        "starts" => starts(),
        "preloaded" => preloaded(),
        other => panic!("no such act: {other}"),
    }
}

fn text(s: &str) -> CString {
    CString::new(s).unwrap()
}

fn open(path: &str, flags: i32) -> i32 {
    // SAFETY: a NUL-terminated path.
    let fd = unsafe { libc::open(text(path).as_ptr(), flags) };
    if fd < 0 {
        refused("open");
    }
    fd
}

fn refused(what: &str) -> ! {
    println!("{what}: {}", std::io::Error::last_os_error());
    std::process::exit(1);
}

fn memory_file(from: &str) -> i32 {
    // SAFETY: a NUL-terminated name.
    let fd = unsafe { libc::memfd_create(c"payload".as_ptr(), 0) };
    if fd < 0 {
        refused("memfd_create");
    }
    let bytes = std::fs::read(from).unwrap();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        // SAFETY: the slice is valid for its length.
        let n = unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) };
        if n <= 0 {
            refused("write");
        }
        rest = &rest[n as usize..];
    }
    fd
}

fn argv() -> [CString; 3] {
    [text("busybox"), text("echo"), text("RAN")]
}

fn exec_fd(fd: i32, empty_path: bool) {
    let argv = argv();
    let pointers = [
        argv[0].as_ptr(),
        argv[1].as_ptr(),
        argv[2].as_ptr(),
        std::ptr::null(),
    ];
    let environment = [std::ptr::null::<libc::c_char>()];
    let flags = if empty_path { libc::AT_EMPTY_PATH } else { 0 };
    // SAFETY: NUL-terminated texts and arrays that end with null.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            fd,
            c"".as_ptr(),
            pointers.as_ptr(),
            environment.as_ptr(),
            flags,
        )
    };
    refused("execveat");
}

fn exec_path_of(fd: i32) {
    let path = text(&format!("/proc/self/fd/{fd}"));
    let argv = argv();
    let pointers = [
        argv[0].as_ptr(),
        argv[1].as_ptr(),
        argv[2].as_ptr(),
        std::ptr::null(),
    ];
    // SAFETY: NUL-terminated texts and an array that ends with null.
    unsafe { libc::execv(path.as_ptr(), pointers.as_ptr()) };
    refused("execv");
}

fn map(path: &str, first: i32, then: i32) {
    let fd = open(path, libc::O_RDONLY);
    // SAFETY: a new private mapping.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, first, libc::MAP_PRIVATE, fd, 0) };
    if at == libc::MAP_FAILED {
        refused("mmap");
    }
    // SAFETY: our own mapping.
    if then != 0 && unsafe { libc::mprotect(at, 4096, then) } != 0 {
        refused("mprotect");
    }
    println!("RAN");
}

/// Code in anonymous memory: what every just-in-time compiler does, and every loader of shell code.
fn anonymous() {
    // mov eax, 42; ret — or its like
    #[cfg(target_arch = "x86_64")]
    let code: &[u8] = &[0xb8, 42, 0, 0, 0, 0xc3];
    #[cfg(target_arch = "aarch64")]
    let code: &[u8] = &[0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
    let prot = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping; the bytes fit; they are a function without arguments that returns a number.
    let answer = unsafe {
        let at = libc::mmap(std::ptr::null_mut(), 4096, prot, flags, -1, 0);
        if at == libc::MAP_FAILED {
            refused("mmap");
        }
        std::ptr::copy_nonoverlapping(code.as_ptr(), at.cast(), code.len());
        let run: extern "C" fn() -> i32 = std::mem::transmute(at);
        run()
    };
    if answer == 42 {
        println!("RAN");
    }
}

/// Opens the own memory for writing, as a loader does that replaces its own code.
fn own_memory() {
    match std::fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/mem")
    {
        Ok(_) => println!("RAN"),
        Err(error) => println!("open: {error}"),
    }
}

fn with_victim(then: impl FnOnce(i32)) {
    let mut victim = std::process::Command::new("/bin/busybox");
    victim
        .args(["sleep", "60"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // The attacker may be killed on the way.
    // SAFETY: one call without pointers, allowed between fork and exec.
    unsafe {
        victim.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let mut victim = victim.spawn().unwrap();
    then(victim.id() as i32);
    let _ = std::io::stdout().flush();
    let _ = victim.kill();
    let _ = victim.wait();
}

fn ptrace() {
    with_victim(|pid| {
        // SAFETY: no pointers.
        let result = unsafe { libc::ptrace(libc::PTRACE_ATTACH, pid, 0, 0) };
        if result == 0 {
            println!("RAN");
        } else {
            println!("ptrace: {}", std::io::Error::last_os_error());
        }
    });
}

fn vm_write() {
    with_victim(|pid| {
        let byte = 0u8;
        let own = libc::iovec {
            iov_base: (&raw const byte).cast_mut().cast(),
            iov_len: 1,
        };
        // an address that is not mapped: EFAULT comes only after permission was given
        let other = libc::iovec {
            iov_base: std::ptr::without_provenance_mut(8),
            iov_len: 1,
        };
        // SAFETY: both structures are valid for the call; the far address is never written by us.
        let result =
            unsafe { libc::process_vm_writev(pid, &raw const own, 1, &raw const other, 1, 0) };
        let error = std::io::Error::last_os_error();
        if result == 1 || error.raw_os_error() == Some(libc::EFAULT) {
            println!("RAN");
        } else {
            println!("process_vm_writev: {error}");
        }
    });
}

/// Starts a small program as often as is asked and says what one start took, in microseconds.
fn starts() {
    let count: u32 = std::env::var("CELL_COUNT").unwrap().parse().unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..count {
        std::process::Command::new("/bin/true").status().unwrap();
    }
    println!(
        "us_each {:.1}",
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(count)
    );
}

/// Whether the library that was to be preloaded is code in this process: the loader goes on without one it may not map.
fn preloaded() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    if maps
        .lines()
        .any(|line| line.ends_with("evil.so") && line.contains("r-xp"))
    {
        println!("RAN");
    }
}
