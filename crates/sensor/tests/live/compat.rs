//! System calls of 32-bit programs, made from this 64-bit one through `int 0x80`, which the kernel treats alike.

use vedette_sensor::{Interest, Origin};

use crate::watch::Watch;

/// A page that 32-bit addresses reach.
struct Low(*mut u8);

impl Low {
    fn new() -> Option<Self> {
        // SAFETY: a fresh anonymous mapping.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                4096,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
                -1,
                0,
            )
        };
        (at != libc::MAP_FAILED).then_some(Self(at.cast()))
    }

    fn put(&self, at: usize, bytes: &[u8]) -> u32 {
        assert!(at + bytes.len() <= 4096);
        // SAFETY: inside the page.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.add(at), bytes.len());
        }
        u32::try_from(self.0 as usize + at).expect("mapped low")
    }
}

#[cfg(target_arch = "x86_64")]
fn call32(nr: u32, a: u32, b: u32, c: u32) -> i32 {
    let ret: u64;
    // SAFETY: the kernel gets valid low addresses; rbx is the compiler's, so it is saved around the call.
    unsafe {
        std::arch::asm!(
            "push rbx",
            "mov ebx, {a:e}",
            "int 0x80",
            "pop rbx",
            a = in(reg) a,
            inlateout("rax") u64::from(nr) => ret,
            in("rcx") b,
            in("rdx") c,
            in("rsi") 0,
            in("rdi") 0,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    ret as i32
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_of_32_bit_programs() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let Some(low) = Low::new() else {
        println!("skipped: no memory below 4 GiB");
        return;
    };
    let path = low.put(0, b"/nonexistent/32\0");
    // open is 5 on i386, and 2 here: the number must be translated
    let ret = call32(5, path, 0o1, 0);
    if ret == -libc::ENOSYS {
        println!("skipped: this kernel has no 32-bit system calls");
        return;
    }
    assert_eq!(ret, -libc::ENOENT);
    let seen = watch.own("SYSCALL_OPEN_X");
    assert_eq!(seen.origin, Origin::Compat);
    assert_eq!(
        (seen.number("fd"), seen.text("name")),
        (-2, "/nonexistent/32".into())
    );
    assert_eq!(seen.number("flags"), 2);

    assert_eq!(call32(6, 4000, 0, 0), -libc::EBADF);
    let seen = watch.own("SYSCALL_CLOSE_X");
    assert_eq!((seen.origin, seen.number("fd")), (Origin::Compat, 4000));

    // socketcall(SYS_CONNECT, {fd, address, length})
    let mut name = vec![2, 0, 0x1f, 0x90, 127, 0, 0, 1];
    name.extend([0; 8]);
    let name = low.put(64, &name);
    let mut args = Vec::new();
    for word in [4001u32, name, 16] {
        args.extend(word.to_le_bytes());
    }
    args.extend([0; 12]);
    let args = low.put(128, &args);
    assert_eq!(call32(102, 3, args, 0), -libc::EBADF);
    let seen = watch.own("SOCKET_CONNECT_X");
    assert_eq!((seen.origin, seen.number("fd")), (Origin::Compat, 4001));
    assert_eq!(seen.param("addr"), [2, 127, 0, 0, 1, 0x90, 0x1f]);

    // execve with 32-bit pointers
    let words = [low.put(0, b"/nonexistent/32\0"), low.put(512, b"-v\0"), 0];
    let mut argv = Vec::new();
    for word in words {
        argv.extend(word.to_le_bytes());
    }
    let argv = low.put(256, &argv);
    let env = low.put(300, &[0; 4]);
    assert_eq!(call32(11, path, argv, env), -libc::ENOENT);
    let seen = watch.own("SYSCALL_EXECVE_19_X");
    assert_eq!(
        (seen.text("exe"), seen.param("args")),
        ("/nonexistent/32".into(), &b"-v\0"[..])
    );
}
