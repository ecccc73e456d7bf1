/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Facts about a task: ids, credentials, memory, control groups, terminal.
 */
#pragma once

#define PF_KTHREAD 0x00200000
#define TS_COMPAT 0x2		/* thread_info.status on x86: inside a 32-bit system call */
#define RLIMIT_NOFILE 7
#define PAGE_SHIFT 12
#define CGROUP_DEPTH 12		/* components of a control group path that are kept, from the leaf up */
#define CGROUP_NAME 256		/* longest name of one component, NAME_MAX + 1 */

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID };

INLINE struct pid *task_pid_struct(struct task_struct *t, enum pid_type type)
{
	if (type == PIDTYPE_PID)
		return BPF_CORE_READ(t, thread_pid);
	if (type == PIDTYPE_TGID)
		return BPF_CORE_READ(t, signal, pids[PIDTYPE_TGID]);
	if (type == PIDTYPE_PGID)
		return BPF_CORE_READ(t, signal, pids[PIDTYPE_PGID]);
	return BPF_CORE_READ(t, signal, pids[PIDTYPE_SID]);
}

/* Number in the first pid namespace. */
INLINE s64 pid_nr(struct pid *pid)
{
	return BPF_CORE_READ(pid, numbers[0].nr);
}

/* Number in the namespace in which the pid was made, and that namespace. */
INLINE s64 pid_vnr(struct pid *pid, struct pid_namespace **ns)
{
	u32 level = BPF_CORE_READ(pid, level);
	struct upid *first = __builtin_preserve_access_index(&pid->numbers[0]);
	struct upid u = {};

	bpf_probe_read_kernel(&u, sizeof(u), first + (level & 31));
	if (ns)
		*ns = u.ns;
	return u.nr;
}

INLINE s64 task_parent(struct task_struct *t)
{
	return BPF_CORE_READ(t, real_parent, tgid);
}

INLINE u32 task_tty(struct task_struct *t)
{
	struct tty_struct *tty = BPF_CORE_READ(t, signal, tty);
	if (!tty)
		return 0;
	u32 major = BPF_CORE_READ(tty, driver, major);
	u32 minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

INLINE u64 rss_pages(struct mm_struct *mm, u32 which)
{
	s64 n = 0;
	if (bpf_core_type_exists(struct mm_rss_stat)) {
		struct mm_struct___v6_1 *old = (void *)mm;
		if (which == 0)
			n = BPF_CORE_READ(old, rss_stat.count[0].counter);
		else if (which == 1)
			n = BPF_CORE_READ(old, rss_stat.count[1].counter);
		else if (which == 2)
			n = BPF_CORE_READ(old, rss_stat.count[2].counter);
		else
			n = BPF_CORE_READ(old, rss_stat.count[3].counter);
	} else {
		if (which == 0)
			n = BPF_CORE_READ(mm, rss_stat[0].count);
		else if (which == 1)
			n = BPF_CORE_READ(mm, rss_stat[1].count);
		else if (which == 2)
			n = BPF_CORE_READ(mm, rss_stat[2].count);
		else
			n = BPF_CORE_READ(mm, rss_stat[3].count);
	}
	return n;
}

/* vm_size, vm_rss, vm_swap in KiB. */
INLINE void put_memory(struct scratch *s, struct task_struct *t)
{
	struct mm_struct *mm = BPF_CORE_READ(t, mm);
	if (!mm) {
		put_u32(s, 0);
		put_u32(s, 0);
		put_u32(s, 0);
		return;
	}
	put_u32(s, BPF_CORE_READ(mm, total_vm) << (PAGE_SHIFT - 10));
	put_u32(s, (rss_pages(mm, 0) + rss_pages(mm, 1) + rss_pages(mm, 3)) << (PAGE_SHIFT - 10));
	put_u32(s, rss_pages(mm, 2) << (PAGE_SHIFT - 10));
}

enum cap_set { CAPS_INHERITABLE, CAPS_PERMITTED, CAPS_EFFECTIVE };

/* A capability set is 64 bits long in every kernel: one word, or two halves in the same order. */
INLINE u64 task_caps(struct task_struct *t, enum cap_set which)
{
	const struct cred *cred = BPF_CORE_READ(t, cred);
	const void *at = __builtin_preserve_access_index(&cred->cap_inheritable);
	u64 v = 0;

	if (which == CAPS_PERMITTED)
		at = __builtin_preserve_access_index(&cred->cap_permitted);
	else if (which == CAPS_EFFECTIVE)
		at = __builtin_preserve_access_index(&cred->cap_effective);
	bpf_probe_read_kernel(&v, sizeof(v), at);
	return v & ((1ull << 41) - 1); /* CAP_LAST_CAP + 1 */
}

INLINE struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return (void *)BPF_CORE_READ((struct kernfs_node___v6_14 *)kn, parent);
}

