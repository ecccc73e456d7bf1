/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * What crosses to user space and how it gets there: the record, the scratch space in which it is built, the rings.
 *
 * A record is a `struct header`, then one 16-bit length for each parameter, then the parameters back to back: exactly
 * the layout that the event table of the capture format prescribes, so nothing is converted on the other side.
 * The Rust mirror is `crates/sensor/src/record.rs`; a test compares both through the object's BTF.
 */
#pragma once

#define SYSCALLS 512		/* native numbers end below 470; the rest are the tracepoints' pseudo numbers */
#define MAX_PARAMS 32		/* most parameters of any event type */
#define SPEC_PARAMS 10		/* most parameters of an event that the interpreter builds */
#define MAX_RECORD 32768	/* a record longer than this is dropped and counted */
#define SLACK 8192		/* longest single write; keeps every masked offset inside the buffer */
#define MAX_PATH 4096		/* PATH_MAX */
#define MAX_SUN_PATH 108	/* sun_path of sockaddr_un */

/* Pseudo system call numbers: rows of the table that tracepoints consult. */
#define NR_PROCEXIT 500
#define NR_EXEC 501
#define NR_FORK_CHILD 502

/* spec.want */
#define WANT_OK 1
#define WANT_FAILED 2

struct header {
	u64 time;	/* ns since boot */
	s64 tid;
	u16 type;	/* id in the event table */
	u16 nparams;
	u16 cpu;
	u16 origin;	/* enum origin */
	u16 lens[MAX_PARAMS];
};
#define HEADER_BYTES 24 /* without lens */

/* ORIGIN_KEPT: an open that happened earlier, told now because an event names its descriptor. */
enum origin { ORIGIN_NATIVE, ORIGIN_COMPAT, ORIGIN_IO_URING, ORIGIN_TRACEPOINT, ORIGIN_KEPT };

struct spec_param {
	u8 kind;	/* enum kind, see interpret.h */
	u8 arg;		/* argument 0..5 */
	u8 aux;		/* offset in user memory, or table number, or second argument */
	u8 pad;
};

/* One row of the system call table: whether it is wanted and how its event is built. */
struct spec {
	u16 event;	/* 0: none */
	u8 nparams;
	u8 want;
	u8 program;	/* slot of the tail call table; 0 is the interpreter */
	u8 filter;	/* enum filter, see prefilter.h */
	u8 fds;		/* bit n: argument n may name a descriptor */
	u8 creates;	/* enum creates: what the call does to the table of descriptors */
	struct spec_param params[SPEC_PARAMS];
};

/* Bits of a flag word that keep their meaning but not their place. */
struct bits {
	u8 count;
	u8 from[31];
	u8 to[32];
};

enum cause { DROP_RING_FULL, DROP_TOO_LONG, DROP_NESTED, DROP_NO_PROGRAM, DROP_PENDING_FULL, CAUSES };

struct counters {
	u64 events;
	u64 bytes;
	u64 filtered;	/* not told, because nobody can want them */
	u64 dropped[CAUSES];
};

struct scratch {
	u32 busy;
	u32 pos;	/* bytes of the record so far */
	u32 param;	/* parameters so far */
	u32 compat;
	s64 ret;
	u64 args[6];
	u32 nr;
	u32 left;	/* state of loops whose step is a function of its own: what may still be taken */
	u64 array;	/* and what is walked over */
	union {
		struct header head;
		u8 rec[MAX_RECORD + SLACK];
	};
	u8 side[SLACK];	/* for what is looked at before it is copied */
};

/* Set before load, constant afterwards. Mirror: `Settings` in crates/sensor/src/kernel.rs. */
struct settings {
	u32 cpus_per_ring;
	u32 snap_len; /* bytes kept of data that is read or written */
	u32 uring_cqe; /* 1: io_uring_complete passes the completion itself (6.16 and later) instead of its members */
	u32 wake_bytes; /* a ring that holds this much wakes its reader, who otherwise comes from time to time */
};
const volatile struct settings settings SEC(".rodata.settings") = { 1, 80, 1, 1 << 19 };

/* Bytes above `wake_bytes` within which records wake the reader: one or a few do, not every one behind them. */
#define WAKE_SPAN 4096

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYSCALLS);
	__type(key, u32);
	__type(value, struct spec);
} specs SEC(".maps");

/* 32-bit system call number -> 64-bit one; 0xffff: none. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SYSCALLS);
	__type(key, u32);
	__type(value, u16);
} compat_numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, struct bits);
} bit_tables SEC(".maps");

/* (table << 32 | value of the kernel) -> value of the capture format */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u32);
} value_tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set to the number of processors */
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, u32);
} programs SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* the real size is given when the rings are made */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* set to the number of rings */
	__type(key, u32);
	__array(values, struct ring);
} rings SEC(".maps");

#define INLINE static __always_inline

INLINE void count_filtered(void)
{
	u32 zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);
	if (c)
		c->filtered++;
}

INLINE void count_drop(enum cause cause)
{
	u32 zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);
	if (c && cause < CAUSES)
		c->dropped[cause]++;
}

