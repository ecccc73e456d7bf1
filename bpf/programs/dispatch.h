/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Every system call of every process ends here. What nobody wants leaves after one look at the table.
 */
#pragma once

#define COMPAT_SOCKETCALL 102
#define COMPAT_IPC 117

/* i386 socketcall(2): call number -> 64-bit system call. 0: none. */
INLINE u32 socketcall_number(u32 call)
{
	switch (call) {
	case 1: return 41;	/* socket */
	case 2: return 49;	/* bind */
	case 3: return 42;	/* connect */
	case 4: return 50;	/* listen */
	case 5: return 43;	/* accept */
	case 8: return 53;	/* socketpair */
	case 9: return 44;	/* send: sendto without an address */
	case 10: return 45;	/* recv: recvfrom without an address */
	case 11: return 44;	/* sendto */
	case 12: return 45;	/* recvfrom */
	case 13: return 48;	/* shutdown */
	case 14: return 54;	/* setsockopt */
	case 15: return 55;	/* getsockopt */
	case 16: return 46;	/* sendmsg */
	case 17: return 47;	/* recvmsg */
	case 18: return 288;	/* accept4 */
	case 19: return 299;	/* recvmmsg */
	case 20: return 307;	/* sendmmsg */
	}
	return 0;
}

INLINE void tail(void *ctx, struct scratch *s, u32 program)
{
	bpf_tail_call(ctx, &programs, program);
	/* only reached when the slot is empty: the program did not load on this kernel */
	count_drop(DROP_NO_PROGRAM);
	scratch_give(s);
}

#if defined(__TARGET_ARCH_x86)
SEC("tp_btf/sys_exit")
int sys_exit(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	s64 ret = ctx[1];
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = task->thread_info.status & TS_COMPAT;
	u32 nr = (u32)regs->orig_ax;
	u32 sub[6] = {};
	bool multiplexed = false;
	struct spec *spec;
	struct scratch *s;

	if (compat) {
		if (nr == COMPAT_SOCKETCALL) {
			u32 call = (u32)regs->bx;
			nr = socketcall_number(call);
			if (!nr || bpf_probe_read_user(sub, sizeof(sub), (void *)(u64)(u32)regs->cx))
				return 0;
			/* send and recv have no address: what follows their arguments is not one */
			if (call == 9 || call == 10)
				sub[4] = sub[5] = 0;
			multiplexed = true;
		} else {
			u16 *native = bpf_map_lookup_elem(&compat_numbers, &nr);
			if (!native || *native == 0xffff)
				return 0;
			nr = *native;
		}
	}
	if (nr >= NR_PROCEXIT)
		return 0;
	spec = bpf_map_lookup_elem(&specs, &nr);
	if (!spec || !(spec->want & (ret < 0 && ret >= -4095 ? WANT_FAILED : WANT_OK)))
		return 0;
	s = scratch_take();
	if (!s)
		return 0;
	s->nr = nr;
	s->ret = ret;
	s->compat = compat ? ORIGIN_COMPAT : ORIGIN_NATIVE;
	if (multiplexed) {
		for (int i = 0; i < 6; i++)
			s->args[i] = sub[i];
	} else if (compat) {
		s->args[0] = (u32)regs->bx;
		s->args[1] = (u32)regs->cx;
		s->args[2] = (u32)regs->dx;
		s->args[3] = (u32)regs->si;
		s->args[4] = (u32)regs->di;
		s->args[5] = (u32)regs->bp;
	} else {
		s->args[0] = regs->di;
		s->args[1] = regs->si;
		s->args[2] = regs->dx;
		s->args[3] = regs->r10;
		s->args[4] = regs->r8;
		s->args[5] = regs->r9;
	}
	if ((spec->filter || spec->fds || spec->creates) && !matters(s, spec)) {
		count_filtered();
		scratch_give(s);
		return 0;
	}
	if (spec->program)
		tail(ctx, s, spec->program);
	else
		interpret(s, spec);
	return 0;
}
#else
/* arm64 keeps the first argument in orig_x0, since x0 holds the result by now. 32-bit calls are not decoded there. */
SEC("tp_btf/sys_exit")
int sys_exit(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	s64 ret = ctx[1];
	u32 nr = regs->syscallno;
	struct spec *spec;
	struct scratch *s;

	if (nr >= NR_PROCEXIT)
		return 0;
	spec = bpf_map_lookup_elem(&specs, &nr);
	if (!spec || !(spec->want & (ret < 0 && ret >= -4095 ? WANT_FAILED : WANT_OK)))
		return 0;
	s = scratch_take();
	if (!s)
		return 0;
	s->nr = nr;
	s->ret = ret;
	s->compat = ORIGIN_NATIVE;
	s->args[0] = regs->orig_x0;
	s->args[1] = regs->regs[1];
	s->args[2] = regs->regs[2];
	s->args[3] = regs->regs[3];
	s->args[4] = regs->regs[4];
	s->args[5] = regs->regs[5];
	if ((spec->filter || spec->fds || spec->creates) && !matters(s, spec)) {
		count_filtered();
		scratch_give(s);
		return 0;
	}
	if (spec->program)
		tail(ctx, s, spec->program);
	else
		interpret(s, spec);
	return 0;
}
#endif

/* A program of the tail call table: takes over the scratch space that the dispatcher filled. */
#define SYSCALL_PROGRAM(name)                                                                                          \
	INLINE void name##_body(struct scratch *s);                                                                    \
	SEC("tp_btf/sys_exit")                                                                                         \
	int name(u64 *ctx)                                                                                             \
	{                                                                                                              \
		struct scratch *s = scratch_mine();                                                                    \
		if (s)                                                                                                 \
			name##_body(s);                                                                                \
		return 0;                                                                                              \
	}                                                                                                              \
	INLINE void name##_body(struct scratch *s)
