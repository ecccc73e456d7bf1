/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * The few other calls whose events are more than their arguments.
 */
#pragma once

INLINE void piped(struct scratch *s)
{
	s32 fds[2] = { -1, -1 };
	u64 ino = 0;

	if (s->ret == 0 && !bpf_probe_read_user(fds, sizeof(fds), (void *)s->args[0])) {
		struct file *file = file_of(fds[0]);
		if (file)
			ino = BPF_CORE_READ(file, f_inode, i_ino);
	}
	put_s64(s, s->ret);
	put_s64(s, fds[0]);
	put_s64(s, fds[1]);
	put_u64(s, ino);
}

SYSCALL_PROGRAM(sys_pipe)
{
	begin(s, 61, 4, s->compat);
	piped(s);
	end(s);
}

SYSCALL_PROGRAM(sys_pipe2)
{
	begin(s, 393, 5, s->compat);
	piped(s);
	put_u32(s, move_bits(TABLE_FD_FLAGS, s->args[1]));
	end(s);
}

/* ptrace: the value at `data` where the call reads or writes one, a signal where it carries one, else the argument. */
#define TABLE_PTRACE 4
#define PTRACE_PEEKTEXT 2
#define PTRACE_PEEKDATA 3
#define PTRACE_PEEKUSR 4
#define PTRACE_CONT 8
#define PTRACE_SINGLESTEP 10
#define PTRACE_DETACH 12
#define PTRACE_SYSCALL 13

SYSCALL_PROGRAM(sys_ptrace)
{
	u16 request = translate(TABLE_PTRACE, s->args[0]);
	u64 addr = s->ret < 0 ? 0 : s->args[2], data = s->ret < 0 ? 0 : s->args[3];
	u32 start;

	begin(s, 169, 5, s->compat);
	put_s64(s, s->ret);
	start = s->pos;
	raw_u8(s, 0);
	raw_u64(s, addr);
	close_param(s, s->pos - start);
	start = s->pos;
	if (s->ret >= 0 && (request == PTRACE_CONT || request == PTRACE_SINGLESTEP || request == PTRACE_DETACH ||
			    request == PTRACE_SYSCALL)) {
		raw_u8(s, 1);
		raw_u8(s, data);
	} else {
		if (s->ret >= 0 &&
		    (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSR)) {
			u64 at_ = data;
			data = 0;
			bpf_probe_read_user(&data, sizeof(data), (void *)at_);
		}
		raw_u8(s, 0);
		raw_u64(s, data);
	}
	close_param(s, s->pos - start);
	put_u16(s, request);
	put_s64(s, (s32)s->args[1]);
	end(s);
}

#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_GET_CHILD_SUBREAPER 37

SYSCALL_PROGRAM(sys_prctl)
{
	u32 option = s->args[0];

	begin(s, 401, 4, s->compat);
	put_s64(s, s->ret);
	put_u32(s, option);
	if (option == PR_SET_NAME || option == PR_GET_NAME) {
		put_text_user(s, s->args[1]);
		put_empty(s);
	} else if (option == PR_GET_CHILD_SUBREAPER) {
		s32 v = 0;
		bpf_probe_read_user(&v, sizeof(v), (void *)s->args[1]);
		put_empty(s);
		put_s64(s, v);
	} else {
		put_empty(s);
		put_s64(s, s->args[1]);
	}
	end(s);
}

/* io_uring_params: sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features. */
#define TABLE_URING_SETUP 5
#define TABLE_URING_FEATURES 6

SYSCALL_PROGRAM(sys_io_uring_setup)
{
	u32 p[6] = {};

	bpf_probe_read_user(p, sizeof(p), (void *)s->args[1]);
	begin(s, 339, 8, s->compat);
	put_s64(s, s->ret);
	put_u32(s, s->args[0]);
	put_u32(s, p[0]);
	put_u32(s, p[1]);
	put_u32(s, move_bits(TABLE_URING_SETUP, p[2]));
	put_u32(s, p[3]);
	put_u32(s, p[4]);
	put_u32(s, move_bits(TABLE_URING_FEATURES, p[5]));
	end(s);
}

/* process_vm_readv and process_vm_writev: the first bytes of the caller's own side. */
INLINE void vm_event(struct scratch *s, u16 event)
{
	begin(s, event, 3, s->compat);
	put_s64(s, s->ret);
	put_s64(s, (s32)s->args[0]);
	if (s->ret > 0)
		put_parts(s, s->args[1], s->args[2], s->ret);
	else
		put_empty(s);
	end(s);
}

SYSCALL_PROGRAM(sys_process_vm_readv)
{
	vm_event(s, 421);
}

SYSCALL_PROGRAM(sys_process_vm_writev)
{
	vm_event(s, 423);
}