/* The scratch space of this processor; NULL when a record is being built there already (see DROP_NESTED). */
INLINE struct scratch *scratch_take(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);
	if (!s)
		return NULL;
	if (s->busy) {
		count_drop(DROP_NESTED);
		return NULL;
	}
	s->busy = 1;
	return s;
}

INLINE void scratch_give(struct scratch *s)
{
	s->busy = 0;
}

/* What the dispatcher took, seen from the program that it called. */
INLINE struct scratch *scratch_mine(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&scratches, &cpu);
}

INLINE void begin(struct scratch *s, u16 type, u16 nparams, u16 origin)
{
	s->head.time = bpf_ktime_get_boot_ns();
	s->head.tid = (u32)bpf_get_current_pid_tgid();
	s->head.type = type;
	s->head.nparams = nparams;
	s->head.cpu = bpf_get_smp_processor_id();
	s->head.origin = origin;
	s->param = 0;
	s->pos = HEADER_BYTES + 2 * (nparams & (MAX_PARAMS - 1));
}

/* Where the next byte goes. A record that is too long wraps here, and `end` throws it away. */
INLINE u8 *at(struct scratch *s)
{
	return &s->rec[s->pos & (MAX_RECORD - 1)];
}

/* Records that the parameter under construction took `bytes`. */
INLINE void close_param(struct scratch *s, u32 bytes)
{
	s->head.lens[s->param & (MAX_PARAMS - 1)] = bytes;
	s->param++;
}

INLINE void put_u8(struct scratch *s, u8 v)
{
	*at(s) = v;
	s->pos += 1;
	close_param(s, 1);
}
/* The record is not aligned; BPF_PROBE-style stores of the wider integers go through memcpy, which the JIT folds. */
#define PUT(name, type)                                                                                                \
	INLINE void put_##name(struct scratch *s, type v)                                                              \
	{                                                                                                              \
		__builtin_memcpy(at(s), &v, sizeof(v));                                                                \
		s->pos += sizeof(v);                                                                                   \
		close_param(s, sizeof(v));                                                                             \
	}
PUT(u16, u16)
PUT(u32, u32)
PUT(u64, u64)
PUT(s64, s64)

INLINE void put_empty(struct scratch *s)
{
	close_param(s, 0);
}

/* Bytes of the parameter under construction, without closing it. */
#define RAW(name, type)                                                                                                \
	INLINE void raw_##name(struct scratch *s, type v)                                                              \
	{                                                                                                              \
		__builtin_memcpy(at(s), &v, sizeof(v));                                                                \
		s->pos += sizeof(v);                                                                                   \
	}
RAW(u8, u8)
RAW(u16, u16)
RAW(u32, u32)
RAW(u64, u64)

/* Text with its NUL; nothing when it cannot be read. Returns the bytes written. */
INLINE u32 raw_text_user(struct scratch *s, u64 from, u32 max)
{
	long n = bpf_probe_read_user_str(at(s), max, (void *)from);
	if (n <= 0)
		return 0;
	s->pos += n;
	return n;
}
INLINE u32 raw_text_kernel(struct scratch *s, const void *from, u32 max)
{
	long n = bpf_probe_read_kernel_str(at(s), max, from);
	if (n <= 0)
		return 0;
	s->pos += n;
	return n;
}
INLINE u32 put_text_user(struct scratch *s, u64 from)
{
	u32 n = raw_text_user(s, from, MAX_PATH);
	close_param(s, n);
	return n;
}
INLINE u32 put_text_kernel(struct scratch *s, const void *from)
{
	u32 n = raw_text_kernel(s, from, MAX_PATH);
	close_param(s, n);
	return n;
}

/* At most MAX_PATH bytes of user memory; nothing when they cannot be read. */
INLINE u32 raw_bytes_user(struct scratch *s, u64 from, u64 len)
{
	if (!from || !len)
		return 0;
	if (len > MAX_PATH)
		len = MAX_PATH;
	if (bpf_probe_read_user(at(s), len, (void *)from))
		return 0;
	s->pos += len;
	return len;
}
INLINE u32 put_bytes_user(struct scratch *s, u64 from, u64 len)
{
	u32 n = raw_bytes_user(s, from, len);
	close_param(s, n);
	return n;
}

/* Sends the record off. */
INLINE void send(struct scratch *s)
{
	u32 zero = 0, len = s->pos;
	u32 index = s->head.cpu / settings.cpus_per_ring;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);
	void *ring = bpf_map_lookup_elem(&rings, &index);
	u64 wake = BPF_RB_NO_WAKEUP;

	if (!c || !ring)
		return;
	if (len >= MAX_RECORD) {
		c->dropped[DROP_TOO_LONG]++;
		return;
	}
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) - settings.wake_bytes < WAKE_SPAN)
		wake = BPF_RB_FORCE_WAKEUP;
	barrier_var(len); /* or the compiler drops the mask below, which kernels before 6.6 need to see */
	if (bpf_ringbuf_output(ring, s->rec, len & (MAX_RECORD - 1), wake)) {
		c->dropped[DROP_RING_FULL]++;
		return;
	}
	c->events++;
	c->bytes += len;
}

/* Sends the record off and gives the scratch space back. */
INLINE void end(struct scratch *s)
{
	send(s);
	scratch_give(s);
}
