/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Sockets: connections, tuples, messages, options. Calls without any of these are rows of the interpreter.
 */
#pragma once

#define EINPROGRESS 115
#define TABLE_FD_FLAGS 4
#define IOVECS 8	/* parts of a scattered buffer that are looked at; the snap length ends before in practice */
#define MESSAGES 16	/* messages of one sendmmsg or recvmmsg that become events */

struct message {
	u64 name, iov, iov_count, control, control_len;
};

struct native_msghdr {
	u64 name;
	s32 name_len;
	u32 pad;
	u64 iov, iov_count, control, control_len;
	u32 flags, pad2;
};

struct compat_msghdr {
	u32 name;
	s32 name_len;
	u32 iov, iov_count, control, control_len, flags;
};

INLINE bool read_message(struct scratch *s, u64 from, struct message *m)
{
	if (s->compat == ORIGIN_COMPAT) {
		struct compat_msghdr h = {};
		if (bpf_probe_read_user(&h, sizeof(h), (void *)from))
			return false;
		m->name = h.name;
		m->iov = h.iov;
		m->iov_count = h.iov_count;
		m->control = h.control;
		m->control_len = h.control_len;
	} else {
		struct native_msghdr h = {};
		if (bpf_probe_read_user(&h, sizeof(h), (void *)from))
			return false;
		m->name = h.name;
		m->iov = h.iov;
		m->iov_count = h.iov_count;
		m->control = h.control;
		m->control_len = h.control_len;
	}
	return true;
}

struct part {
	u64 base, len;
};

INLINE bool read_part(struct scratch *s, u64 iov, u32 index, struct part *p)
{
	if (s->compat == ORIGIN_COMPAT) {
		u32 v[2] = {};
		if (bpf_probe_read_user(v, sizeof(v), (void *)(iov + 8 * index)))
			return false;
		p->base = v[0];
		p->len = v[1];
		return true;
	}
	return !bpf_probe_read_user(p, sizeof(*p), (void *)(iov + 16 * index));
}

/* One part of a scattered buffer. The steps of loops are functions of their own, so that the verifier checks each once
 * instead of once for every turn; what they carry on lies in the scratch space. Returns whether there may be more.
 */
__noinline int take_part(u32 index)
{
	struct scratch *s = scratch_mine();
	struct part p = {};

	if (!s || !s->left || !read_part(s, s->array, index, &p))
		return 0;
	u32 n = raw_bytes_user(s, p.base, p.len > s->left ? s->left : p.len);
	if (!n && p.len)
		return 0;
	s->left -= n;
	return 1;
}

/* The first bytes of a scattered buffer, at most `want`, as one parameter. */
INLINE void put_parts(struct scratch *s, u64 iov, u64 count, u64 want)
{
	u32 start = s->pos;

	s->array = iov;
	s->left = want > settings.snap_len ? settings.snap_len : want;
	for (u32 i = 0; i < IOVECS; i++) {
		if (i >= count || !take_part(i))
			break;
	}
	close_param(s, s->pos - start);
}

__noinline int part_size(u64 iov, u32 index)
{
	struct scratch *s = scratch_mine();
	struct part p = {};

	if (!s || !read_part(s, iov, index, &p))
		return 0;
	return p.len > 0x7fffffff ? 0x7fffffff : p.len;
}

/* Sum of the lengths of a scattered buffer: what a failed send would have sent. */
INLINE u32 parts_size(u64 iov, u64 count)
{
	u32 total = 0;

	for (u32 i = 0; i < IOVECS; i++) {
		if (i >= count)
			break;
		total += part_size(iov, i);
	}
	return total;
}

INLINE void put_data(struct scratch *s, u64 from, u64 len)
{
	put_bytes_user(s, from, len > settings.snap_len ? settings.snap_len : len);
}

SYSCALL_PROGRAM(sys_connect)
{
	begin(s, 23, 4, s->compat);
	put_s64(s, s->ret);
	if (s->ret == 0 || s->ret == -EINPROGRESS)
		put_tuple(s, s->args[0], OUTBOUND, s->args[1]);
	else
		put_empty(s);
	put_s64(s, (s32)s->args[0]);
	put_sockaddr(s, s->args[1], s->args[2]);
	end(s);
}

