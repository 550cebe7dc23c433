/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "file/base.h"
#include "file/grow.h"

/*
 * The size of a private file is that of the program's view of it. As long as the
 * program has not changed it, it follows the file (refresh.c); from then on it is
 * the program's own. What is added reads as zero, whatever the file has there:
 *
 *   base                  the file's pages             mapped      maximum
 *    |  the file's pages | anonymous memory, as it was added | nothing |
 */

/*
 * Make zeros of what the last page has past an end. It is looked at first, since a
 * store makes a copy of the page. Where the page is lost, there is nothing to clear.
 */
static void clear_tail(struct vms_file *file, uint64_t size)
{
	struct vms_file_access access;
	const uint64_t end = vmsi_min(vmsi_page_end(size), file->mapped);
	uint64_t at = size;

	if (vms_file_begin_access(file, &access) != 0)
		return;
	while (at < end && file->base[at] == 0)
		at++;
	if (at < end)
		memset(file->base + at, 0, end - at);
	(void)vms_file_end_access(&access, NULL);
}

static void clear_tail_and_keep_errno(struct vms_file *file, uint64_t size)
{
	const int earlier = errno;

	clear_tail(file, size);
	errno = earlier;
}

int vmsi_private_resize(struct vms_file *file, uint64_t size)
{
	const uint64_t before = file->size;
	int error = size < before ?
		vmsi_base_unmap(file, vmsi_page_end(size)) :
		vmsi_base_map(file, vmsi_page_end(size), VMSI_BASE_ZEROS);

	if (error)
		return error;
	if (size != before)
		clear_tail_and_keep_errno(file, vmsi_min(size, before));
	file->sized = true;
	vmsi_set_size(file, size);
	return 0;
}
