/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Scopes, exceptions and the decision of `guard.bpf.c`. Mirror: `crates/sensor/src/guard/layout.rs`.
 */
#pragma once

#define PATH_ROOM 512		/* bytes of a path that an event carries, from the leaf up; a power of two */
#define NAME_ROOM 256		/* NAME_MAX + 1 */
#define PATH_COMPONENTS 24	/* components of a path that are kept, from the leaf up */
#define CGROUP_LEVELS 8		/* how far above a task's control group its container's is looked for */
#define KEY_PATH 200		/* longest path of an exception */
#define ARGUMENTS 6		/* arguments of an interpreter that are looked at */
#define ARGUMENT_ROOM 128	/* bytes of each */
#define EXE_ROOM 16		/* bytes of an interpreter's name */

enum hook { HOOK_EXEC, HOOK_MAP, HOOK_SCRIPT, HOOK_INJECT, HOOKS };
enum verdict { VERDICT_NONE, VERDICT_AUDIT, VERDICT_DENIED, VERDICT_KILLED };
enum exception_kind { EXCEPT_PATH, EXCEPT_PROCESS };

/* A container and what holds for it. Masks are of ORIGIN_* values. */
struct scope {
	u32 id;
	u32 root_dev;		/* device of the root file system, encoded as stat(2) does */
	u32 refuse[HOOKS];
	u32 report[HOOKS];
};

struct guard_event {
	u64 time;		/* ns since boot */
	u64 ino;
	u32 scope;
	u32 tgid;
	u32 tid;
	u32 parent;
	u32 uid;
	u32 dev;
	u32 origin;
	u8 hook;
	u8 verdict;
	u16 path_at;		/* where the path begins in `path`; it ends at PATH_ROOM */
	char comm[16];
	char path[PATH_ROOM + NAME_ROOM];
};

struct exception_key {
	u32 bits;		/* of what follows */
	u32 scope_kind;		/* scope << 1 | kind */
	char path[KEY_PATH];
};

struct guard_settings {
	u32 host_namespace;	/* mount namespace of the host: never a container's */
	u32 cgroup_v1;		/* look at the memory controller's group, not the unified one */
};
const volatile struct guard_settings settings SEC(".rodata.settings");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct scope);
} namespaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct scope);
} control_groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct exception_key);
	__type(value, u32);
} exceptions SEC(".maps");

/* Names of interpreters up to their first digit; the value is a `enum interpreter`. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, char[EXE_ROOM]);
	__type(value, u32);
} interpreters SEC(".maps");
enum interpreter { INTERPRETER_NONE, INTERPRETER_SHELL, INTERPRETER_LANGUAGE, INTERPRETER_MULTICALL };

/* Endings of file names that are scripts, without the dot. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, u64); /* the letters, the first lowest */
	__type(value, u32);
} endings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} events SEC(".maps");

/* Room to decide in, for each processor; more than one, since a task can be interrupted by another one while it decides.
 * Not room in the ring: what is thrown away there is room again only when user space has passed over it, so that without
 * an agent, or with a slow one, no exception could be looked up.
 */
#define DESKS 4
struct desk {
	u32 taken;
	u32 unused;
	struct guard_event event;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DESKS);
	__type(key, u32);
	__type(value, struct desk);
} desks SEC(".maps");

/* Events that found the ring full. The verdict held all the same. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} lost SEC(".maps");

INLINE u32 device_of(struct file *file)
{
	u32 dev = BPF_CORE_READ(file, f_path.dentry, d_sb, s_dev);
	u32 major = dev >> 20, minor = dev & 0xfffff;
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

INLINE struct kernfs_node *above(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return (void *)BPF_CORE_READ((struct kernfs_node___v6_14 *)kn, parent);
}

/* The container of a task: by mount namespace, which a process that was moved to another control group keeps, or by
 * control group, which a process that made itself a mount namespace keeps. The host's namespace is never a container:
 * there the runtime prepares one, and executes itself from a memfd.
 */
