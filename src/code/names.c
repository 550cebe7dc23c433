/* SPDX-License-Identifier: MIT */
#include "code/names.h"

#include <errno.h>
#include <string.h>

#include "base/pool.h"
#include "code/find.h"
#include "code/enter.h"
#include "code/gdb.h"
#include "code/perf.h"
#include "host/host.h"
#include "space/inside.h"

/* Names of blocks. A record of one is kept only for a debugger. */

#define BUCKETS 64

struct name {
	struct name *next;
	uintptr_t run;
	struct vmsi_gdb_symbol symbol;
};

struct vmsi_code_names {
	struct vmsi_pool pool;
	struct name *buckets[BUCKETS];
};

static struct name **find(struct vmsi_code_names *names, uintptr_t run)
{
	struct name **link = &names->buckets[run / VMSI_UNIT % BUCKETS];

	while (*link && (*link)->run != run)
		link = &(*link)->next;
	return link;
}

void vmsi_names_forget(struct vms_code *code, uintptr_t run)
{
	struct name **link, *name;

	if (!code->names)
		return;
	link = find(code->names, run);
	name = *link;
	if (!name)
		return;
	vmsi_gdb_remove(&name->symbol);
	*link = name->next;
	vmsi_pool_give(&code->names->pool, name);
}

void vmsi_names_release(struct vms_code *code)
{
	struct vmsi_code_names *names = code->names;

	vmsi_perf_close(code);
	if (!names)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (names->buckets[i])
			vmsi_names_forget(code, names->buckets[i]->run);
	vmsi_pool_release(&names->pool);
	vmsi_records_put(NULL, names, vmsi_align_up(sizeof(*names),
						    vmsi_page_size()));
	code->names = NULL;
}

static int open_names(struct vms_code *code)
{
	struct vmsi_pool_source source = { vmsi_records_get, vmsi_records_put,
					   NULL };
	struct vmsi_code_names *names;

	if (code->names)
		return 0;
	names = vmsi_records_get(NULL, vmsi_align_up(sizeof(*names),
						     vmsi_page_size()));
	if (!names)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	vmsi_pool_init(&names->pool, sizeof(struct name), source);
	code->names = names;
	return 0;
}

/* See to it that add_for_gdb cannot fail. */
static int prepare_for_gdb(struct vms_code *code, uintptr_t run)
{
	int error = open_names(code);

	if (error)
		return error;
	if (*find(code->names, run))
		return -EEXIST;
	return vmsi_pool_reserve(&code->names->pool, 1) ?
		vmsi_refuse(VMS_REFUSAL_RECORDS) : 0;
}

static void add_for_gdb(struct vms_code *code, uintptr_t run, size_t size,
			const char *text)
{
	struct name *name = vmsi_pool_take(&code->names->pool);
	struct name **link = find(code->names, run);

	name->next = NULL;
	name->run = run;
	*link = name;
	vmsi_gdb_add(&name->symbol, run, size, text);
}

static int add(struct vms_code *code, const struct vms_code_block *block,
	       const char *text)
{
	const uintptr_t run = (uintptr_t)block->run;
	int error = vmsi_block_is_published(code, block) ? 0 : -EINVAL;

	if (!error && (code->flags & VMS_CODE_GDB))
		error = prepare_for_gdb(code, run);
	if (!error && (code->flags & VMS_CODE_PERF))
		error = vmsi_perf_add(code, run, block->size, text);
	if (!error && (code->flags & VMS_CODE_GDB))
		add_for_gdb(code, run, block->size, text);
	return error;
}

static bool is_good(const char *text)
{
	const size_t length = strnlen(text, VMS_CODE_NAME_MAX + 1);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return length > 0 && length <= VMS_CODE_NAME_MAX;
}

int vms_code_name(vms_code *code, const struct vms_code_block *block,
		  const char *name)
{
	int error;

	if (!code || !block || !name || !is_good(name))
		return vmsi_status(-EINVAL);
	vmsi_lock_acquire(&code->lock);
	error = add(code, block, name);
	vmsi_code_leave(code);
	return vmsi_status(error);
}
