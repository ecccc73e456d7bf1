/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * What nobody can want does not cross. The rules say which opens can matter (`crates/rules/src/prefilter`): by how the
 * file was opened, by whom, and by its path, which two tables read byte by byte.
 *
 * An open that is not told is kept with its process, and told just before an event that names its descriptor: to user
 * space it then looks as if it had been told in time. A close is told when user space may know the descriptor.
 */
#pragma once

#define KEPT_FDS 32		/* descriptors whose opens are kept; those of higher numbers are told */
#define TOLD_FDS 64		/* descriptors of which is known whether user space knows them; others count as known */
#define KEPT_PATH 116		/* longer paths are told; most are shorter */
#define FILTER_PATH 256		/* bytes of a path that are looked at, with the NUL; longer ones are told */
#define FILTER_COLUMNS 128
#define ANCHORED_STATES 2048
#define FLOATING_STATES 1024
#define ANCHORED_LABELS 256
#define FLOATING_LABELS 64
#define FILTER_SETS 256
#define FILTER_NAMES 1024
#define FILTER_START 1		/* state before the first byte */
#define CGROUP_UNIT 64		/* a name with a container's id is longer */

#define AT_FDCWD -100
#define F_DUPFD 0
#define F_SETFD 2
#define F_DUPFD_CLOEXEC 1030
#define CLOSE_RANGE_CLOEXEC 4
#define O_TRUNC 01000
#define O_CLOEXEC 02000000

/* spec.filter: which calls are looked at more closely. CLOSE_TOLD: a close that is told whatever is known. */
enum filter { FILTER_NONE, FILTER_OPEN, FILTER_CLOSE, FILTER_FCNTL, CLOSE_TOLD };

/* spec.creates */
enum creates { CREATES_NOTHING, CREATES_RESULT, CREATES_SEVERAL, CREATES_FCNTL, CLOSES_RANGE };

/* Bits of a class. Mirror: `Class` in crates/rules/src/prefilter/class.rs. */
#define CLASS_CREATE (1 << 2)
#define CLASS_TRUNCATE (1 << 3)
#define CLASS_EXECUTABLE (1 << 4)
#define CLASS_OPENED (1 << 5)
#define CLASS_HOST (1 << 6)
#define CLASS_NAMED (1 << 7)

/* Mirror: `encode` in crates/sensor/src/filter.rs. */
struct open_filter {
	u64 sets[FILTER_SETS][4];
	u64 epoch;	/* which names the processes were compared with */
	u8 columns[256];
	u16 anchored[ANCHORED_STATES * FILTER_COLUMNS];
	u16 floating[FLOATING_STATES * FILTER_COLUMNS];
	u8 anchored_label[ANCHORED_STATES];
	u8 floating_label[FLOATING_STATES];
	u8 verdicts[ANCHORED_LABELS * FLOATING_LABELS];
};

/* Two, so that a new one is complete before it is used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct open_filter);
} filters SEC(".maps");

/* Which of the two is used. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} filter_used SEC(".maps");

struct name {
	char text[16];
};

/* Names of processes that rules ask for without asking for a path. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FILTER_NAMES);
	__type(key, struct name);
	__type(value, u8);
} filter_names SEC(".maps");

/* An open that was not told. */
struct kept {
	u32 flags, mode;
	u16 event;
	u16 len;	/* of the path with its NUL */
	char path[KEPT_PATH];
};

struct process {
	u64 told;	/* descriptors that user space may know */
	u64 kept;	/* descriptors whose open is in `opens` */
	u64 cloexec;	/* those of them that end with the next exec */
	u64 epoch;	/* of `named`; 0: the process was there before, its name of now counts */
	u8 ready, host, named;
	u8 pad[5];
	struct kept opens[KEPT_FDS];
};

/* By the first thread of the process; gone with it. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct process);
} processes SEC(".maps");

INLINE struct open_filter *filter_now(void)
{
	u32 zero = 0, *used = bpf_map_lookup_elem(&filter_used, &zero), index;

	if (!used)
		return NULL;
	index = *used & 1;
	return bpf_map_lookup_elem(&filters, &index);
}

INLINE bool name_is_asked(const char *comm)
{
	struct name name = {};

	bpf_probe_read_kernel_str(name.text, sizeof(name.text), comm);
	/* what stood behind the NUL is not part of the name: the read leaves it alone, so it is zero */
	return bpf_map_lookup_elem(&filter_names, &name) != NULL;
}

/* One group's name: whether it is one of the service manager's units and can name no container. Its own function: the
 * verifier checks it once.
 */
