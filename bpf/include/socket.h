/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Addresses and tuples of sockets, in the byte layouts of the capture format:
 * family, then address and port (IPv4, IPv6, ports in host order), or the path (UNIX).
 */
#pragma once

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCKFS_MAGIC 0x534f434b

enum direction { INBOUND, OUTBOUND };

INLINE u16 swap16(u16 v)
{
	return __builtin_bswap16(v);
}

INLINE struct sock *sock_of(s32 fd, u16 *family)
{
	struct file *file = file_of(fd);
	struct socket *socket;

	if (!file)
		return NULL;
	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != SOCKFS_MAGIC)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	if (!socket)
		return NULL;
	*family = BPF_CORE_READ(socket, ops, family);
	return BPF_CORE_READ(socket, sk);
}

INLINE void raw_bytes16(struct scratch *s, const void *from)
{
	bpf_probe_read_kernel(at(s), 16, from);
	s->pos += 16;
}

/* A path in a sockaddr_un that lies in kernel memory; an abstract name loses its leading NUL. */
INLINE u32 raw_sun_path(struct scratch *s, const char *path)
{
	char first = 0;
	bpf_probe_read_kernel(&first, 1, path);
	u32 n = raw_text_kernel(s, first ? path : path + 1, MAX_SUN_PATH);
	return n;
}

/* An address that the program passed. */
INLINE void put_sockaddr(struct scratch *s, u64 from, u64 len)
{
	u32 start = s->pos;
	u16 family;

	__builtin_memset(s->side, 0, 112);
	if (len > 110)
		len = 110;
	if (!from || len < 2 || bpf_probe_read_user(s->side, len & 127, (void *)from)) {
		put_empty(s);
		return;
	}
	family = *(u16 *)s->side;
	if (family == AF_INET) {
		raw_u8(s, AF_INET);
		raw_u32(s, *(u32 *)&s->side[4]);
		raw_u16(s, swap16(*(u16 *)&s->side[2]));
	} else if (family == AF_INET6) {
		raw_u8(s, AF_INET6);
		raw_bytes16(s, &s->side[8]);
		raw_u16(s, swap16(*(u16 *)&s->side[2]));
	} else if (family == AF_UNIX) {
		raw_u8(s, AF_UNIX);
		raw_sun_path(s, (char *)&s->side[2]);
	}
	close_param(s, s->pos - start);
}

/* Both ends of a socket, the local one first when the direction is out. `peer` is the address of an unconnected send,
 * in user memory, or 0.
 */
INLINE void put_tuple(struct scratch *s, s32 fd, enum direction direction, u64 peer)
{
	u32 start = s->pos;
	u16 family = 0;
	struct sock *sk = sock_of(fd, &family);

	if (!sk) {
		put_empty(s);
		return;
	}
	if (family == AF_INET) {
		struct inet_sock *inet = (void *)sk;
		u32 local = BPF_CORE_READ(inet, inet_saddr), remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		u16 lport = swap16(BPF_CORE_READ(inet, inet_sport));
		u16 rport = swap16(BPF_CORE_READ(sk, __sk_common.skc_dport));

		if (!rport && peer && !bpf_probe_read_user(s->side, 8, (void *)peer)) {
			remote = *(u32 *)&s->side[4];
			rport = swap16(*(u16 *)&s->side[2]);
		}
		raw_u8(s, AF_INET);
		raw_u32(s, direction == OUTBOUND ? local : remote);
		raw_u16(s, direction == OUTBOUND ? lport : rport);
		raw_u32(s, direction == OUTBOUND ? remote : local);
		raw_u16(s, direction == OUTBOUND ? rport : lport);
	} else if (family == AF_INET6) {
		struct inet_sock *inet = (void *)sk;
		struct ipv6_pinfo *info = BPF_CORE_READ(inet, pinet6);
		const void *local = __builtin_preserve_access_index(&info->saddr);
		const void *remote = __builtin_preserve_access_index(&sk->__sk_common.skc_v6_daddr);
		u16 lport = swap16(BPF_CORE_READ(inet, inet_sport));
		u16 rport = swap16(BPF_CORE_READ(sk, __sk_common.skc_dport));

		if (!rport && peer && !bpf_probe_read_user(s->side, 24, (void *)peer)) {
			remote = &s->side[8];
			rport = swap16(*(u16 *)&s->side[2]);
		}
		raw_u8(s, AF_INET6);
		raw_bytes16(s, direction == OUTBOUND ? local : remote);
		raw_u16(s, direction == OUTBOUND ? lport : rport);
		raw_bytes16(s, direction == OUTBOUND ? remote : local);
		raw_u16(s, direction == OUTBOUND ? rport : lport);
	} else if (family == AF_UNIX) {
		struct unix_sock *own = (void *)sk;
		struct unix_sock *other = (void *)BPF_CORE_READ(own, peer);
		struct unix_sock *named = direction == OUTBOUND ? other : own;
		struct unix_address *addr = named ? BPF_CORE_READ(named, addr) : NULL;
		u32 n = 0;

		raw_u8(s, AF_UNIX);
		raw_u64(s, direction == OUTBOUND ? (u64)other : (u64)own);
		raw_u64(s, direction == OUTBOUND ? (u64)own : (u64)other);
		if (addr)
			n = raw_sun_path(s, __builtin_preserve_access_index(&addr->name[0].sun_path[0]));
		else if (peer && direction == OUTBOUND && !bpf_probe_read_user(s->side, 110, (void *)peer))
			n = raw_sun_path(s, (char *)&s->side[2]);
		if (!n)
			raw_u8(s, 0);
	}
	close_param(s, s->pos - start);
}
