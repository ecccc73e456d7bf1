//! Sleeping until a ring calls.
//!
//! A ring is readable as soon as it holds anything, and waking for each event would cost more than the events. So the
//! programs wake only a reader who falls behind (`settings.wake_bytes`), and the reader listens for being woken, not for
//! being readable: that is what edge-triggered means.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Rings that are told apart in one call; which of them rang does not matter.
const AT_ONCE: usize = 8;

/// Listens to all rings.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    /// Listens to these rings.
    pub(crate) fn new<'a>(rings: impl Iterator<Item = BorrowedFd<'a>>) -> io::Result<Self> {
        // SAFETY: no preconditions.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: fresh, and nobody else's.
        let bell = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        for ring in rings {
            let mut event = libc::epoll_event {
                events: (libc::EPOLLIN | libc::EPOLLET) as u32,
                u64: 0,
            };
            // SAFETY: both descriptors are open, the structure lives through the call.
            let done = unsafe {
                libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, ring.as_raw_fd(), &raw mut event)
            };
            if done < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(bell)
    }

    /// Sleeps until a ring calls, a signal comes, or the time is over.
    pub(crate) fn wait(&self, most: Duration) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; AT_ONCE];
        let most = i32::try_from(most.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the array is as long as is said.
        unsafe {
            libc::epoll_wait(
                self.0.as_raw_fd(),
                events.as_mut_ptr(),
                AT_ONCE as i32,
                most,
            );
        }
    }
}
