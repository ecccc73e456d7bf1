//! Fields of descriptor lists, which poll and ppoll carry: `fdlist.*`.

use vedette_event::{Extracted, Values};

use crate::args::fd_list;
use crate::fd::{Fd, Kind};
use crate::fields::DescriptorList as L;
use crate::kinds as k;
use crate::number::{push_i64, push_u64};
use crate::sock::{write_ip4, write_ip6};
use crate::view::{View, written};

impl View<'_> {
    pub(crate) fn descriptor_list<'s>(&'s self, which: L, room: &'s mut Values) -> Extracted<'s> {
        let (Some(slot), k::POLL_X | k::PPOLL_X, Some(list)) =
            (self.thread, self.event.kind.0, self.event.param(1))
        else {
            return Extracted::Missing;
        };
        let mut any = false;
        for (number, _) in fd_list(list) {
            let fd = (number >= 0)
                .then(|| self.state.fd_at(slot, number))
                .flatten();
            any |= item(which, number, fd, &mut Vec::new());
        }
        if !any {
            return Extracted::Missing;
        }
        written(room, |out| {
            for (number, _) in fd_list(list) {
                let fd = (number >= 0)
                    .then(|| self.state.fd_at(slot, number))
                    .flatten();
                if item(which, number, fd, out) {
                    out.push(b',');
                }
            }
            out.pop();
        })
    }
}

/// Appends what the field says of one descriptor. False when it says nothing.
fn item(which: L, number: i64, fd: Option<&Fd>, out: &mut Vec<u8>) -> bool {
    match (which, fd) {
        (L::FdlistNums, _) => push_i64(out, number),
        (L::FdlistNames, Some(fd)) if !fd.name.is_empty() => out.extend_from_slice(&fd.name),
        (L::FdlistNames, _) => out.extend_from_slice(b"<NA>"),
        (_, None) => return false,
        (L::FdlistCips, Some(fd)) => match fd.kind {
            Kind::V4 => write_ip4(out, fd.sock.v4_source()),
            Kind::V6 => write_ip6(out, fd.sock.v6_source()),
            _ => return false,
        },
        (L::FdlistSips, Some(fd)) => match fd.kind {
            Kind::V4 => write_ip4(out, fd.sock.v4_destination()),
            Kind::V6 => write_ip6(out, fd.sock.v6_destination()),
            Kind::ServerV4 => write_ip4(out, fd.sock.v4_source()),
            Kind::ServerV6 => write_ip6(out, fd.sock.v6_source()),
            _ => return false,
        },
        (L::FdlistCports, Some(fd)) => match fd.kind {
            Kind::V4 => push_u64(out, u64::from(fd.sock.v4_source_port())),
            Kind::V6 => push_u64(out, u64::from(fd.sock.v6_source_port())),
            _ => return false,
        },
        (L::FdlistSports, Some(fd)) => match fd.kind {
            Kind::V4 => push_u64(out, u64::from(fd.sock.v4_destination_port())),
            Kind::V6 => push_u64(out, u64::from(fd.sock.v6_destination_port())),
            Kind::ServerV4 => push_u64(out, u64::from(fd.sock.v4_server_port())),
            Kind::ServerV6 => push_u64(out, u64::from(fd.sock.v6_server_port())),
            _ => return false,
        },
    }
    true
}
