/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Birth, exec and death of processes.
 *
 * A successful exec is told by its tracepoint, a refused one by the system call. A child is told by
 * sched_process_fork, before it runs, so that nothing it does can come first; the parent's side by the system call.
 */
#pragma once

#define EVENT_EXECVE 293
#define EVENT_EXECVEAT 331
#define EVENT_CLONE 223
#define EVENT_FORK 225
#define EVENT_VFORK 227
#define EVENT_CLONE3 335
#define EVENT_PROCEXIT 186
#define TABLE_CLONE 3
#define SCAP_CHILD_IN_PIDNS (1 << 29)
#define ARGV_MAX 64	/* arguments of a refused exec that are kept */
#define ENVP_MAX 64	/* environment variables of a refused exec that are kept */
#define SIBLINGS 16	/* threads looked at for one that lives on */
#define ANCESTORS 16	/* parents looked at for one that adopts */

/* exec: everything after the arguments and before the path of the executable. */
INLINE void put_exec_facts(struct scratch *s, struct task_struct *t)
{
	struct file *exe = BPF_CORE_READ(t, mm, exe_file);
	struct inode *inode = BPF_CORE_READ(exe, f_inode);
	enum layer layer = overlay_layer(exe);
	u32 loginuid = -1, flags = 0;

	put_u32(s, task_tty(t));
	put_s64(s, pid_vnr(task_pid_struct(t, PIDTYPE_PGID), NULL));
	if (bpf_core_field_exists(t->loginuid))
		loginuid = BPF_CORE_READ(t, loginuid.val);
	put_u32(s, loginuid);
	if (may_write(t, inode))
		flags |= 1;
	if (layer == LAYER_UPPER)
		flags |= 2;
	if (is_memfd(exe))
		flags |= 4;
	if (layer == LAYER_LOWER)
		flags |= 8;
	put_u32(s, flags);
	put_u64(s, task_caps(t, CAPS_INHERITABLE));
	put_u64(s, task_caps(t, CAPS_PERMITTED));
	put_u64(s, task_caps(t, CAPS_EFFECTIVE));
	put_u64(s, BPF_CORE_READ(inode, i_ino));
	put_u64(s, inode_ctime(inode));
	put_u64(s, inode_mtime(inode));
	put_u32(s, BPF_CORE_READ(t, cred, euid.val));
}

INLINE void put_exec_end(struct scratch *s, struct task_struct *t)
{
	close_param(s, raw_path((u64)BPF_CORE_READ(t, mm, exe_file)));
	put_s64(s, pid_nr(task_pid_struct(t, PIDTYPE_PGID)));
	put_u32(s, BPF_CORE_READ(t, cred, egid.val));
}

SEC("tp_btf/sched_process_exec")
int process_exec(u64 *ctx)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct linux_binprm *bprm = (void *)ctx[2];
	struct mm_struct *mm = BPF_CORE_READ(t, mm);
	u32 row = NR_EXEC;
	struct spec *spec = bpf_map_lookup_elem(&specs, &row);
	struct scratch *s;

	process_renewed();
	if (!spec || !(spec->want & WANT_OK) || !mm)
		return 0;
	s = scratch_take();
	if (!s)
		return 0;
	begin(s, EVENT_EXECVE, 31, ORIGIN_TRACEPOINT);
	put_s64(s, 0);
	put_exe_args(s, t);
	put_s64(s, BPF_CORE_READ(t, pid));
	put_s64(s, BPF_CORE_READ(t, tgid));
	put_s64(s, task_parent(t));
	put_resources(s, t);
	u64 from = BPF_CORE_READ(mm, env_start), to = BPF_CORE_READ(mm, env_end);
	put_bytes_user(s, from, to > from ? to - from : 0);
	put_exec_facts(s, t);
	put_exec_end(s, t);
	put_text_kernel(s, BPF_CORE_READ(bprm, filename));
	end(s);
	return 0;
}

/* One text of an array of pointers in user memory; see take_part. */
__noinline int take_text(u32 index)
{
	struct scratch *s = scratch_mine();
	u64 from = 0;
	u32 n;

	if (!s || !s->left)
		return 0;
	if (s->compat == ORIGIN_COMPAT)
		bpf_probe_read_user(&from, 4, (void *)(s->array + 4 * index));
	else
		bpf_probe_read_user(&from, 8, (void *)(s->array + 8 * index));
	if (!from)
		return 0;
	n = raw_text_user(s, from, MAX_PATH);
	if (n > s->left) {
		/* cut at the bound, with its NUL */
		s->pos -= n - s->left;
		s->rec[(s->pos - 1) & (MAX_RECORD - 1)] = 0;
		n = s->left;
	}
	s->left -= n;
	return 1;
}