INLINE void accepted(struct scratch *s)
{
	u16 family = 0;
	struct sock *listener = sock_of(s->args[0], &family);
	u32 length = 0, max = 0;

	put_s64(s, s->ret);
	if (s->ret >= 0) {
		put_tuple(s, s->ret, INBOUND, 0);
		if (listener && family != AF_UNIX) {
			length = BPF_CORE_READ(listener, sk_ack_backlog);
			max = BPF_CORE_READ(listener, sk_max_ack_backlog);
		}
	} else {
		put_empty(s);
	}
	put_u8(s, max ? (u64)length * 100 / max : 0);
	put_u32(s, length);
	put_u32(s, max);
}

SYSCALL_PROGRAM(sys_accept)
{
	begin(s, 247, 5, s->compat);
	accepted(s);
	end(s);
}

SYSCALL_PROGRAM(sys_accept4)
{
	begin(s, 389, 6, s->compat);
	accepted(s);
	put_u32(s, move_bits(TABLE_FD_FLAGS, s->args[3]));
	end(s);
}

SYSCALL_PROGRAM(sys_socketpair)
{
	s32 fds[2] = { -1, -1 };
	u64 source = 0, peer = 0;
	u16 family = 0;

	if (s->ret == 0 && !bpf_probe_read_user(fds, sizeof(fds), (void *)s->args[3])) {
		struct unix_sock *sk = (void *)sock_of(fds[0], &family);
		source = (u64)sk;
		if (sk && family == AF_UNIX)
			peer = (u64)BPF_CORE_READ(sk, peer);
	}
	begin(s, 43, 8, s->compat);
	put_s64(s, s->ret);
	put_s64(s, fds[0]);
	put_s64(s, fds[1]);
	put_u64(s, source);
	put_u64(s, peer);
	put_u32(s, s->args[0]);
	put_u32(s, s->args[1]);
	put_u32(s, s->args[2]);
	end(s);
}

SYSCALL_PROGRAM(sys_sendto)
{
	begin(s, 31, 5, s->compat);
	put_s64(s, s->ret);
	put_data(s, s->args[1], s->ret > 0 ? s->ret : s->args[2]);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, s->args[2]);
	put_tuple(s, s->args[0], OUTBOUND, s->args[4]);
	end(s);
}

SYSCALL_PROGRAM(sys_recvfrom)
{
	begin(s, 35, 5, s->compat);
	put_s64(s, s->ret);
	if (s->ret > 0)
		put_data(s, s->args[1], s->ret);
	else
		put_empty(s);
	if (s->ret >= 0)
		put_tuple(s, s->args[0], INBOUND, s->args[4]);
	else
		put_empty(s);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, s->args[2]);
	end(s);
}

SYSCALL_PROGRAM(sys_sendmsg)
{
	struct message m = {};
	u32 size = 0;

	if (read_message(s, s->args[1], &m))
		size = parts_size(m.iov, m.iov_count);
	begin(s, 49, 5, s->compat);
	put_s64(s, s->ret);
	put_parts(s, m.iov, m.iov_count, s->ret > 0 ? s->ret : size);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, size);
	put_tuple(s, s->args[0], OUTBOUND, m.name);
	end(s);
}

SYSCALL_PROGRAM(sys_recvmsg)
{
	struct message m = {};

	begin(s, 53, 6, s->compat);
	put_s64(s, s->ret);
	if (s->ret > 0 && read_message(s, s->args[1], &m)) {
		put_u32(s, s->ret);
		put_parts(s, m.iov, m.iov_count, s->ret);
		put_tuple(s, s->args[0], INBOUND, m.name);
		put_bytes_user(s, m.control, m.control_len);
	} else {
		put_u32(s, 0);
		put_empty(s);
		put_empty(s);
		put_empty(s);
	}
	put_s64(s, (s32)s->args[0]);
	end(s);
}

/* Where message `index` of an array of mmsghdr lies, and the length that the kernel wrote behind it. */
INLINE u64 message_at(struct scratch *s, u64 array, u32 index, u32 *len)
{
	u32 size = s->compat == ORIGIN_COMPAT ? 32 : 64;
	u32 behind = s->compat == ORIGIN_COMPAT ? 28 : 56;
	u64 from = array + size * index;

	*len = 0;
	bpf_probe_read_user(len, sizeof(*len), (void *)(from + behind));
	return from;
}

/* The messages of one call are one event each. `end` gives the scratch space back, but nothing else runs on this
 * processor between two of them, so it is simply taken again.
 */