static __noinline struct scope *scope_of(struct task_struct *t)
{
	u32 ns = mount_namespace(t);
	struct scope *found;
	struct css_set *set;
	struct cgroup *cgroup = NULL;
	struct kernfs_node *kn;

	if (ns == settings.host_namespace)
		return NULL;
	found = bpf_map_lookup_elem(&namespaces, &ns);
	if (found)
		return found;
	set = BPF_CORE_READ(t, cgroups);
	if (settings.cgroup_v1) {
		struct cgroup_subsys_state *css = NULL;
		void *slot = __builtin_preserve_access_index(&set->subsys[0]);

		if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
			return NULL;
		bpf_probe_read_kernel(&css, sizeof(css),
				      slot + bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(void *));
		if (css)
			cgroup = BPF_CORE_READ(css, cgroup);
	} else {
		cgroup = BPF_CORE_READ(set, dfl_cgrp);
	}
	if (!cgroup)
		return NULL;
	kn = BPF_CORE_READ(cgroup, kn);
	for (int i = 0; i < CGROUP_LEVELS && kn; i++) {
		u64 id = BPF_CORE_READ((struct kernfs_node___guard *)kn, id);

		found = bpf_map_lookup_elem(&control_groups, &id);
		if (found)
			return found;
		kn = above(kn);
	}
	return NULL;
}

/* Where a walk up a path stands. */
struct walk {
	u64 dentry;
	u64 mount;
	u64 name;	/* of the component that was just passed */
	u32 len;
	u32 top;	/* nothing is above it */
	u64 at;		/* where the path begins so far; kept here so that the verifier forgets its bounds at each turn */
};

/* One component up, over the mount points between. A function of the whole object: the verifier walks it once and not
 * for every turn of the loop, which kernels before 6.12 would refuse as too long.
 */
