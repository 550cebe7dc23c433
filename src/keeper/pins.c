/* SPDX-License-Identifier: MIT */
#include "keeper/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <linux/magic.h>

#include "keeper/calls.h"
#include "keeper/keeper.h"
#include "keeper/layout.h"
#include "keeper/limit.skel.h"

/*
 * The pins are made in a directory of another name, which is renamed when it is whole: a
 * command that is killed leaves no half of them. What it did leave is removed by the
 * next one that loads. BPF file systems allow no dot in a name.
 */
#define PARENT "/sys/fs/bpf"
#define UNFINISHED VMSI_BPF_PINS "-new"
/* A directory that nobody else may open, so that nobody else holds up who waits. */
#define LOCK VMSI_BPF_PINS "-lock"

static const struct vmsi_bpf_calls *const calls = &vmsi_bpf_calls;

static int say_nothing(enum libbpf_print_level level, const char *format, va_list list)
{
	(void)level;
	(void)format;
	(void)list;
	return 0;
}

/* Where the file system lets all users in, the directory may be another's. */
static int is_ours(int directory)
{
	struct stat status;

	if (calls->fstat(directory, &status))
		return -errno;
	return status.st_uid == geteuid() && !(status.st_mode & 077) ? 0 : -EPROTO;
}

static int take_lock(struct vmsi_bpf_pins *pins)
{
	int error;

	if (calls->mkdir(LOCK, 0700) && errno != EEXIST)
		return -errno;
	pins->lock = calls->open(LOCK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pins->lock < 0)
		return -errno;
	error = is_ours(pins->lock);
	if (error)
		return error;
	return calls->flock(pins->lock, LOCK_EX) ? -errno : 0;
}

static int is_file_system_of_bpf(void)
{
	struct statfs system;

	if (calls->statfs(PARENT, &system))
		return -errno;
	return system.f_type == BPF_FS_MAGIC ? 0 : -ENOTSUP;
}

static int are_pins_ours(void)
{
	const int pins = calls->open(VMSI_BPF_PINS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			      O_CLOEXEC);
	int error;

	if (pins < 0)
		return -errno;
	error = is_ours(pins);
	close(pins);
	return error;
}

static int get(const char *name, int *fd)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, VMSI_BPF_PINS "/%s", name);
	*fd = calls->get(path);
	return *fd < 0 ? -errno : 0;
}

/* A map of another version of this command, or of somebody else. */
static int get_map(const char *name, int *fd, size_t value)
{
	struct bpf_map_info info = { .id = 0 };
	__u32 size = sizeof info;
	int error = get(name, fd);

	if (error)
		return error;
	if (calls->get_info(*fd, &info, &size))
		return -errno;
	return info.value_size == value && info.max_entries == VMSI_BPF_GROUPS ?
		0 : -EPROTO;
}

static int find(struct vmsi_bpf_pins *pins)
{
	int error = are_pins_ours();

	if (error)
		return error;
	error = get_map("slots", &pins->slots, sizeof(__u32));
	if (!error)
		error = get_map("limits", &pins->limits,
				sizeof(struct vmsi_bpf_limit));
	if (!error)
		error = get_map("states", &pins->states,
				sizeof(struct vmsi_bpf_state));
	if (!error)
		error = get("vms_look", &pins->look);
	if (!error)
		error = get("vms_count", &pins->count);
	if (!error)
		error = get("vms_forget", &pins->forget);
	/* What is there and not whole is left alone, and told. */
	return error == -ENOENT ? -EPROTO : error;
}

static void remove_unfinished(void)
{
	char path[PATH_MAX];
	DIR *directory = calls->opendir(UNFINISHED);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		snprintf(path, sizeof path, UNFINISHED "/%s", entry->d_name);
		if (entry->d_name[0] != '.')
			calls->unlink(path);
	}
	if (directory)
		closedir(directory);
	calls->rmdir(UNFINISHED);
}

static int pin(struct bpf_object_skeleton *skeleton, struct bpf_object *object)
{
	char path[PATH_MAX];
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof path, UNFINISHED "/%s", bpf_map__name(map));
		if (calls->pin_map(map, path))
			return -errno;
	}
	for (int i = 0; i < skeleton->prog_cnt; i++) {
		struct bpf_link *link = *skeleton->progs[i].link;

		program = *skeleton->progs[i].prog;
		snprintf(path, sizeof path, UNFINISHED "/%s", skeleton->progs[i].name);
		if (link ? calls->pin_link(link, path) : calls->pin_program(program, path))
			return -errno;
	}
	return 0;
}

static int load(const char **step)
{
	struct limit_bpf *skeleton;
	int error;

	*step = "reading the programs";
	skeleton = calls->open_programs();
	if (!skeleton)
		return -errno;
	*step = "the kernel takes the programs";
	error = calls->load_programs(skeleton);
	/* So says who checks the programs; who has no right is told EPERM. */
	if (error == -EACCES)
		error = -EINVAL;
	if (!error) {
		*step = "the kernel lets itself be traced";
		error = calls->attach_programs(skeleton);
	}
	if (!error) {
		*step = "pinning below " VMSI_BPF_PINS;
		remove_unfinished();
		error = calls->mkdir(UNFINISHED, 0700) ? -errno :
			pin(skeleton->skeleton, skeleton->obj);
	}
	if (!error)
		error = calls->rename(UNFINISHED, VMSI_BPF_PINS) ? -errno : 0;
	if (error)
		remove_unfinished();
	calls->destroy_programs(skeleton);
	return error;
}

int vmsi_bpf_remove(void)
{
	remove_unfinished();
	if (calls->rename(VMSI_BPF_PINS, UNFINISHED))
		return -errno;
	remove_unfinished();
	return 0;
}

int vmsi_bpf_open(struct vmsi_bpf_pins *pins, enum vmsi_bpf_open how,
		  const char **step)
{
	int error;

	*pins = (struct vmsi_bpf_pins){ -1, -1, -1, -1, -1, -1, -1 };
	libbpf_set_print(say_nothing);
	*step = PARENT " is a file system of BPF";
	error = is_file_system_of_bpf();
	if (error)
		return error;
	*step = "finding the pins below " VMSI_BPF_PINS;
	if (how == VMSI_BPF_FIND && calls->access(VMSI_BPF_PINS, F_OK))
		return -errno;
	error = take_lock(pins);
	if (!error)
		error = find(pins);
	if (error == -ENOENT && how == VMSI_BPF_LOAD) {
		error = load(step);
		if (!error)
			error = find(pins);
		if (error)
			vmsi_bpf_remove();
	}
	if (error)
		vmsi_bpf_close(pins);
	return error;
}

void vmsi_bpf_close(struct vmsi_bpf_pins *pins)
{
	const int fds[] = { pins->slots, pins->limits, pins->states, pins->look,
			    pins->count, pins->forget, pins->lock };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}