__noinline int sent_message(u32 index)
{
	struct scratch *s = scratch_mine();
	struct message m = {};
	u32 len;

	if (!s || !read_message(s, message_at(s, s->args[1], index, &len), &m))
		return 0;
	if (s->ret < 0)
		len = parts_size(m.iov, m.iov_count);
	begin(s, 51, 5, s->compat);
	put_s64(s, s->ret < 0 ? s->ret : len);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, len);
	put_parts(s, m.iov, m.iov_count, len);
	put_tuple(s, s->args[0], OUTBOUND, m.name);
	end(s);
	s->busy = 1;
	return 1;
}

SYSCALL_PROGRAM(sys_sendmmsg)
{
	s64 count = s->ret < 0 ? 1 : s->ret;

	for (u32 i = 0; i < MESSAGES; i++) {
		if (i >= count || !sent_message(i))
			break;
	}
	scratch_give(s);
}

__noinline int received_message(u32 index)
{
	struct scratch *s = scratch_mine();
	struct message m = {};
	u32 len;

	if (!s || !read_message(s, message_at(s, s->args[1], index, &len), &m))
		return 0;
	begin(s, 55, 6, s->compat);
	put_s64(s, len);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, len);
	put_parts(s, m.iov, m.iov_count, len);
	put_tuple(s, s->args[0], INBOUND, m.name);
	put_bytes_user(s, m.control, m.control_len);
	end(s);
	s->busy = 1;
	return 1;
}

SYSCALL_PROGRAM(sys_recvmmsg)
{
	if (s->ret < 0) {
		begin(s, 55, 6, s->compat);
		put_s64(s, s->ret);
		put_s64(s, (s32)s->args[0]);
		put_u32(s, 0);
		put_empty(s);
		put_empty(s);
		put_empty(s);
		end(s);
		return;
	}
	for (u32 i = 0; i < MESSAGES; i++) {
		if (i >= s->ret || !received_message(i))
			break;
	}
	scratch_give(s);
}

/* Socket options */
#define SOL_SOCKET 1
#define TABLE_SOCKOPT_LEVEL 1 /* value tables; crates/sensor/src/tables.rs */
#define TABLE_SOCKOPT_NAME 2
#define TABLE_SOCKOPT_SHAPE 3

enum shape { SHAPE_BYTES, SHAPE_ERRNO, SHAPE_U32, SHAPE_U64, SHAPE_TIME };

INLINE void put_option(struct scratch *s, s32 level, s32 name, u64 value, u32 len)
{
	u32 shape = level == SOL_SOCKET ? translate(TABLE_SOCKOPT_SHAPE, name) : SHAPE_BYTES;
	u32 start = s->pos;
	u64 v[2] = {};

	if (shape == SHAPE_ERRNO || shape == SHAPE_U32)
		bpf_probe_read_user(v, 4, (void *)value);
	else if (shape == SHAPE_U64)
		bpf_probe_read_user(v, 8, (void *)value);
	else if (shape == SHAPE_TIME)
		bpf_probe_read_user(v, 16, (void *)value);
	raw_u8(s, shape);
	if (shape == SHAPE_ERRNO)
		raw_u64(s, -(s64)(s32)v[0]);
	else if (shape == SHAPE_U32)
		raw_u32(s, v[0]);
	else if (shape == SHAPE_U64)
		raw_u64(s, v[0]);
	else if (shape == SHAPE_TIME)
		raw_u64(s, v[0] * 1000000000ull + v[1] * 1000);
	else
		raw_bytes_user(s, value, len > settings.snap_len ? settings.snap_len : len);
	close_param(s, s->pos - start);
}

INLINE void option_event(struct scratch *s, u16 event, u32 len)
{
	s32 level = s->args[1], name = s->args[2];

	begin(s, event, 6, s->compat);
	put_s64(s, s->ret);
	put_s64(s, (s32)s->args[0]);
	put_u8(s, translate(TABLE_SOCKOPT_LEVEL, level));
	put_u8(s, level == SOL_SOCKET ? translate(TABLE_SOCKOPT_NAME, name) : 0);
	put_option(s, level, name, s->args[3], len);
	put_u32(s, len);
	end(s);
}

SYSCALL_PROGRAM(sys_setsockopt)
{
	option_event(s, 45, s->args[4]);
}

SYSCALL_PROGRAM(sys_getsockopt)
{
	u32 len = 0;
	bpf_probe_read_user(&len, sizeof(len), (void *)s->args[4]);
	option_event(s, 47, len);
}
