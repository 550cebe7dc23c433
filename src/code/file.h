/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_FILE_H
#define VMSI_CODE_FILE_H

#include "code/code.h"

/* The memfd that code is in. Each call returns 0 or -errno. */

/*
 * Make a memfd; *run_fd is a descriptor of it that cannot write, so that mprotect(2)
 * makes no mapping by it writable. (Without /proc it can.)
 */
int vmsi_code_file_make(enum vmsi_code_file_kind kind, int *fd, int *run_fd);
void vmsi_code_file_close(int *fd, int *run_fd);

/* Set the length of a memfd. -EFBIG: RLIMIT_FSIZE is less. */
int vmsi_code_file_set_size(int fd, uint64_t size);

/*
 * Make the pool's memfd as long as end at least; and shorter again, when nothing behind
 * size is mapped. A budget is charged its length.
 */
int vmsi_code_file_grow(struct vms_code *code, uint64_t end);
void vmsi_code_file_shrink(struct vms_code *code, uint64_t size);

/* Give the memory of a part of the pool's memfd back. */
void vmsi_code_file_punch(const struct vms_code *code, uint64_t offset,
			  size_t length);

#endif
