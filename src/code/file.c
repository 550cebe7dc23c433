/* SPDX-License-Identifier: MIT */
#include "code/file.h"

#include <errno.h>
#include <linux/falloc.h>

#include "base/mman.h"
#include "host/disk.h"
#include "host/host.h"

static const char file_name[] = "vmspace-code";

int vmsi_code_file_make(enum vmsi_code_file_kind kind, int *fd, int *run_fd)
{
	char link[VMSI_DESCRIPTOR_LINK_BYTES];
	const long made = vmsi_disk_make_memory(file_name, kind == VMSI_FILE_TO_RUN ?
						MFD_EXEC : MFD_NOEXEC_SEAL);
	long again;

	if (made < 0)
		return (int)made;
	vmsi_descriptor_link(link, (int)made);
	again = vmsi_host.open(link);
	if (again == -ENOENT || again == -EACCES || again == -EPERM)
		again = vmsi_host.duplicate((int)made, 0);
	if (again < 0) {
		vmsi_host.close((int)made);
		return (int)again;
	}
	*fd = (int)made;
	*run_fd = (int)again;
	return 0;
}

void vmsi_code_file_close(int *fd, int *run_fd)
{
	if (*fd >= 0)
		vmsi_host.close(*fd);
	if (*run_fd >= 0)
		vmsi_host.close(*run_fd);
	*fd = *run_fd = -1;
}

int vmsi_code_file_set_size(int fd, uint64_t size)
{
	const int error = vmsi_disk_check_limit(size);

	return error ? error : (int)vmsi_host.ftruncate(fd, size);
}

int vmsi_code_file_grow(struct vms_code *code, uint64_t end)
{
	int error;

	if (end <= code->file_size)
		return 0;
	error = vmsi_code_file_set_size(code->fd, end);
	if (!error)
		code->file_size = end;
	return error;
}

void vmsi_code_file_shrink(struct vms_code *code, uint64_t size)
{
	if (size < code->file_size && vmsi_host.ftruncate(code->fd, size) == 0)
		code->file_size = size;
}

void vmsi_code_file_punch(const struct vms_code *code, uint64_t offset,
			  size_t length)
{
	/* Memory that stays is used by the next chunk there. */
	(void)vmsi_host.fallocate(code->fd,
				  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  offset, length);
}