/* An array of pointers to text in user memory: its texts back to back, at most MAX_PATH bytes. */
INLINE void put_texts(struct scratch *s, u64 array, u32 first, u32 max)
{
	u32 start = s->pos;

	s->array = array;
	s->left = MAX_PATH;
	for (u32 i = 0; i < max; i++) {
		if (!take_text(i + first))
			break;
	}
	close_param(s, s->pos - start);
}

INLINE u64 pointer_at(struct scratch *s, u64 array)
{
	u64 v = 0;
	if (s->compat == ORIGIN_COMPAT)
		bpf_probe_read_user(&v, 4, (void *)array);
	else
		bpf_probe_read_user(&v, 8, (void *)array);
	return v;
}

INLINE void refused_exec(struct scratch *s, u16 event, u16 nparams, u64 path, u64 argv, u64 envp)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	u64 first;

	begin(s, event, nparams, s->compat);
	put_s64(s, s->ret);
	first = pointer_at(s, argv);
	put_text_user(s, first);
	put_texts(s, argv, 1, ARGV_MAX);
	put_s64(s, BPF_CORE_READ(t, pid));
	put_s64(s, BPF_CORE_READ(t, tgid));
	put_s64(s, task_parent(t));
	put_resources(s, t);
	put_texts(s, envp, 0, ENVP_MAX);
	put_exec_facts(s, t);
	put_exec_end(s, t);
	if (nparams > 30)
		put_text_user(s, path);
	end(s);
}

SYSCALL_PROGRAM(sys_execve)
{
	if (s->ret >= 0)
		scratch_give(s);
	else
		refused_exec(s, EVENT_EXECVE, 31, s->args[0], s->args[1], s->args[2]);
}

SYSCALL_PROGRAM(sys_execveat)
{
	if (s->ret >= 0)
		scratch_give(s);
	else
		refused_exec(s, EVENT_EXECVEAT, 30, 0, s->args[2], s->args[3]);
}

INLINE u32 clone_flags_of(struct task_struct *t, u64 flags)
{
	u32 out = move_bits(TABLE_CLONE, flags);
	struct pid_namespace *ns = NULL;
	struct pid *pid = task_pid_struct(t, PIDTYPE_PID);

	pid_vnr(pid, &ns);
	if (BPF_CORE_READ(pid, level) || BPF_CORE_READ(t, nsproxy, pid_ns_for_children) != ns)
		out |= SCAP_CHILD_IN_PIDNS;
	return out;
}

/* Both sides of clone. `t` is the caller or the child; the memory that is read belongs to the caller either way. */
INLINE void clone_event(struct scratch *s, struct task_struct *t, u16 event, u16 origin, s64 ret, u64 flags, bool child)
{
	struct pid_namespace *ns = NULL;
	u64 init_start = 0;

	begin(s, event, 21, origin);
	if (child)
		s->head.tid = BPF_CORE_READ(t, pid);
	put_s64(s, ret);
	if (ret >= 0) {
		put_exe_args(s, (void *)bpf_get_current_task());
	} else {
		put_empty(s);
		put_empty(s);
	}
	put_s64(s, BPF_CORE_READ(t, pid));
	put_s64(s, BPF_CORE_READ(t, tgid));
	put_s64(s, task_parent(t));
	put_resources(s, t);
	put_u32(s, clone_flags_of(t, flags));
	put_u32(s, BPF_CORE_READ(t, cred, euid.val));
	put_u32(s, BPF_CORE_READ(t, cred, egid.val));
	put_s64(s, pid_vnr(task_pid_struct(t, PIDTYPE_PID), &ns));
	put_s64(s, pid_vnr(task_pid_struct(t, PIDTYPE_TGID), NULL));
	if (child && ns)
		init_start = BPF_CORE_READ(ns, child_reaper, start_boottime);
	put_u64(s, init_start);
	end(s);
}

SYSCALL_PROGRAM(sys_clone)
{
	if (s->ret == 0)
		scratch_give(s);
	else
		clone_event(s, (void *)bpf_get_current_task(), EVENT_CLONE, s->compat, s->ret, s->args[0], false);
}

SYSCALL_PROGRAM(sys_clone3)
{
	u64 flags = 0;

	if (s->ret == 0) {
		scratch_give(s);
		return;
	}
	bpf_probe_read_user(&flags, sizeof(flags), (void *)s->args[0]);
	clone_event(s, (void *)bpf_get_current_task(), EVENT_CLONE3, s->compat, s->ret, flags, false);
}

/* fork and vfork differ in their event only, which the table holds. */
SYSCALL_PROGRAM(sys_fork)
{
	u32 nr = s->nr;
	struct spec *spec = bpf_map_lookup_elem(&specs, &nr);

	if (s->ret == 0 || !spec)
		scratch_give(s);
	else
		clone_event(s, (void *)bpf_get_current_task(), spec->event, s->compat, s->ret, 0, false);
}