__noinline int one_up(struct walk *w)
{
	struct dentry *dentry, *parent;
	struct mount *mount;

	if (!w)
		return 0;
	dentry = (void *)w->dentry;
	mount = (void *)w->mount;
	/* at most a few mounts are stacked on one directory */
	for (int j = 0; j < 4; j++) {
		struct mount *up;

		if (dentry != BPF_CORE_READ(mount, mnt.mnt_root))
			break;
		up = BPF_CORE_READ(mount, mnt_parent);
		if (up == mount)
			break;
		dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		mount = up;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	w->name = (u64)BPF_CORE_READ(dentry, d_name.name);
	w->len = BPF_CORE_READ(dentry, d_name.len);
	w->top = parent == dentry;
	w->dentry = (u64)parent;
	w->mount = (u64)mount;
	return 1;
}

/* Writes the path of a file, as its mount namespace sees it, so that it ends at PATH_ROOM, and where it begins. A path
 * that is too long keeps its end.
 */
static __noinline int path_of(struct file *file, struct guard_event *e)
{
	struct vfsmount *vfs = BPF_CORE_READ(file, f_path.mnt);
	struct walk w = {
		.dentry = (u64)BPF_CORE_READ(file, f_path.dentry),
		.mount = (u64)vfs - bpf_core_field_offset(struct mount, mnt),
		.at = PATH_ROOM,
	};

	if (!e)
		return 0;
	e->path_at = PATH_ROOM;
	for (int i = 0; i < PATH_COMPONENTS; i++) {
		u32 len, at;

		if (!one_up(&w))
			break;
		len = w.len;
		at = w.at;
		/* the root itself has a name of one letter; a memfd has a name and no directory */
		if (w.top && (i || len <= 1))
			break;
		if (len >= NAME_ROOM || len + 1 > at)
			break;
		at -= len;
		bpf_probe_read_kernel(e->path + (at & (PATH_ROOM - 1)), len & (NAME_ROOM - 1), (void *)w.name);
		if (w.top) {
			e->path_at = at;
			break;
		}
		at -= 1;
		e->path[at & (PATH_ROOM - 1)] = '/';
		w.at = at;
		e->path_at = at;
	}
	return 0;
}

/* Whether an exception's path begins this one. Called for what would be refused or reported only. */
static __noinline bool excepted(struct guard_event *e, u32 scope, u32 kind)
{
	struct exception_key key = { .bits = (4 + KEY_PATH) * 8, .scope_kind = scope << 1 | kind };
	u32 at, len;

	if (!e)
		return false;
	at = e->path_at;
	len = PATH_ROOM - at;
	if (len > KEY_PATH)
		len = KEY_PATH;
	/* the text's end is a NUL in the key, which is how an exception for one file ends, too */
	bpf_probe_read_kernel(key.path, len & 0xff, e->path + (at & (PATH_ROOM - 1)));
	return bpf_map_lookup_elem(&exceptions, &key) != NULL;
}

INLINE u32 classify(u32 origin, u32 dev, u32 root_dev)
{
	u32 of = origin & (ORIGIN_LOWER | ORIGIN_UPPER | ORIGIN_META | ORIGIN_MEMORY | ORIGIN_MEMFD | ORIGIN_OTHER);

	if (dev == root_dev)
		/* without layers nothing is known of a root file system: it counts as the image */
		return of == ORIGIN_UPPER ? ORIGIN_UPPER : 0;
	/* another overlay's lower layer can be anything */
	if (of & (ORIGIN_LOWER | ORIGIN_UPPER | ORIGIN_META))
		return ORIGIN_OTHER;
	return of;
}

INLINE struct desk *take_desk(void)
{
	for (u32 i = 0; i < DESKS; i++) {
		u32 key = i;
		struct desk *desk = bpf_map_lookup_elem(&desks, &key);

		if (desk && !__sync_lock_test_and_set(&desk->taken, 1))
			return desk;
	}
	return NULL;
}

INLINE void count_lost(void)
{
	u32 zero = 0;
	u64 *count = bpf_map_lookup_elem(&lost, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* Decides for the current task, reports, and says whether to refuse. The file is 0 where there is none. A function of
 * the whole object with numbers for arguments, so that the verifier walks it once and not for every hook that calls it.
 */
__noinline int judge(u64 file_, u32 hook, u32 verdict)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct file *file = (void *)file_;
	struct scope *scope = scope_of(t);
	struct guard_event *e;
	struct desk *desk;
	struct file *exe;
	u32 origin = 0, dev = 0, class, refuse, id;

	if (!scope)
		return 0;
	hook &= HOOKS - 1;
	if (file) {
		origin = origin_of(file);
		dev = device_of(file);
	}
	class = hook == HOOK_INJECT ? ORIGIN_OTHER : classify(origin, dev, scope->root_dev);
	refuse = class & scope->refuse[hook];
	if (!refuse && !(class & scope->report[hook]))
		return 0;
	id = scope->id;
	desk = take_desk();
	if (!desk) {
		/* exceptions need the room: better a refusal too many than an attack that gets through by making noise */
		count_lost();
		return refuse ? 1 : 0;
	}
	e = &desk->event;
	exe = BPF_CORE_READ(t, mm, exe_file);
	if (hook == HOOK_EXEC && verdict == VERDICT_KILLED)
		/* the process is the new program already: the one that started it is its parent's, as a rule */
		exe = BPF_CORE_READ(t, real_parent, mm, exe_file);
	if (exe) {
		path_of(exe, e);
		if (excepted(e, id, EXCEPT_PROCESS)) {
			desk->taken = 0;
			return 0;
		}
	}
	e->path_at = PATH_ROOM;
	if (file)
		path_of(file, e);
	if (excepted(e, id, EXCEPT_PATH)) {
		desk->taken = 0;
		return 0;
	}
	e->time = bpf_ktime_get_boot_ns();
	e->ino = file ? BPF_CORE_READ(file, f_path.dentry, d_inode, i_ino) : 0;
	e->scope = id;
	e->tgid = BPF_CORE_READ(t, tgid);
	e->tid = BPF_CORE_READ(t, pid);
	e->parent = BPF_CORE_READ(t, real_parent, tgid);
	e->uid = BPF_CORE_READ(t, cred, uid.val);
	e->dev = dev;
	e->origin = origin;
	e->hook = hook;
	e->verdict = refuse ? verdict : VERDICT_AUDIT;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), __builtin_preserve_access_index(&t->comm));
	if (bpf_ringbuf_output(&events, e, sizeof(*e), 0))
		count_lost();
	desk->taken = 0;
	return refuse ? 1 : 0;
}

/* Ends a name at its first digit: `python3.11` is `python`. Without branches, which the verifier would multiply. */
INLINE void cut_name(char *name, u32 room)
{
	u8 keep = 1;

	for (u32 i = 0; i < room; i++) {
		u8 digit = (u8)(name[i] - '0') < 10;

		keep &= ~digit;
		name[i] *= keep;
	}
}