__noinline int is_unit(u64 name)
{
	char text[CGROUP_UNIT] = {};
	long n = bpf_probe_read_kernel_str(text, sizeof(text), (void *)name);
	u64 end = 0;

	if (n < 9 || n >= CGROUP_UNIT)
		return false;
	if ((text[0] == 'l' && text[1] == 'x' && text[2] == 'c') || (text[0] == 'b' && text[1] == 'p' && text[2] == 'm'))
		return false;
	for (u32 i = 0; i < CGROUP_UNIT; i++) {
		if (text[i] == '\\')
			return false;
	}
	bpf_probe_read_kernel(&end, 8, (void *)(name + n - 9));
	return end == LABEL(".service") || end >> 16 == LABEL(".slice") || end >> 16 == LABEL(".scope");
}

/* Whether a controller's group certainly belongs to no container: user space finds containers by these paths. */
__noinline int group_is_host(u64 css_)
{
	struct cgroup_subsys_state *css = (void *)css_;
	struct kernfs_node *kn, *parent;

	if (!css)
		return 1;
	kn = BPF_CORE_READ(css, cgroup, kn);
	for (int i = 0; i < CGROUP_DEPTH; i++) {
		parent = kn ? kernfs_parent(kn) : NULL;
		if (!parent)
			return 1;
		if (!is_unit((u64)BPF_CORE_READ(kn, name)))
			return 0;
		kn = parent;
	}
	return 0;
}

#define HOST_GROUP(name)                                                                                               \
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, name)) {                                                 \
		struct cgroup_subsys_state *css = NULL;                                                                \
		bpf_probe_read_kernel(&css, sizeof(css),                                                               \
				      slot + bpf_core_enum_value(enum cgroup_subsys_id, name) * sizeof(void *));       \
		if (!group_is_host((u64)css))                                                                          \
			return false;                                                                                  \
	}

INLINE bool is_host(struct task_struct *t)
{
	struct css_set *set = BPF_CORE_READ(t, cgroups);
	void *slot = __builtin_preserve_access_index(&set->subsys[0]);

	HOST_GROUP(cpuset_cgrp_id)
	HOST_GROUP(cpu_cgrp_id)
	HOST_GROUP(cpuacct_cgrp_id)
	HOST_GROUP(io_cgrp_id)
	HOST_GROUP(memory_cgrp_id)
	return true;
}

/* What is known of the current process; NULL when nothing is, or when the kernel cannot answer now. */
INLINE struct process *process_mine(bool make)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct process *p = bpf_task_storage_get(&processes, t->group_leader, NULL,
						 make ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);

	if (!p)
		return NULL;
	if (!p->ready) {
		p->told = ~0ull;
		p->host = is_host((void *)t);
		p->ready = 1;
	}
	return p;
}

INLINE u64 fd_bit(u32 fd)
{
	return 1ull << (fd & 63);
}

/* exec: descriptors end, and the process has another name and maybe another control group. */
INLINE void process_renewed(void)
{
	struct open_filter *f = filter_now();
	struct task_struct *t = (void *)bpf_get_current_task();
	struct process *p;

	if (!f)
		return;
	p = process_mine(f->epoch);
	if (!p)
		return;
	p->kept &= ~p->cloexec;
	p->cloexec = 0;
	p->host = is_host(t);
	p->named = name_is_asked(__builtin_preserve_access_index(&t->comm[0]));
	p->epoch = f->epoch;
}

/* fork: what the parent has, the child has. A thread may bring a name of its own. */
INLINE void process_born(struct task_struct *child)
{
	struct open_filter *f = filter_now();
	struct process *p, *c;
	bool named;

	if (!f)
		return;
	p = process_mine(false);
	if (!p)
		return;
	named = name_is_asked(__builtin_preserve_access_index(&child->comm[0]));
	if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid)) {
		if (named)
			p->named = 1;
		return;
	}
	c = bpf_task_storage_get(&processes, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c)
		return;
	c->told = p->told;
	c->cloexec = p->cloexec;
	c->epoch = f->epoch;
	/* a name that the parent had counts too, whether or not it has been compared with these names */
	c->named = named || p->named || p->epoch != f->epoch;
	c->host = is_host(child);
	if (p->kept) {
		bpf_probe_read_kernel(c->opens, sizeof(c->opens), p->opens);
		c->kept = p->kept;
	}
	c->ready = 1;
}

/* The two labels of an absolute path of `n` bytes in `side` (`anchored << 8 | floating`), or -1 when it is not its own
 * name: a component is empty, `.` or `..`. Its own function: the verifier checks it once.
 */
