/* SPDX-License-Identifier: MIT */
#ifndef VMSI_KEEPER_CALLS_H
#define VMSI_KEEPER_CALLS_H

#include <dirent.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/*
 * All that this room asks of the kernel and of libbpf. Each call is as the one that it
 * is named after, which sets errno where it fails. Tests replace the table and fail each
 * call in turn.
 */

struct limit_bpf;

struct vmsi_bpf_calls {
	int (*statfs)(const char *path, struct statfs *system);
	int (*fstatfs)(int fd, struct statfs *system);
	int (*fstat)(int fd, struct stat *status);
	int (*access)(const char *path, int mode);
	int (*mkdir)(const char *path, mode_t mode);
	int (*open)(const char *path, int flags);
	int (*flock)(int fd, int operation);
	int (*rename)(const char *from, const char *to);
	DIR *(*opendir)(const char *path);
	int (*unlink)(const char *path);
	int (*rmdir)(const char *path);
	ssize_t (*read)(int fd, void *data, size_t size);

	/* The skeleton: load and attach return 0 or -errno. */
	struct limit_bpf *(*open_programs)(void);
	int (*load_programs)(struct limit_bpf *programs);
	int (*attach_programs)(struct limit_bpf *programs);
	void (*destroy_programs)(struct limit_bpf *programs);
	int (*pin_map)(struct bpf_map *map, const char *path);
	int (*pin_program)(struct bpf_program *program, const char *path);
	int (*pin_link)(struct bpf_link *link, const char *path);

	int (*get)(const char *path);
	int (*get_info)(int fd, void *info, __u32 *size);
	int (*lookup)(int map, const void *key, void *value);
	int (*update)(int map, const void *key, const void *value, __u64 flags);
	int (*remove)(int map, const void *key);
	int (*create_iterator)(int link);
	int (*test_run)(int program, struct bpf_test_run_opts *options);
};

extern struct vmsi_bpf_calls vmsi_bpf_calls;

#endif
