/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit_read.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procfs/file.h"
#include "procfs/status.h"
#include "text/number.h"

/* PROC_USER_INIT_INO of the kernel: the initial user namespace. */
#define INITIAL_USER_NAMESPACE 0xeffffffdu

const char vmsi_meminfo_path[] = "/proc/meminfo";

const char *const vmsi_vm_setting_paths[VMSI_VM_SETTINGS] = {
	[VMSI_OVERCOMMIT_MEMORY] = "/proc/sys/vm/overcommit_memory",
	[VMSI_OVERCOMMIT_RATIO] = "/proc/sys/vm/overcommit_ratio",
	[VMSI_OVERCOMMIT_KBYTES] = "/proc/sys/vm/overcommit_kbytes",
	[VMSI_ADMIN_RESERVE] = "/proc/sys/vm/admin_reserve_kbytes",
	[VMSI_USER_RESERVE] = "/proc/sys/vm/user_reserve_kbytes",
};

static struct vmsi_reading read_number(const char *path)
{
	struct vmsi_reading reading = { 0 };
	struct vmsi_host_file file;

	reading.error = vmsi_host_file_open(&file, path);
	if (reading.error)
		return reading;
	reading.error = vmsi_number_read(&file.lines, &reading.value);
	vmsi_host_file_close(&file);
	return reading;
}

int vmsi_commit_read_meminfo(struct vmsi_meminfo *meminfo)
{
	struct vmsi_host_file file;
	int error = vmsi_host_file_open(&file, vmsi_meminfo_path);

	if (error)
		return error;
	error = vmsi_meminfo_read(&file.lines, meminfo);
	vmsi_host_file_close(&file);
	return error;
}

static int read_own_status(struct vmsi_status *status)
{
	enum vmsi_status_memory memory;
	struct vmsi_host_file file;
	int error = vmsi_host_file_open(&file, "/proc/self/status");

	if (error)
		return error;
	error = vmsi_status_read(&file.lines, status, &memory);
	vmsi_host_file_close(&file);
	return error;
}

enum vmsi_exemption vmsi_commit_exemption(pid_t pid, const struct vmsi_status *status)
{
	struct stat user_namespace;
	char path[64] = "/proc/self/ns/user";

	if (!(status->capabilities >> CAP_SYS_ADMIN & 1))
		return VMSI_EXEMPT_NO;
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (stat(path, &user_namespace) == 0)
		return user_namespace.st_ino == INITIAL_USER_NAMESPACE ?
			VMSI_EXEMPT_YES : VMSI_EXEMPT_NO;
	/*
	 * Where the file is missing, the kernel has only the initial user
	 * namespace.
	 */
	return errno == ENOENT ? VMSI_EXEMPT_YES : VMSI_EXEMPT_UNKNOWN;
}

static enum vmsi_exemption read_own_exemption(void)
{
	struct vmsi_status status;

	return read_own_status(&status) ? VMSI_EXEMPT_UNKNOWN :
					  vmsi_commit_exemption(0, &status);
}

void vmsi_commit_read(struct vmsi_commit_sources *sources)
{
	*sources = (struct vmsi_commit_sources){
		.page_size = (uint64_t)sysconf(_SC_PAGESIZE),
		.exemption = read_own_exemption(),
	};
	for (size_t i = 0; i < VMSI_VM_SETTINGS; i++)
		sources->settings[i] = read_number(vmsi_vm_setting_paths[i]);
	sources->meminfo_error = vmsi_commit_read_meminfo(&sources->meminfo);
}

const char *vmsi_commit_why(int error)
{
	if (error == -EPROTO)
		return "not understood";
	if (error == -ENODATA)
		return "not told by this kernel";
	if (error == -ERANGE || error == -EOVERFLOW)
		return "the numbers do not fit together";
	return strerror(-error);
}
