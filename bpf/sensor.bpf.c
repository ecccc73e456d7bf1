/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * The kernel side of the sensor: one object. `include/` holds what the programs share, in layers: kernel types
 * (vmlinux.h), the record (record.h), facts about tasks, files and sockets, the interpreter; `programs/` holds one file
 * for each family of events.
 */
#include "include/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "include/record.h"
#include "include/task.h"
#include "include/file.h"
#include "include/socket.h"
#include "include/interpret.h"

#include "include/open.h"
#include "include/prefilter.h"

#include "programs/dispatch.h"
#include "programs/open.h"
#include "programs/process.h"
#include "programs/network.h"
#include "programs/data.h"
#include "programs/misc.h"
#include "programs/io_uring.h"

char LICENSE[] SEC("license") = "GPL";