INLINE u32 interpreter_of(struct task_struct *t)
{
	struct file *exe = BPF_CORE_READ(t, mm, exe_file);
	char name[EXE_ROOM] = {};
	u32 *found;

	if (!exe)
		return INTERPRETER_NONE;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(exe, f_path.dentry, d_name.name));
	cut_name(name, EXE_ROOM);
	found = bpf_map_lookup_elem(&interpreters, name);
	return found ? *found : INTERPRETER_NONE;
}

struct argument {
	char text[ARGUMENT_ROOM];
};

/* A number for the last part of a path: equal texts give equal numbers. A function of its own, and without branches that
 * depend on the text, so that the verifier walks it once.
 */
__noinline u64 last_part(struct argument *a)
{
	u64 sum = 0;

	if (!a)
		return 0;
	for (u32 i = 0; i < ARGUMENT_ROOM; i++) {
		u64 c = (u8)a->text[i];

		if (!c)
			break;
		/* FNV-1a, begun again behind every slash */
		sum = (sum ^ c) * 0x100000001b3ull * (c != '/');
	}
	return sum;
}

INLINE bool is_shell_name(const char *s, u32 n)
{
	/* sh, ash, hush, -sh, /bin/sh: what a multi-call program is called when it is a shell */
	return n >= 3 && s[(n - 3) & (ARGUMENT_ROOM - 1)] == 's' && s[(n - 2) & (ARGUMENT_ROOM - 1)] == 'h';
}

/* Whether the file is what the interpreter was told to run: a shell's any argument, another's first that is not an
 * option.
 */
static __noinline bool is_operand(struct task_struct *t, struct file *file, u32 kind)
{
	struct argument a = {};
	u64 name, from = BPF_CORE_READ(t, mm, arg_start), to = BPF_CORE_READ(t, mm, arg_end);

	bpf_probe_read_kernel_str(a.text, sizeof(a.text), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	name = last_part(&a);
	for (u32 i = 0; i < ARGUMENTS && from < to; i++) {
		long n = bpf_probe_read_user_str(a.text, sizeof(a.text), (void *)from);

		if (n <= 0)
			return false;
		from += n;
		if (kind == INTERPRETER_MULTICALL) {
			if (is_shell_name(a.text, n))
				kind = INTERPRETER_SHELL;
			else if (i)
				return false;
			continue;
		}
		if (!i || a.text[0] == '-' || a.text[0] == '+')
			continue;
		if (last_part(&a) == name)
			return true;
		if (kind == INTERPRETER_LANGUAGE)
			return false;
	}
	return false;
}

static __noinline bool has_script_ending(struct file *file)
{
	u32 len = BPF_CORE_READ(file, f_path.dentry, d_name.len);
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char tail[8] = {};
	u64 ending = 0, dots = 0;
	u32 shift = 0;

	if (len < 3)
		return false;
	/* the last seven bytes; then what stands behind their last dot, as one word, again without branches */
	bpf_probe_read_kernel_str(tail, sizeof(tail), name + (len > 7 ? len - 7 : 0));
	for (u32 i = 0; i < 7; i++) {
		u64 c = (u8)tail[i], other = c != '.';

		ending = (ending | c << (shift & 63)) * other;
		shift = (shift + 8) * other;
		dots += !other;
	}
	return dots && bpf_map_lookup_elem(&endings, &ending);
}

/* Whether an interpreter is about to run a dropped file. Walked once, as `judge_file`. */
__noinline int is_dropped_script(u64 file_)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct file *file = (void *)file_;
	struct scope *scope = scope_of(t);
	u32 kind, origin;

	if (!scope || !(scope->refuse[HOOK_SCRIPT] | scope->report[HOOK_SCRIPT]))
		return 0;
	kind = interpreter_of(t);
	if (kind == INTERPRETER_NONE)
		return 0;
	origin = origin_of(file);
	if (!(origin & ORIGIN_REGULAR))
		return 0;
	if (!classify(origin, device_of(file), scope->root_dev))
		return 0;
	if (kind == INTERPRETER_MULTICALL ? !is_operand(t, file, kind) :
					    !has_script_ending(file) && !is_operand(t, file, kind))
		return 0;
	return 1;
}

INLINE int judge_script(u64 file, u32 verdict)
{
	return is_dropped_script(file) ? judge(file, HOOK_SCRIPT, verdict) : 0;
}
