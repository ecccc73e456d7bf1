/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Reading and writing. Only traced when a rule asks: on a busy machine these are most of all system calls.
 */
#pragma once

INLINE void put_read(struct scratch *s)
{
	put_s64(s, s->ret);
	if (s->ret > 0)
		put_data(s, s->args[1], s->ret);
	else
		put_empty(s);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, s->args[2]);
}

INLINE void put_write(struct scratch *s)
{
	put_s64(s, s->ret);
	put_data(s, s->args[1], s->ret > 0 ? s->ret : s->args[2]);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, s->args[2]);
}

/* A file position: one register, or two on 32-bit machines. */
INLINE u64 position(struct scratch *s)
{
	if (s->compat == ORIGIN_COMPAT)
		return s->args[4] << 32 | (u32)s->args[3];
	return s->args[3];
}

SYSCALL_PROGRAM(sys_read)
{
	begin(s, 7, 4, s->compat);
	put_read(s);
	end(s);
}

SYSCALL_PROGRAM(sys_write)
{
	begin(s, 9, 4, s->compat);
	put_write(s);
	end(s);
}

SYSCALL_PROGRAM(sys_pread64)
{
	begin(s, 113, 5, s->compat);
	put_read(s);
	put_u64(s, position(s));
	end(s);
}

SYSCALL_PROGRAM(sys_pwrite64)
{
	begin(s, 115, 5, s->compat);
	put_write(s);
	put_u64(s, position(s));
	end(s);
}

INLINE void put_readv(struct scratch *s)
{
	put_s64(s, s->ret);
	put_u32(s, s->ret > 0 ? s->ret : 0);
	if (s->ret > 0)
		put_parts(s, s->args[1], s->args[2], s->ret);
	else
		put_empty(s);
	put_s64(s, (s32)s->args[0]);
}

INLINE void put_writev(struct scratch *s)
{
	u32 size = parts_size(s->args[1], s->args[2]);

	put_s64(s, s->ret);
	put_parts(s, s->args[1], s->args[2], s->ret > 0 ? s->ret : size);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, size);
}

SYSCALL_PROGRAM(sys_readv)
{
	begin(s, 117, 4, s->compat);
	put_readv(s);
	end(s);
}

SYSCALL_PROGRAM(sys_writev)
{
	begin(s, 119, 4, s->compat);
	put_writev(s);
	end(s);
}

SYSCALL_PROGRAM(sys_preadv)
{
	begin(s, 121, 5, s->compat);
	put_readv(s);
	put_u64(s, position(s));
	end(s);
}

SYSCALL_PROGRAM(sys_pwritev)
{
	begin(s, 123, 5, s->compat);
	put_writev(s);
	put_u64(s, position(s));
	end(s);
}
