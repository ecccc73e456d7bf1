/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * The interpreter: builds the event of a plain system call from its row of the table, parameter by parameter.
 * Most system calls need nothing else, so that adding one is one row in `crates/sensor/src/syscalls.rs`.
 */
#pragma once

/* How a parameter is made. Widths follow the event table; a unit test on the Rust side compares them. */
enum kind {
	KIND_NONE,
	KIND_RET,	/* s64: what the call returned */
	KIND_FD,	/* s64: 32-bit argument, sign extended (descriptors, pids) */
	KIND_U64,
	KIND_U32,
	KIND_U16,
	KIND_U8,
	KIND_TEXT,	/* text at the argument */
	KIND_BYTES,	/* bytes at the argument, as many as argument `aux` says, at most snap_len */
	KIND_ZERO8,
	KIND_ZERO32,
	KIND_ZERO64,
	KIND_MODE32,	/* permission bits */
	KIND_BITS8,	/* flag word through bit table `aux` */
	KIND_BITS16,
	KIND_BITS32,
	KIND_ENUM8,	/* value through value table `aux`; unknown becomes what the table holds for UNKNOWN_VALUE */
	KIND_ENUM16,
	KIND_ENUM32,
	KIND_MEM_FD,	/* s64 from the s32 at the argument + 4 * aux; -1 when it cannot be read */
	KIND_MEM_S64,	/* s64 at the argument + 8 * aux; -1 when the call failed, 0 when it cannot be read */
	KIND_MEM_U32,	/* u32 at the argument + 4 * aux; 0 when it cannot be read */
	KIND_SOCKADDR,	/* address at the argument, its length in argument `aux` */
	KIND_CAPS,	/* u64: capability set `aux` of the task */
	KIND_TEXT_OK,	/* text at the argument when the call succeeded, else nothing */
	KIND_MEMORY,	/* three parameters: vm_size, vm_rss, vm_swap */
	KIND_RET32,	/* u32: what the call returned */
};

#define UNKNOWN_VALUE 0xffffffff

/* Moves the bits of a flag word. Unknown scalars all the way, so the verifier walks the loop once. */
INLINE u32 move_bits(u32 table, u64 value)
{
	struct bits *b = bpf_map_lookup_elem(&bit_tables, &table);
	u32 out = 0;

	if (!b)
		return 0;
	for (u32 i = 0; i < 31; i++) {
		if (i >= b->count)
			break;
		out |= (u32)((value >> (b->from[i] & 63)) & 1) << (b->to[i] & 31);
	}
	return out;
}

INLINE u32 translate(u32 table, u32 value)
{
	u64 key = (u64)table << 32 | value;
	u32 *v = bpf_map_lookup_elem(&value_tables, &key);

	if (!v) {
		key = (u64)table << 32 | UNKNOWN_VALUE;
		v = bpf_map_lookup_elem(&value_tables, &key);
	}
	return v ? *v : 0;
}

INLINE u64 argument(struct scratch *s, u32 index)
{
	if (index > 5)
		return 0;
	return s->args[index];
}

/* One parameter. Its own function: the verifier checks it once. */
__noinline int interpret_one(u32 index)
{
	struct scratch *s = scratch_mine();
	struct spec *spec;
	u32 nr;
	u64 arg;

	if (!s || index >= SPEC_PARAMS)
		return 0;
	nr = s->nr;
	spec = bpf_map_lookup_elem(&specs, &nr);
	if (!spec)
		return 0;
	struct spec_param p = spec->params[index];
	arg = argument(s, p.arg);

	switch (p.kind) {
	case KIND_RET:
		put_s64(s, s->ret);
		break;
	case KIND_FD:
		put_s64(s, (s64)(s32)arg);
		break;
	case KIND_U64:
		put_u64(s, arg);
		break;
	case KIND_U32:
		put_u32(s, arg);
		break;
	case KIND_U16:
		put_u16(s, arg);
		break;
	case KIND_U8:
		put_u8(s, arg);
		break;
	case KIND_TEXT:
		put_text_user(s, arg);
		break;
	case KIND_TEXT_OK:
		if (s->ret >= 0)
			put_text_user(s, arg);
		else
			put_empty(s);
		break;
	case KIND_BYTES: {
		u64 len = argument(s, p.aux);
		put_bytes_user(s, arg, len > settings.snap_len ? settings.snap_len : len);
		break;
	}
	case KIND_ZERO8:
		put_u8(s, 0);
		break;
	case KIND_ZERO32:
		put_u32(s, 0);
		break;
	case KIND_ZERO64:
		put_u64(s, 0);
		break;
	case KIND_MODE32:
		put_u32(s, arg & 07777);
		break;
	case KIND_BITS8:
		put_u8(s, move_bits(p.aux, arg));
		break;
	case KIND_BITS16:
		put_u16(s, move_bits(p.aux, arg));
		break;
	case KIND_BITS32:
		put_u32(s, move_bits(p.aux, arg));
		break;
	case KIND_ENUM8:
		put_u8(s, translate(p.aux, arg));
		break;
	case KIND_ENUM16:
		put_u16(s, translate(p.aux, arg));
		break;
	case KIND_ENUM32:
		put_u32(s, translate(p.aux, arg));
		break;
	case KIND_MEM_FD: {
		s32 v = -1;
		if (bpf_probe_read_user(&v, sizeof(v), (void *)(arg + 4 * p.aux)))
			v = -1;
		put_s64(s, v);
		break;
	}
	case KIND_MEM_S64: {
		s64 v = 0;
		if (s->ret < 0)
			v = -1;
		else if (bpf_probe_read_user(&v, sizeof(v), (void *)(arg + 8 * p.aux)))
			v = 0;
		put_s64(s, v);
		break;
	}
	case KIND_MEM_U32: {
		u32 v = 0;
		if (bpf_probe_read_user(&v, sizeof(v), (void *)(arg + 4 * p.aux)))
			v = 0;
		put_u32(s, v);
		break;
	}
	case KIND_SOCKADDR:
		put_sockaddr(s, arg, argument(s, p.aux));
		break;
	case KIND_CAPS:
		put_u64(s, task_caps((void *)bpf_get_current_task(), p.aux));
		break;
	case KIND_RET32:
		put_u32(s, s->ret);
		break;
	case KIND_MEMORY:
		put_memory(s, (void *)bpf_get_current_task());
		break;
	default:
		put_empty(s);
	}
	return 0;
}

INLINE void interpret(struct scratch *s, struct spec *spec)
{
	u32 rows = spec->nparams;

	begin(s, spec->event, spec->nparams, s->compat);
	for (u32 i = 0; i < SPEC_PARAMS; i++) {
		/* a row may put several parameters, so the rows end when the parameters do */
		if (s->param >= rows)
			break;
		interpret_one(i);
	}
	end(s);
}
