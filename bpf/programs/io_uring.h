/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * io_uring: operations on files and sockets that never are system calls. Each becomes the event of the system call that
 * does the same, so that no rule has to know the difference; `header.origin` tells it.
 *
 * What is asked for is read when the request is submitted, from the kernel's own copies (names) while they live; the
 * event is sent when the request completes, since only then is the result known. In between it waits in `pending`.
 */
#pragma once

#define PF_USER_WORKER 0x00004000	/* a thread that io_uring made; its owner's main thread stands for it */
#define PF_IO_WORKER 0x00000010
#define PENDING_MAX 4096	/* requests under way at once that are followed */
#define PENDING_TEXT 2048	/* bytes kept of each name of a request */

enum op {
	OP_ACCEPT = 13,
	OP_CONNECT = 16,
	OP_OPENAT = 18,
	OP_CLOSE = 19,
	OP_READ = 22,
	OP_WRITE = 23,
	OP_SEND = 26,
	OP_RECV = 27,
	OP_OPENAT2 = 28,
	OP_RENAMEAT = 35,
	OP_UNLINKAT = 36,
	OP_MKDIRAT = 37,
	OP_SYMLINKAT = 38,
	OP_LINKAT = 39,
	OP_SOCKET = 45,
};

struct pending {
	s64 tid;
	u64 flags, mode, resolve;
	u64 addr; /* user memory: an address or data */
	s32 fd, fd2;
	u32 len;
	u32 op;
	u32 nr; /* the system call that does the same */
	u32 pad;
	char first[PENDING_TEXT];
	char second[PENDING_TEXT];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PENDING_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64);
	__type(value, struct pending);
} pending SEC(".maps");

#if defined(__TARGET_ARCH_x86)
INLINE u32 uring_number(u32 op)
{
	switch (op) {
	case OP_ACCEPT: return 288;
	case OP_CONNECT: return 42;
	case OP_OPENAT: return 257;
	case OP_CLOSE: return 3;
	case OP_READ: return 0;
	case OP_WRITE: return 1;
	case OP_SEND: return 44;
	case OP_RECV: return 45;
	case OP_OPENAT2: return 437;
	case OP_RENAMEAT: return 316;
	case OP_UNLINKAT: return 263;
	case OP_MKDIRAT: return 258;
	case OP_SYMLINKAT: return 266;
	case OP_LINKAT: return 265;
	case OP_SOCKET: return 41;
	}
	return SYSCALLS;
}
#else
INLINE u32 uring_number(u32 op)
{
	switch (op) {
	case OP_ACCEPT: return 242;
	case OP_CONNECT: return 203;
	case OP_OPENAT: return 56;
	case OP_CLOSE: return 57;
	case OP_READ: return 63;
	case OP_WRITE: return 64;
	case OP_SEND: return 206;
	case OP_RECV: return 207;
	case OP_OPENAT2: return 437;
	case OP_RENAMEAT: return 276;
	case OP_UNLINKAT: return 35;
	case OP_MKDIRAT: return 34;
	case OP_SYMLINKAT: return 36;
	case OP_LINKAT: return 37;
	case OP_SOCKET: return 198;
	}
	return SYSCALLS;
}
#endif

INLINE void keep_name(char *to, struct filename *name)
{
	if (name)
		bpf_probe_read_kernel_str(to, PENDING_TEXT, BPF_CORE_READ(name, name));
}