/* One controller's part of the parameter: `label=/path` with its NUL. Its own function: the verifier checks it once. */
__noinline int cgroup_part(u64 cgroup, u64 label, u64 label_len)
{
	struct scratch *s = scratch_mine();
	u64 names[CGROUP_DEPTH] = {};
	struct kernfs_node *kn = BPF_CORE_READ((struct cgroup *)cgroup, kn);
	int depth = 0;

	if (!s)
		return 0;
	__builtin_memcpy(at(s), &label, sizeof(label));
	s->pos += label_len;
	for (int i = 0; i < CGROUP_DEPTH; i++) {
		struct kernfs_node *parent = kn ? kernfs_parent(kn) : NULL;
		if (!parent)
			break;
		names[i] = (u64)BPF_CORE_READ(kn, name);
		kn = parent;
		depth = i + 1;
	}
	if (depth == 0)
		raw_u8(s, '/');
	for (int i = CGROUP_DEPTH - 1; i >= 0; i--) {
		if (!names[i])
			continue;
		raw_u8(s, '/');
		u32 n = raw_text_kernel(s, (void *)names[i], CGROUP_NAME);
		if (n)
			s->pos -= 1; /* the next part, or the NUL below, takes its place */
	}
	raw_u8(s, 0);
	return 0;
}

/* A label of at most eight letters as a word, the first letter lowest. */
#define LABEL(text) (*(const u64 *)(text "\0\0\0\0\0\0\0"))

INLINE void put_cgroup(struct css_set *set, u32 subsys, u64 label, u64 label_len)
{
	struct cgroup_subsys_state *css = NULL;
	void *slot = __builtin_preserve_access_index(&set->subsys[0]);

	bpf_probe_read_kernel(&css, sizeof(css), slot + subsys * sizeof(void *));
	if (css)
		cgroup_part((u64)BPF_CORE_READ(css, cgroup), label, label_len);
}

#define CGROUP(name, label)                                                                                            \
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, name))                                                   \
		put_cgroup(set, bpf_core_enum_value(enum cgroup_subsys_id, name), LABEL(label), sizeof(label) - 1)

/* Control groups of the five controllers that captures carry. */
INLINE void put_cgroups(struct scratch *s, struct task_struct *t)
{
	struct css_set *set = BPF_CORE_READ(t, cgroups);
	u32 start = s->pos;

	CGROUP(cpuset_cgrp_id, "cpuset=");
	CGROUP(cpu_cgrp_id, "cpu=");
	CGROUP(cpuacct_cgrp_id, "cpuacct=");
	CGROUP(io_cgrp_id, "io=");
	CGROUP(memory_cgrp_id, "memory=");
	close_param(s, s->pos - start);
}

/* exe and args, from the memory in which the kernel put them. */
INLINE void put_exe_args(struct scratch *s, struct task_struct *t)
{
	struct mm_struct *mm = BPF_CORE_READ(t, mm);
	u64 from = mm ? BPF_CORE_READ(mm, arg_start) : 0;
	u64 to = mm ? BPF_CORE_READ(mm, arg_end) : 0;
	u32 exe = put_text_user(s, from);

	put_bytes_user(s, from + exe, to > from + exe ? to - from - exe : 0);
}

/* fdlimit, major and minor faults, memory, comm, control groups: what exec and clone have in common. */
INLINE void put_resources(struct scratch *s, struct task_struct *t)
{
	put_empty(s); /* cwd: user space follows chdir */
	put_u64(s, BPF_CORE_READ(t, signal, rlim[RLIMIT_NOFILE].rlim_cur));
	put_u64(s, BPF_CORE_READ(t, maj_flt));
	put_u64(s, BPF_CORE_READ(t, min_flt));
	put_memory(s, t);
	put_text_kernel(s, __builtin_preserve_access_index(&t->comm));
	put_cgroups(s, t);
}
