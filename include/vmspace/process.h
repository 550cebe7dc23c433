/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_PROCESS_H
#define VMSPACE_PROCESS_H

#include <sys/types.h>

#include <vmspace/list.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The mappings of any process, as the kernel tells them (proc_pid_smaps(5)), in
 * the struct that vms_space_next_mapping uses for those of a space.
 *
 * - committed is what the kernel has charged for the mapping itself: its length
 *   where the kernel marks it as accounted. Shared anonymous memory is charged
 *   to its object and shows 0; device and inode are that object's.
 * - path is as the kernel gives it, with " (deleted)" after the name of a file
 *   that is gone, and cut at VMS_PATH_MAX - 1 bytes. A System V segment is
 *   anonymous, with its name "/SYSVxxxxxxxx".
 */
typedef struct vms_process_maps vms_process_maps;

/*
 * Begin to list a process. pid 0 means the calling process.
 *
 * Returns a list that the caller closes; NULL with errno set on failure:
 *   EINVAL  pid is negative.
 *   ESRCH   there is no such process, or it has no memory of its own (a
 *           kernel thread, a process that has ended).
 *   ENOENT  /proc is not mounted.
 *   EACCES, EPERM  the caller may not look at it (ptrace(2)).
 *   ENOMEM  no memory for the list's buffer.
 *   EMFILE, ENFILE  no descriptor left.
 * Allocates by mmap, never by malloc.
 */
vms_process_maps *vms_process_maps_open(pid_t pid);

/*
 * Get the next mapping, in ascending order of address; resident is always counted.
 *
 * Returns 1 and a mapping; 0 at the end; -1 with errno set: EINVAL for a NULL
 * argument or a struct_size that is too small, E2BIG for one that is too large
 * (vmspace/space.h), ESRCH where the process has ended or called execve(2), EPROTO
 * where a line cannot be understood, and the errnos of read(2).
 * One list may be used by one thread at a time.
 */
int vms_process_maps_next(vms_process_maps *maps, struct vms_mapping_info *info);

/* Free the list. NULL is ignored. */
void vms_process_maps_close(vms_process_maps *maps);

#ifdef __cplusplus
}
#endif

#endif
