/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * open, openat, openat2, creat, open_by_handle_at: device, inode and overlay layer come from the file that was opened,
 * so they are right even where the path that the program passed has changed since.
 */
#pragma once

SYSCALL_PROGRAM(sys_open)
{
	struct opened o;
	opened_file(s->ret, &o);
	begin(s, 3, 6, s->compat);
	put_s64(s, s->ret);
	put_text_user(s, s->args[0]);
	put_u32(s, open_flags(s->args[1]) | o.flags);
	put_u32(s, open_mode(s->args[1], s->args[2]));
	put_u32(s, o.dev);
	put_u64(s, o.ino);
	end(s);
}

SYSCALL_PROGRAM(sys_openat)
{
	struct opened o;
	opened_file(s->ret, &o);
	begin(s, 307, 7, s->compat);
	put_s64(s, s->ret);
	put_s64(s, (s32)s->args[0]);
	put_text_user(s, s->args[1]);
	put_u32(s, open_flags(s->args[2]) | o.flags);
	put_u32(s, open_mode(s->args[2], s->args[3]));
	put_u32(s, o.dev);
	put_u64(s, o.ino);
	end(s);
}

#define TABLE_RESOLVE 2

SYSCALL_PROGRAM(sys_openat2)
{
	struct opened o;
	struct open_how how = {};

	opened_file(s->ret, &o);
	bpf_probe_read_user(&how, sizeof(how), (void *)s->args[2]);
	begin(s, 327, 8, s->compat);
	put_s64(s, s->ret);
	put_s64(s, (s32)s->args[0]);
	put_text_user(s, s->args[1]);
	put_u32(s, open_flags(how.flags) | o.flags);
	put_u32(s, open_mode(how.flags, how.mode));
	put_u32(s, move_bits(TABLE_RESOLVE, how.resolve));
	put_u32(s, o.dev);
	put_u64(s, o.ino);
	end(s);
}

SYSCALL_PROGRAM(sys_creat)
{
	struct opened o;
	u16 layer;

	opened_file(s->ret, &o);
	/* this event has 16 bits for its flags: 1 is the upper layer, 2 the lower one */
	layer = (o.flags & SCAP_UPPER ? 1 : 0) | (o.flags & SCAP_LOWER ? 2 : 0);
	begin(s, 59, 6, s->compat);
	put_s64(s, s->ret);
	put_text_user(s, s->args[0]);
	put_u32(s, s->args[1] & 07777);
	put_u32(s, o.dev);
	put_u64(s, o.ino);
	put_u16(s, layer);
	end(s);
}

SYSCALL_PROGRAM(sys_open_by_handle_at)
{
	struct opened o;
	struct file *file = s->ret >= 0 ? file_of(s->ret) : NULL;

	opened_file(s->ret, &o);
	begin(s, 337, 6, s->compat);
	put_s64(s, s->ret);
	put_s64(s, (s32)s->args[0]);
	put_u32(s, open_flags(s->args[2]) | o.flags);
	if (file)
		close_param(s, raw_path((u64)file));
	else
		put_empty(s);
	put_u32(s, o.dev);
	put_u64(s, o.ino);
	end(s);
}