SEC("tp_btf/sched_process_fork")
int process_fork(u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	u32 row = NR_FORK_CHILD, event = EVENT_CLONE;
	struct spec *spec = bpf_map_lookup_elem(&specs, &row);
	struct scratch *s;
	u64 flags = 0;

	if (!spec || !(spec->want & WANT_OK) || BPF_CORE_READ(child, flags) & PF_KTHREAD ||
	    BPF_CORE_READ(parent, flags) & PF_KTHREAD)
		return 0;
	process_born(child);
#if defined(__TARGET_ARCH_x86)
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	bool compat = BPF_CORE_READ(parent, thread_info.status) & TS_COMPAT;
	u32 nr = BPF_CORE_READ(regs, orig_ax);
	if (compat) {
		u16 *native = bpf_map_lookup_elem(&compat_numbers, &nr);
		nr = native ? *native : 0;
	}
	u64 first = compat ? (u32)BPF_CORE_READ(regs, bx) : BPF_CORE_READ(regs, di);
	if (nr == 57)
		event = EVENT_FORK;
	else if (nr == 58)
		event = EVENT_VFORK;
	else if (nr == 435)
		event = EVENT_CLONE3;
#else
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	u32 nr = BPF_CORE_READ(regs, syscallno);
	u64 first = BPF_CORE_READ(regs, orig_x0);
	if (nr == 435)
		event = EVENT_CLONE3;
#endif
	if (event == EVENT_CLONE3)
		bpf_probe_read_user(&flags, sizeof(flags), (void *)first);
	else if (event == EVENT_CLONE)
		flags = first;
	s = scratch_take();
	if (s)
		clone_event(s, child, event, ORIGIN_TRACEPOINT, 0, flags, true);
	return 0;
}

/* Who inherits the children of a dying task: a thread of its group that lives on, else the nearest subreaper, else the
 * first process of the namespace. 0 when there are no children.
 */
INLINE s64 reaper_of(struct task_struct *t)
{
	struct list_head *children = __builtin_preserve_access_index(&t->children);
	struct signal_struct *signal = BPF_CORE_READ(t, signal);
	struct list_head *head = __builtin_preserve_access_index(&signal->thread_head);
	struct list_head *node;
	struct pid_namespace *ns = NULL;
	struct task_struct *up;

	if (BPF_CORE_READ(children, next) == children)
		return 0;
	node = BPF_CORE_READ(head, next);
	for (int i = 0; i < SIBLINGS && node && node != head; i++) {
		struct task_struct *other = (void *)node - bpf_core_field_offset(struct task_struct, thread_node);
		if (other != t && !(BPF_CORE_READ(other, flags) & 0x4 /* PF_EXITING */))
			return BPF_CORE_READ(other, pid);
		node = BPF_CORE_READ(node, next);
	}
	pid_vnr(task_pid_struct(t, PIDTYPE_PID), &ns);
	if (BPF_CORE_READ_BITFIELD_PROBED(signal, has_child_subreaper)) {
		up = BPF_CORE_READ(t, real_parent);
		for (int i = 0; i < ANCESTORS && up; i++) {
			struct signal_struct *sig = BPF_CORE_READ(up, signal);
			struct pid_namespace *upper = NULL;
			pid_vnr(task_pid_struct(up, PIDTYPE_PID), &upper);
			if (upper != ns)
				break;
			if (BPF_CORE_READ_BITFIELD_PROBED(sig, is_child_subreaper))
				return BPF_CORE_READ(up, pid);
			up = BPF_CORE_READ(up, real_parent);
		}
	}
	return BPF_CORE_READ(ns, child_reaper, pid);
}

SEC("tp_btf/sched_process_exit")
int process_exit(u64 *ctx)
{
	struct task_struct *t = (void *)ctx[0];
	u32 row = NR_PROCEXIT;
	struct spec *spec = bpf_map_lookup_elem(&specs, &row);
	struct scratch *s;
	s32 code;

	if (!spec || !(spec->want & WANT_OK) || BPF_CORE_READ(t, flags) & PF_KTHREAD)
		return 0;
	s = scratch_take();
	if (!s)
		return 0;
	code = BPF_CORE_READ(t, exit_code);
	begin(s, EVENT_PROCEXIT, 5, ORIGIN_TRACEPOINT);
	put_s64(s, code);
	put_s64(s, (code & 0xff00) >> 8);
	put_u8(s, (s8)((code & 0x7f) + 1) >> 1 > 0 ? code & 0x7f : 0);
	put_u8(s, code & 0x80 ? 1 : 0);
	put_s64(s, reaper_of(t));
	end(s);
	return 0;
}
