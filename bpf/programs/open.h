/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * open, openat, openat2, creat, open_by_handle_at: device, inode and overlay layer come from the file that was opened,
 * so they are right even where the path that the program passed has changed since.
 */
#pragma once

#define O_CREAT 00000100
#define O_TMPFILE_OR_DIRECTORY 020200000
#define SCAP_O_CREATED (1 << 14)
#define SCAP_UPPER (1 << 15)
#define SCAP_LOWER (1 << 16)
#define TABLE_OPEN 1 /* bit table; crates/sensor/src/tables.rs */

INLINE u32 open_flags(u64 flags)
{
	u32 access = (flags & 3) == 3 ? 1 : (flags & 3) + 1;
	return access | move_bits(TABLE_OPEN, flags);
}

INLINE u32 open_mode(u64 flags, u64 mode)
{
	return flags & (O_CREAT | O_TMPFILE_OR_DIRECTORY) ? mode & 07777 : 0;
}

struct opened {
	u32 dev, flags;
	u64 ino;
};

INLINE void opened_file(s64 fd, struct opened *o)
{
	struct file *file = fd >= 0 ? file_of(fd) : NULL;
	struct inode *inode;
	enum layer layer;

	o->dev = o->flags = 0;
	o->ino = 0;
	if (!file)
		return;
	inode = BPF_CORE_READ(file, f_inode);
	o->dev = encode_dev(BPF_CORE_READ(inode, i_sb, s_dev));
	o->ino = BPF_CORE_READ(inode, i_ino);
	layer = overlay_layer(file);
	if (layer == LAYER_UPPER)
		o->flags |= SCAP_UPPER;
	else if (layer == LAYER_LOWER)
		o->flags |= SCAP_LOWER;
	if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED)
		o->flags |= SCAP_O_CREATED;
}

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
