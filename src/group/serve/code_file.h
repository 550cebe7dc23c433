/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_CODE_FILE_H
#define VMSI_GROUP_SERVE_CODE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * A file that programs have code of. All that is known of one file is kept in one
 * struct, so that two frames are of the same code where both pointers and offsets
 * are equal, whatever the addresses of their processes. A file that was
 * overwritten or cut off is another one.
 */
struct vmsi_code_file {
	struct vmsi_code_file *next;
	unsigned holds;
	dev_t device;
	ino_t inode;
	off_t bytes;
	struct timespec changed;
	uint64_t mapped_device, mapped_inode; /* as in /proc/PID/maps */
	/*
	 * Opened while the process is there that has the file mapped, for the
	 * name may be gone later; -1: it is not open.
	 */
	int descriptor;
	char path[];
};

struct vmsi_maps_line;

/*
 * Find or make the struct of the file that a mapping names, as it is on disk now, and
 * hold it. This may take for ever, as any use of a file of others may. Returns NULL
 * without memory.
 */
struct vmsi_code_file *vmsi_code_file_of(const struct vmsi_maps_line *mapping);

/*
 * The same, and open it, where that waits for no other process: it lies on a disk, and
 * the kernel knows the names on the way to it. NULL: it may have to wait, or the file has
 * no such name any more.
 */
struct vmsi_code_file *
vmsi_code_file_open_at_once(const struct vmsi_maps_line *mapping);

/*
 * Find a file that is open by what /proc/PID/maps tells of it, and hold it; NULL: none
 * is. No file system is asked.
 */
struct vmsi_code_file *vmsi_code_file_take_open(const char *path, uint64_t device,
						uint64_t inode);
void vmsi_code_file_hold(struct vmsi_code_file *file);

/* Hold it no more; the last one who does closes and frees it. NULL is ignored. */
void vmsi_code_file_drop(struct vmsi_code_file *file);

/*
 * Open the file, where it is still the same and not open. This may take for ever. So
 * that programs cannot use up the descriptors, some hundreds are open at most.
 */
void vmsi_code_file_open(struct vmsi_code_file *file);
bool vmsi_code_file_is_open(const struct vmsi_code_file *file);

/* Whether the file is open, and was overwritten or cut off since. */
bool vmsi_code_file_has_changed(const struct vmsi_code_file *file);

/* Returns a descriptor of the open file, which the caller closes; -1: there is none. */
int vmsi_code_file_descriptor(const struct vmsi_code_file *file);

/* --- the calls on a stack ------------------------------------------------- */

#define VMSI_FRAMES_MOST 64

struct vmsi_frame {
	struct vmsi_code_file *file; /* held; NULL: code of no file */
	uint64_t at;                 /* the offset in the file, or an address */
};

/* The innermost frame first. */
struct vmsi_frames {
	size_t count;
	struct vmsi_frame list[VMSI_FRAMES_MOST];
};

/* Drop the files of frames. */
void vmsi_frames_drop(struct vmsi_frames *frames);

#endif