__noinline int path_labels(u32 n)
{
	struct scratch *s = scratch_mine();
	struct open_filter *f = filter_now();
	u32 a = FILTER_START, b = FILTER_START, window = 0;

	if (!s || !f)
		return -1;
	for (u32 i = 0; i < FILTER_PATH - 1; i++) {
		u32 c, column;
		if (i >= n)
			break;
		c = s->side[i];
		window = window << 8 | c;
		if (c == '/') {
			if ((window & 0xffff) == 0x2f2f || (window & 0xffffff) == 0x2f2e2f || window == 0x2f2e2e2f)
				return -1;
		}
		column = f->columns[c & 0xff] & (FILTER_COLUMNS - 1);
		a = a * FILTER_COLUMNS + column;
		b = b * FILTER_COLUMNS + column;
		/* or the compiler drops the masks below, which kernels before 6.6 need to see */
		barrier_var(a);
		barrier_var(b);
		a = f->anchored[a & (ANCHORED_STATES * FILTER_COLUMNS - 1)];
		b = f->floating[b & (FLOATING_STATES * FILTER_COLUMNS - 1)];
	}
	if ((window & 0xff) == 0x2f || (window & 0xffff) == 0x2f2e || (window & 0xffffff) == 0x2f2e2e)
		return -1;
	return (u32)f->anchored_label[a & (ANCHORED_STATES - 1)] << 8 | f->floating_label[b & (FLOATING_STATES - 1)];
}

INLINE bool in_set(struct open_filter *f, u32 set, u32 class)
{
	return f->sets[set & (FILTER_SETS - 1)][class >> 6 & 3] >> (class & 63) & 1;
}

INLINE u32 class_of(struct scratch *s, struct open_filter *f, struct process *p, u64 flags, u64 mode)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	u32 class = (flags & 3) == 3 ? 1 : (flags & 3) + 1;

	if (flags & O_CREAT)
		class |= CLASS_CREATE;
	if (flags & O_TRUNC)
		class |= CLASS_TRUNCATE;
	if (flags & (O_CREAT | O_TMPFILE_OR_DIRECTORY) && mode & 0111)
		class |= CLASS_EXECUTABLE;
	if (s->ret >= 0)
		class |= CLASS_OPENED;
	if (!p)
		return class | CLASS_NAMED;
	if (p->host)
		class |= CLASS_HOST;
	if (p->epoch == f->epoch ? p->named : name_is_asked(__builtin_preserve_access_index(&t->comm[0])))
		class |= CLASS_NAMED;
	return class;
}

/* Whether an open is told. If not, it is kept. */
__noinline int open_matters(u32 event)
{
	struct scratch *s = scratch_mine();
	struct open_filter *f = filter_now();
	struct process *p;
	struct kept *kept;
	u64 path, flags, mode;
	u32 class;
	bool asked;
	long n;

	if (!s || !f)
		return 1;
	if (event == 3) {
		path = s->args[0];
		flags = s->args[1];
		mode = s->args[2];
	} else if (event == 307) {
		path = s->args[1];
		flags = s->args[2];
		mode = s->args[3];
	} else {
		struct open_how how = {};
		bpf_probe_read_user(&how, sizeof(how), (void *)s->args[2]);
		path = s->args[1];
		flags = how.flags;
		mode = how.mode;
	}
	p = process_mine(s->ret >= 0);
	if (s->ret >= 0 && !p)
		return 1;
	class = class_of(s, f, p, flags, mode);
	asked = in_set(f, 0, class);
	if (s->ret < 0 && !asked)
		return 0;
	n = bpf_probe_read_user_str(s->side, FILTER_PATH, (void *)path);
	/* what cannot be read, is empty, too long, or starts from a directory is told */
	if (n <= 1 || n >= FILTER_PATH || s->side[0] != '/')
		return 1;
	if (asked) {
		int labels = path_labels(n - 1);
		u32 pair;
		if (labels < 0)
			return 1;
		pair = (labels >> 8 & 0xff) * FLOATING_LABELS + (labels & (FLOATING_LABELS - 1));
		barrier_var(pair); /* as in path_labels */
		if (in_set(f, f->verdicts[pair & (ANCHORED_LABELS * FLOATING_LABELS - 1)], class))
			return 1;
	}
	if (s->ret < 0)
		return 0;
	if (!p || s->ret >= KEPT_FDS || n > KEPT_PATH)
		return 1;
	kept = &p->opens[s->ret & (KEPT_FDS - 1)];
	kept->flags = flags;
	kept->mode = mode;
	kept->event = event;
	kept->len = n;
	bpf_probe_read_kernel(kept->path, n & 127, s->side);
	if (flags & O_CLOEXEC)
		__sync_fetch_and_or(&p->cloexec, fd_bit(s->ret));
	else
		__sync_fetch_and_and(&p->cloexec, ~fd_bit(s->ret));
	__sync_fetch_and_or(&p->kept, fd_bit(s->ret));
	return 0;
}