INLINE int submitted(struct io_kiocb *req)
{
	u32 op = BPF_CORE_READ(req, opcode), nr = uring_number(op);
	u64 key = (u64)req;
	struct spec *spec = bpf_map_lookup_elem(&specs, &nr);
	struct task_struct *t = (void *)bpf_get_current_task();
	struct scratch *s;
	struct pending *p;

	if (!spec || !spec->want)
		return 0;
	s = scratch_take();
	if (!s)
		return 0;
	/* the record's space is free until the request completes: it serves to put the entry together */
	p = (void *)s->rec;
	p->tid = BPF_CORE_READ(t, flags) & (PF_IO_WORKER | PF_USER_WORKER) ? BPF_CORE_READ(t, tgid) :
									     BPF_CORE_READ(t, pid);
	p->flags = p->mode = p->resolve = p->addr = 0;
	p->fd = BPF_CORE_READ(req, cqe.fd);
	p->fd2 = 0;
	p->len = 0;
	p->op = op;
	p->nr = nr;
	p->first[0] = p->second[0] = 0;
	if (op == OP_OPENAT || op == OP_OPENAT2) {
		struct io_open *o = (void *)req;
		p->fd = BPF_CORE_READ(o, dfd);
		p->flags = BPF_CORE_READ(o, how.flags);
		p->mode = BPF_CORE_READ(o, how.mode);
		p->resolve = BPF_CORE_READ(o, how.resolve);
		keep_name(p->first, BPF_CORE_READ(o, filename));
	} else if (op == OP_UNLINKAT) {
		struct io_unlink *o = (void *)req;
		p->fd = BPF_CORE_READ(o, dfd);
		p->flags = BPF_CORE_READ(o, flags);
		keep_name(p->first, BPF_CORE_READ(o, filename));
	} else if (op == OP_RENAMEAT) {
		struct io_rename *o = (void *)req;
		p->fd = BPF_CORE_READ(o, old_dfd);
		p->fd2 = BPF_CORE_READ(o, new_dfd);
		p->flags = BPF_CORE_READ(o, flags);
		keep_name(p->first, BPF_CORE_READ(o, oldpath));
		keep_name(p->second, BPF_CORE_READ(o, newpath));
	} else if (op == OP_MKDIRAT) {
		struct io_mkdir *o = (void *)req;
		p->fd = BPF_CORE_READ(o, dfd);
		p->mode = BPF_CORE_READ(o, mode);
		keep_name(p->first, BPF_CORE_READ(o, filename));
	} else if (op == OP_LINKAT || op == OP_SYMLINKAT) {
		struct io_link *o = (void *)req;
		p->fd = BPF_CORE_READ(o, old_dfd);
		p->fd2 = BPF_CORE_READ(o, new_dfd);
		p->flags = BPF_CORE_READ(o, flags);
		keep_name(p->first, BPF_CORE_READ(o, oldpath));
		keep_name(p->second, BPF_CORE_READ(o, newpath));
	} else if (op == OP_CLOSE) {
		p->fd = BPF_CORE_READ((struct io_close *)req, fd);
	} else if (op == OP_CONNECT) {
		struct io_connect *o = (void *)req;
		p->addr = (u64)BPF_CORE_READ(o, addr);
		p->len = BPF_CORE_READ(o, addr_len);
	} else if (op == OP_ACCEPT) {
		p->flags = BPF_CORE_READ((struct io_accept *)req, flags);
	} else if (op == OP_SOCKET) {
		struct io_socket *o = (void *)req;
		p->fd = BPF_CORE_READ(o, domain);
		p->fd2 = BPF_CORE_READ(o, type);
		p->len = BPF_CORE_READ(o, protocol);
	} else if (op == OP_SEND || op == OP_RECV) {
		struct io_sr_msg *o = (void *)req;
		p->addr = (u64)BPF_CORE_READ(o, buf);
		p->len = BPF_CORE_READ(o, len);
	} else {
		struct io_rw *o = (void *)req;
		p->addr = BPF_CORE_READ(o, addr);
		p->len = BPF_CORE_READ(o, len);
	}
	if (bpf_map_update_elem(&pending, &key, p, BPF_ANY))
		count_drop(DROP_PENDING_FULL);
	scratch_give(s);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int uring_submit_req(u64 *ctx)
{
	return submitted((void *)ctx[0]);
}

/* Kernels before 6.4 call it so. */
SEC("tp_btf/io_uring_submit_sqe")
int uring_submit_sqe(u64 *ctx)
{
	return submitted((void *)ctx[0]);
}

INLINE void begin_uring(struct scratch *s, struct pending *p, u16 type, u16 nparams)
{
	begin(s, type, nparams, ORIGIN_IO_URING);
	s->head.tid = p->tid;
}

/* One request's event. Its own function: the verifier checks it once. */
__noinline int uring_event(u64 key, u64 result)
{
	struct pending *p = bpf_map_lookup_elem(&pending, &key);
	struct scratch *s;
	struct opened o;
	struct spec *spec;
	s64 res = (s32)result;
	u32 nr, op;

	if (!p)
		return 0;
	nr = p->nr;
	op = p->op;
	spec = bpf_map_lookup_elem(&specs, &nr);
	if (!spec || !(spec->want & (res < 0 ? WANT_FAILED : WANT_OK)))
		return 0;
	s = scratch_take();
	if (!s)
		return 0;
	s->compat = ORIGIN_IO_URING;
	s->ret = res;
	if (op == OP_CLOSE) {
		if (res == 0)
			close_matters(s, p->fd);
	} else if (op != OP_SOCKET) {
		tell_kept(p->fd, p->tid);
		if (op == OP_RENAMEAT || op == OP_LINKAT || op == OP_SYMLINKAT)
			tell_kept(p->fd2, p->tid);
	}
	if (res >= 0 && (op == OP_OPENAT || op == OP_OPENAT2 || op == OP_ACCEPT || op == OP_SOCKET)) {
		struct process *process = process_mine(false);
		if (process)
			note_created(s, process, CREATES_RESULT);
	}
	if (op == OP_OPENAT || op == OP_OPENAT2) {
		u64 flags = op == OP_OPENAT ? p->flags & ~0100000ull /* O_LARGEFILE, which io_uring adds */ : p->flags;
		opened_file(res, &o);
		begin_uring(s, p, op == OP_OPENAT ? 307 : 327, op == OP_OPENAT ? 7 : 8);
		put_s64(s, res);
		put_s64(s, p->fd);
		put_text_kernel(s, p->first);
		put_u32(s, open_flags(flags) | o.flags);
		put_u32(s, open_mode(flags, p->mode));
		if (op == OP_OPENAT2)
			put_u32(s, move_bits(TABLE_RESOLVE, p->resolve));
		put_u32(s, o.dev);
		put_u64(s, o.ino);
	} else if (op == OP_UNLINKAT) {
		begin_uring(s, p, 303, 4);
		put_s64(s, res);
		put_s64(s, p->fd);
		put_text_kernel(s, p->first);
		put_u32(s, p->flags & 0x200);
	} else if (op == OP_RENAMEAT || op == OP_LINKAT) {
		begin_uring(s, p, op == OP_RENAMEAT ? 319 : 311, 6);
		put_s64(s, res);
		put_s64(s, p->fd);
		put_text_kernel(s, p->first);
		put_s64(s, p->fd2);
		put_text_kernel(s, p->second);
		put_u32(s, op == OP_RENAMEAT ? p->flags : p->flags & 0x1400);
	} else if (op == OP_MKDIRAT) {
		begin_uring(s, p, 305, 4);
		put_s64(s, res);
		put_s64(s, p->fd);
		put_text_kernel(s, p->first);
		put_u32(s, p->mode);
	} else if (op == OP_SYMLINKAT) {
		begin_uring(s, p, 181, 4);
		put_s64(s, res);
		put_text_kernel(s, p->first);
		put_s64(s, p->fd2);
		put_text_kernel(s, p->second);
	} else if (op == OP_CLOSE) {
		begin_uring(s, p, 5, 2);
		put_s64(s, res);
		put_s64(s, p->fd);
	} else if (op == OP_CONNECT) {
		begin_uring(s, p, 23, 4);
		put_s64(s, res);
		if (res == 0 || res == -EINPROGRESS)
			put_tuple(s, p->fd, OUTBOUND, p->addr);
		else
			put_empty(s);
		put_s64(s, p->fd);
		put_sockaddr(s, p->addr, p->len);
	} else if (op == OP_ACCEPT) {
		begin_uring(s, p, 389, 6);
		s->args[0] = p->fd;
		accepted(s);
		put_u32(s, move_bits(TABLE_FD_FLAGS, p->flags));
	} else if (op == OP_SOCKET) {
		begin_uring(s, p, 19, 5);
		put_s64(s, res);
		put_u32(s, p->fd);
		put_u32(s, p->fd2);
		put_u32(s, p->len);
		put_u32(s, move_bits(TABLE_FD_FLAGS, p->fd2));
	} else if (op == OP_SEND) {
		begin_uring(s, p, 31, 5);
		put_s64(s, res);
		put_data(s, p->addr, res > 0 ? res : p->len);
		put_s64(s, p->fd);
		put_u32(s, p->len);
		put_tuple(s, p->fd, OUTBOUND, 0);
	} else if (op == OP_RECV) {
		begin_uring(s, p, 35, 5);
		put_s64(s, res);
		put_data(s, p->addr, res > 0 ? res : 0);
		put_tuple(s, p->fd, INBOUND, 0);
		put_s64(s, p->fd);
		put_u32(s, p->len);
	} else {
		begin_uring(s, p, op == OP_READ ? 7 : 9, 4);
		put_s64(s, res);
		put_data(s, p->addr, res > 0 ? res : op == OP_READ ? 0 : p->len);
		put_s64(s, p->fd);
		put_u32(s, p->len);
	}
	end(s);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int uring_complete(u64 *ctx)
{
	u64 key = ctx[1];
	s32 res;

	if (settings.uring_cqe)
		res = BPF_CORE_READ((struct io_uring_cqe *)ctx[2], res);
	else
		res = ctx[3];
	uring_event(key, res);
	bpf_map_delete_elem(&pending, &key);
	return 0;
}
