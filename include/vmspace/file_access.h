/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_FILE_ACCESS_H
#define VMSPACE_FILE_ACCESS_H

#include <stddef.h>
#include <stdint.h>

#include <vmspace/file.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Accesses to files that cannot crash. A part of vmspace/file.h, which includes it. */

/* Such a call goes straight to the library: a jump less than by the PLT. */
#ifdef __has_attribute
#if __has_attribute(noplt)
#define VMS_FILE_CALLED_OFTEN __attribute__((noplt))
#endif
#endif
#ifndef VMS_FILE_CALLED_OFTEN
#define VMS_FILE_CALLED_OFTEN
#endif

/* An access; on the caller's stack, its fields the library's own. */
struct vms_file_access {
	vms_file *file;
	struct vms_file_access *outer;
	uint64_t losses;
	uint64_t lost_at;
	int error;
};

/*
 * Begin and end an access: between the two this thread is not sent SIGBUS by what is
 * gone of the file (cut off, unreadable, failed memory). A page of it that it touches
 * becomes lost: from then on the whole process sees zeros at that place, in an access
 * or not, what any thread stores there is seen by no file, and every access to the file
 * fails, until vms_file_refresh. Where the kernel parts no mapping any more (at the limit,
 * vm.max_map_count), all becomes lost that is mapped there, the whole file or a window; a
 * private or an atomic file is not replaced so. Where nothing can be put in the place of
 * the page, the thread is sent SIGBUS all the same.
 *
 * Accesses may be nested, also to several files. They end in reverse order, in the
 * thread that began them, and are never left by longjmp(3) or a C++ exception. A thread
 * that ends (pthread_exit(3), pthread_cancel(3)) has no access open any more, so that none
 * keeps commits from a file; of more than eight such files at once some may.
 *
 * A file that is cut off within a page raises no signal for the rest of that page: it
 * reads as zeros and takes stores that the file does not get, and the access does not
 * fail. vms_file_copy_out and vms_file_copy_in look for that.
 *
 * offset   end: where the call fails with EIO or ENXIO, the offset of the page that this
 *          thread found lost first is written there; where it has found none, of the
 *          one that was lost first since the last refresh. NULL: nowhere.
 *
 * begin returns 0, without a system call; -1 only for a file opened VMS_FILE_READ_ONLY
 * | VMS_FILE_ATOMIC, with errno of fcntl(2) or of vms_file_refresh, EBADF too. For
 * such a file a pair takes microseconds and several calls of fcntl(2), and begin waits
 * while a commit is written into the file, and, in a thread that has no such access
 * open, behind a writer that waits: who is in an access does not wait for another
 * thread to begin one.
 *
 * end returns 0: all that was read was of the file; -1 with errno set:
 *   ENXIO   a part lay behind the end of the file, when the library looked.
 *   EIO     a part could not be had within it: the disk, the network, the memory; no
 *           space for a store (VMS_FILE_SPARSE, in a full file system: EIO, not
 *           ENOSPC). Or it was cut off, and the file has grown again since.
 */
VMS_FILE_CALLED_OFTEN
int vms_file_begin_access(vms_file *file, struct vms_file_access *access);
VMS_FILE_CALLED_OFTEN
int vms_file_end_access(struct vms_file_access *access, uint64_t *offset);

#undef VMS_FILE_CALLED_OFTEN

/*
 * Copy from a file, or into one, without an access around it. Only losses in the
 * range itself fail it. What is copied into an atomic file is told as by
 * vms_file_will_write, whose errors it has, too.
 *
 * Returns 0; -1 with errno set, and the bytes at the target are undefined: ERANGE
 * the range does not lie in the file; EBADF copy_in to a read-only one; ENXIO, EIO
 * as vms_file_end_access, and ENXIO where the file now ends before the end of the
 * range, be it within a page (copy_out: unless somebody has stored behind the end since,
 * and so at the last byte of the range); with window_addresses those of pread(2) and
 * pwrite(2), and copy_in makes a file that was cut off longer again, as pwrite(2) does;
 * with VMS_FILE_GATHERS those of vms_file_append.
 */
int vms_file_copy_out(vms_file *file, uint64_t offset, void *bytes, size_t length);
int vms_file_copy_in(vms_file *file, uint64_t offset, const void *bytes,
		     size_t length);

#ifdef __cplusplus
}
#endif

#endif