/* Tells an open that was kept, as one of thread `tid` (0: the current one). Leaves the scratch space taken. */
__noinline int tell_kept(u32 fd, u32 tid)
{
	struct scratch *s = scratch_mine();
	struct process *p = process_mine(false);
	struct opened o;
	struct kept *kept;

	if (!s || !p || fd >= KEPT_FDS || !(p->kept & fd_bit(fd)))
		return 0;
	__sync_fetch_and_and(&p->kept, ~fd_bit(fd));
	__sync_fetch_and_or(&p->told, fd_bit(fd));
	kept = &p->opens[fd & (KEPT_FDS - 1)];
	opened_file(fd, &o);
	begin(s, kept->event == 3 ? 3 : 307, kept->event == 3 ? 6 : 7, ORIGIN_KEPT);
	if (tid)
		s->head.tid = tid;
	put_s64(s, fd);
	if (kept->event != 3)
		put_s64(s, AT_FDCWD);
	put_text_kernel(s, kept->path);
	put_u32(s, open_flags(kept->flags) | o.flags);
	put_u32(s, open_mode(kept->flags, kept->mode));
	put_u32(s, o.dev);
	put_u64(s, o.ino);
	send(s);
	return 1;
}

/* A descriptor is closed: whether user space may know it. */
INLINE bool close_matters(struct scratch *s, u32 fd)
{
	struct process *p = process_mine(false);

	if (!p)
		return true;
	if (fd < KEPT_FDS)
		__sync_fetch_and_and(&p->kept, ~fd_bit(fd));
	if (fd >= TOLD_FDS)
		return true;
	if (!(p->told & fd_bit(fd)))
		return false;
	__sync_fetch_and_and(&p->told, ~fd_bit(fd));
	return true;
}

/* What a call that is told does to the table of descriptors. */
INLINE void note_created(struct scratch *s, struct process *p, u32 creates)
{
	u64 first, last, range;

	if (creates == CLOSES_RANGE) {
		first = (u32)s->args[0];
		last = (u32)s->args[1];
		if (first > last || first > 63)
			return;
		range = ~0ull << first & ~0ull >> (last > 63 ? 0 : 63 - last);
		if (s->args[2] & CLOSE_RANGE_CLOEXEC)
			__sync_fetch_and_or(&p->cloexec, range);
		else
			__sync_fetch_and_and(&p->kept, ~range);
		return;
	}
	if (creates == CREATES_SEVERAL) {
		p->told = ~0ull;
		return;
	}
	if (creates == CREATES_FCNTL && s->args[1] != F_DUPFD && s->args[1] != F_DUPFD_CLOEXEC)
		return;
	if (s->ret >= TOLD_FDS)
		return;
	__sync_fetch_and_or(&p->told, fd_bit(s->ret));
	__sync_fetch_and_and(&p->kept, ~fd_bit(s->ret));
}

/* Whether a call is told; what was kept of the descriptors that it names is told first. */
__noinline int look_closer(u32 nr)
{
	struct scratch *s = scratch_mine();
	struct spec *spec = bpf_map_lookup_elem(&specs, &nr);
	struct process *p;
	u32 fds;

	if (!s || !spec)
		return 1;
	if (spec->filter == FILTER_CLOSE || spec->filter == CLOSE_TOLD) {
		bool known = s->ret < 0 || close_matters(s, s->args[0]);
		return known || spec->filter == CLOSE_TOLD;
	}
	if (spec->filter == FILTER_FCNTL && s->args[1] != F_DUPFD && s->args[1] != F_DUPFD_CLOEXEC &&
	    s->args[1] != F_SETFD)
		return 0;
	if (spec->filter == FILTER_OPEN && !open_matters(spec->event))
		return 0;
	p = process_mine(false);
	if (!p)
		return 1;
	fds = spec->fds;
	if (fds && p->kept) {
		for (u32 i = 0; i < 6; i++) {
			if (fds >> i & 1)
				tell_kept(s->args[i], 0);
		}
	}
	if (spec->creates && s->ret >= 0)
		note_created(s, p, spec->creates);
	return 1;
}

INLINE bool matters(struct scratch *s, struct spec *spec)
{
	return look_closer(s->nr);
}
