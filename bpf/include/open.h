/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * What an open says: its flags as the capture format has them, and what was opened.
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
