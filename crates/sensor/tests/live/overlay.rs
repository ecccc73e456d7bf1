//! Overlays: which layer an executable or an opened file comes from, in a mount namespace of this test's own.

use std::fs;
use std::process::Command;

use vedette_event::EventType;
use vedette_sensor::Interest;

use crate::calls::{Scratch, text};
use crate::watch::{Watch, call};

const UPPER: i64 = 1 << 15;
const LOWER: i64 = 1 << 16;

#[test]
fn layers() {
    let dir = Scratch::new("overlay");
    for name in ["base", "lower", "upper", "work", "merged"] {
        fs::create_dir(dir.path(name)).unwrap();
    }
    // upper and lower lie on a file system of their own, since the scratch directory may be an overlay itself
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let Some(mut watch) = Watch::start(&Interest::for_state()) else {
                    return;
                };
                assert_eq!(call(libc::SYS_unshare, &[libc::CLONE_NEWNS.into()]), 0);
                let private = (libc::MS_REC | libc::MS_PRIVATE) as i64;
                assert_eq!(
                    call(libc::SYS_mount, &[text("none"), text("/"), 0, private, 0]),
                    0
                );
                let base = dir.path("base");
                assert_eq!(
                    call(
                        libc::SYS_mount,
                        &[text("t"), text(&base), text("tmpfs"), 0, 0]
                    ),
                    0
                );
                for name in ["lower", "upper", "work"] {
                    fs::create_dir(format!("{base}/{name}")).unwrap();
                }
                fs::copy("/bin/true", format!("{base}/lower/old")).unwrap();
                let merged = dir.path("merged");
                let options =
                    format!("lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work");
                let mounted = call(
                    libc::SYS_mount,
                    &[text("o"), text(&merged), text("overlay"), 0, text(&options)],
                );
                if mounted != 0 {
                    println!("skipped: this kernel mounts no overlay ({mounted})");
                    return;
                }
                fs::copy("/bin/true", format!("{merged}/new")).unwrap();
                watch.settle();
                let exec = EventType::by_symbol("SYSCALL_EXECVE_19_X").unwrap();
                for (name, bit, layer) in [("old", 8, LOWER), ("new", 2, UPPER)] {
                    let path = format!("{merged}/{name}");
                    let mut child = Command::new(&path).spawn().unwrap();
                    let pid = i64::from(child.id());
                    child.wait().unwrap();
                    let seen = watch.take(name, |s| {
                        s.kind == exec && s.tid == pid && s.number("res") == 0
                    });
                    assert_eq!(
                        seen.number("flags") & (2 | 8),
                        bit,
                        "exec of the {name} file"
                    );
                    assert_eq!(seen.text("trusted_exepath"), path);
                    let fd = call(libc::SYS_open, &[text(&path), 0, 0]);
                    let seen = watch.own("SYSCALL_OPEN_X");
                    assert_eq!(
                        seen.number("flags") & (UPPER | LOWER),
                        layer,
                        "open of the {name} file"
                    );
                    call(libc::SYS_close, &[fd]);
                }
                println!("2 layers compared");
            })
            .join()
            .unwrap();
    });
}
