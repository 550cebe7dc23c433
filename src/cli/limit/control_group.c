/* SPDX-License-Identifier: MIT */
#include "cli/limit/control_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#define PREFIX "vmspace-"

/* Where systems mount cgroup v2: alone, or beside v1. */
static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

static int open_mount(void)
{
	struct statfs system;

	for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
		if (statfs(mounts[i], &system) == 0 &&
		    system.f_type == CGROUP2_SUPER_MAGIC)
			return open(mounts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	errno = ENOENT;
	return -1;
}

/* The line of v2 in /proc/self/cgroup is "0::/path". */
static bool read_own(char path[PATH_MAX])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 8];
	bool found = false;

	while (file && !found && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, "0::/", 4) == 0 &&
			strlen(line + 4) < PATH_MAX - 2;
	}
	if (found)
		stpcpy(stpcpy(path, "./"), line + 4);
	if (file)
		fclose(file);
	return found;
}

static int open_own(void)
{
	const int mount = open_mount();
	char path[PATH_MAX];
	int own = -1;

	if (mount < 0)
		return -1;
	if (read_own(path))
		own = openat(mount, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(mount);
	return own;
}

int vmsi_control_group_make(struct vmsi_control_group *group)
{
	group->directory = -1;
	snprintf(group->name, sizeof group->name, PREFIX "%d", (int)getpid());
	group->parent = open_own();
	if (group->parent < 0)
		return errno ? -errno : -ENOENT;
	/* One that a former process of that number has left is taken over. */
	if (mkdirat(group->parent, group->name, 0755) && errno != EEXIST)
		return -errno;
	group->directory = openat(group->parent, group->name,
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return group->directory < 0 ? -errno : 0;
}

static int move_into(int directory)
{
	const int procs = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (procs < 0)
		return -errno;
	if (write(procs, "0", 1) != 1)
		error = -errno;
	close(procs);
	return error;
}

int vmsi_control_group_join(const struct vmsi_control_group *group)
{
	return move_into(group->directory);
}

void vmsi_control_group_remove(struct vmsi_control_group *group)
{
	unlinkat(group->parent, group->name, AT_REMOVEDIR);
	close(group->directory);
	close(group->parent);
}

void vmsi_control_group_leave(struct vmsi_control_group *group)
{
	move_into(group->parent);
	vmsi_control_group_remove(group);
}

void vmsi_control_group_path(uint64_t id, char path[PATH_MAX])
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof id];
	} of = { .handle = { .handle_bytes = sizeof id,
			     .handle_type = 0xfe /* FILEID_KERNFS */ } };
	const int mount = open_mount();
	char link[64];
	ssize_t length = -1;
	int directory = -1;

	memcpy(of.handle.f_handle, &id, sizeof id);
	if (mount >= 0)
		directory = open_by_handle_at(mount, &of.handle, O_PATH | O_CLOEXEC);
	snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
	if (directory >= 0)
		length = readlink(link, path, PATH_MAX - 1);
	if (length >= 0)
		path[length] = '\0';
	else
		snprintf(path, PATH_MAX, "(%llu)", (unsigned long long)id);
	if (directory >= 0)
		close(directory);
	if (mount >= 0)
		close(mount);
}

bool vmsi_control_group_end(uint64_t id)
{
	char path[PATH_MAX];
	const char *name;

	vmsi_control_group_path(id, path);
	name = strrchr(path, '/');
	return name && strncmp(name + 1, PREFIX, strlen(PREFIX)) == 0 &&
		rmdir(path) == 0;
}
