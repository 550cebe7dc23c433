/* SPDX-License-Identifier: MIT */
#include "keeper_kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <linux/magic.h>

#include "keeper/calls.h"
#include "keeper/layout.h"
#include "keeper/limit.skel.h"

#define PARENT "/sys/fs/bpf"
#define DESCRIPTORS 256

static struct {
	char root[64];
	/* What a descriptor of bpf_obj_get is of, by the name of the pin. */
	char object[DESCRIPTORS][32];
	struct { __u64 id; __u32 slot; bool is_there; } slots[VMSI_BPF_GROUPS];
	struct vmsi_bpf_limit limits[VMSI_BPF_GROUPS];
	struct vmsi_bpf_state states[VMSI_BPF_GROUPS];
	size_t programs;

	unsigned calls, n;
	enum kernel_mode mode;
	bool was_failed;
	const char *failed;
} kernel;

/* Whether this call fails, with errno set. */
static bool fails(const char *name)
{
	kernel.calls++;
	if (!kernel.n || kernel.calls < kernel.n ||
	    (kernel.calls > kernel.n && kernel.mode == KERNEL_ONCE))
		return false;
	kernel.was_failed = true;
	kernel.failed = name;
	errno = EIO;
	return true;
}

/* Where a path of the file system of BPF is, in one of four places in turn. */
static const char *at(const char *path)
{
	static char places[4][PATH_MAX];
	static unsigned next;
	char *place = places[next++ % 4];

	snprintf(place, PATH_MAX, "%s%s", kernel.root, path + strlen(PARENT));
	return place;
}

/* --- files ------------------------------------------------------------------------- */

static int fake_statfs(const char *path, struct statfs *system)
{
	if (fails("statfs") || statfs(at(path), system))
		return -1;
	system->f_type = BPF_FS_MAGIC;
	return 0;
}

static int fake_fstatfs(int fd, struct statfs *system)
{
	if (fails("fstatfs") || fstatfs(fd, system))
		return -1;
	system->f_type = CGROUP2_SUPER_MAGIC;
	return 0;
}

static int fake_fstat(int fd, struct stat *status)
{
	return fails("fstat") ? -1 : fstat(fd, status);
}

static int fake_access(const char *path, int mode)
{
	return fails("access") ? -1 : access(at(path), mode);
}

static int fake_mkdir(const char *path, mode_t mode)
{
	return fails("mkdir") ? -1 : mkdir(at(path), mode);
}

static int fake_open(const char *path, int flags)
{
	return fails("open") ? -1 : open(at(path), flags);
}

static int fake_flock(int fd, int operation)
{
	return fails("flock") ? -1 : flock(fd, operation);
}

static int fake_rename(const char *from, const char *to)
{
	return fails("rename") ? -1 : rename(at(from), at(to));
}

static DIR *fake_opendir(const char *path)
{
	return fails("opendir") ? NULL : opendir(at(path));
}

static int fake_unlink(const char *path)
{
	return fails("unlink") ? -1 : unlink(at(path));
}

static int fake_rmdir(const char *path)
{
	return fails("rmdir") ? -1 : rmdir(at(path));
}

static ssize_t fake_read(int fd, void *data, size_t size)
{
	return fails("read") ? -1 : read(fd, data, size);
}

/* --- programs ---------------------------------------------------------------------- */

static struct limit_bpf *fake_open_programs(void)
{
	return fails("open_programs") ? NULL : limit_bpf__open();
}

/* New programs have new maps. */
static int fake_load(struct limit_bpf *programs)
{
	if (fails("load_programs"))
		return -errno;
	memset(kernel.slots, 0, sizeof kernel.slots);
	memset(kernel.limits, 0, sizeof kernel.limits);
	memset(kernel.states, 0, sizeof kernel.states);
	kernel.programs = (size_t)programs->skeleton->prog_cnt;
	return 0;
}

/* What is called by its descriptor is attached to nothing. */
static int fake_attach(struct limit_bpf *programs)
{
	static char link;

	if (fails("attach_programs"))
		return -errno;
	for (int i = 0; i < programs->skeleton->prog_cnt; i++) {
		const struct bpf_prog_skeleton *program = &programs->skeleton->progs[i];

		if (strcmp(program->name, "vms_count") != 0 &&
		    strcmp(program->name, "vms_forget") != 0)
			*program->link = (struct bpf_link *)&link;
	}
	return 0;
}

static void fake_destroy(struct limit_bpf *programs)
{
	for (int i = 0; i < programs->skeleton->prog_cnt; i++)
		*programs->skeleton->progs[i].link = NULL;
	limit_bpf__destroy(programs);
}

static int pin(const char *name, const char *path)
{
	int fd;

	if (fails(name))
		return -1;
	fd = open(at(path), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	return close(fd);
}

static int fake_pin_map(struct bpf_map *map, const char *path)
{
	(void)map;
	return pin("pin_map", path);
}

static int fake_pin_program(struct bpf_program *program, const char *path)
{
	(void)program;
	return pin("pin_program", path);
}

static int fake_pin_link(struct bpf_link *link, const char *path)
{
	(void)link;
	return pin("pin_link", path);
}

/* --- objects ----------------------------------------------------------------------- */

static int fake_get(const char *path)
{
	int fd;

	if (fails("get") || access(at(path), F_OK))
		return -1;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd >= DESCRIPTORS)
		abort();
	if (fd >= 0)
		snprintf(kernel.object[fd], sizeof kernel.object[fd], "%s",
			 strrchr(path, '/') + 1);
	return fd;
}

static bool is(int fd, const char *name)
{
	return strcmp(kernel.object[fd], name) == 0;
}

static int fake_get_info(int fd, void *into, __u32 *size)
{
	struct bpf_map_info info = { .max_entries = VMSI_BPF_GROUPS };

	if (fails("get_info"))
		return -1;
	info.value_size = is(fd, "slots") ? sizeof(__u32) :
		is(fd, "limits") ? sizeof *kernel.limits : sizeof *kernel.states;
	memcpy(into, &info, *size);
	return 0;
}

static int find_slot(const void *key)
{
	for (int i = 0; i < VMSI_BPF_GROUPS; i++)
		if (kernel.slots[i].is_there &&
		    memcmp(&kernel.slots[i].id, key, sizeof kernel.slots[i].id) == 0)
			return i;
	errno = ENOENT;
	return -1;
}

static void *element(int map, const void *key)
{
	__u32 index;

	if (is(map, "slots")) {
		const int found = find_slot(key);

		return found < 0 ? NULL : &kernel.slots[found].slot;
	}
	memcpy(&index, key, sizeof index);
	return is(map, "limits") ? (void *)&kernel.limits[index] :
				   (void *)&kernel.states[index];
}

static size_t size_of(int map)
{
	return is(map, "slots") ? sizeof(__u32) :
		is(map, "limits") ? sizeof *kernel.limits : sizeof *kernel.states;
}

static int fake_lookup(int map, const void *key, void *value)
{
	const void *found;

	if (fails("lookup"))
		return -1;
	found = element(map, key);
	if (!found)
		return -1;
	memcpy(value, found, size_of(map));
	return 0;
}

static int fake_update(int map, const void *key, const void *value, __u64 flags)
{
	(void)flags;
	if (fails("update"))
		return -1;
	for (int i = 0; is(map, "slots") && find_slot(key) < 0; i++)
		if (!kernel.slots[i].is_there) {
			memcpy(&kernel.slots[i].id, key, sizeof kernel.slots[i].id);
			kernel.slots[i].is_there = true;
		}
	memcpy(element(map, key), value, size_of(map));
	return 0;
}

static int fake_remove(int map, const void *key)
{
	int found;

	(void)map;
	if (fails("remove"))
		return -1;
	found = find_slot(key);
	if (found < 0)
		return -1;
	kernel.slots[found].is_there = false;
	return 0;
}

static int fake_create_iterator(int link)
{
	if (fails("create_iterator") || !is(link, "vms_look"))
		return -1;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int fake_test_run(int program, struct bpf_test_run_opts *options)
{
	if (fails("test_run"))
		return -1;
	if (is(program, "vms_count"))
		((struct vmsi_bpf_count *)(uintptr_t)options->ctx_in)->pages =
			COMMITTED_PAGES;
	return 0;
}

/* --- what the tests see ------------------------------------------------------------ */

static __u64 id_of(int group)
{
	struct stat status;

	return fstat(group, &status) ? 0 : status.st_ino;
}

uint64_t kernel_limit(int group)
{
	const __u64 id = id_of(group);
	const int found = find_slot(&id);

	if (access(at(VMSI_BPF_PINS), F_OK) || found < 0)
		return 0;
	return kernel.limits[kernel.slots[found].slot].pages *
		(uint64_t)sysconf(_SC_PAGESIZE);
}

void kernel_end_group(int group)
{
	const __u64 id = id_of(group);
	const int found = find_slot(&id);

	kernel.limits[kernel.slots[found].slot].id = VMSI_BPF_GONE;
	kernel.slots[found].is_there = false;
}

void kernel_fill_slots(void)
{
	for (int i = 0; i < VMSI_BPF_GROUPS; i++)
		if (!kernel.limits[i].id)
			kernel.limits[i].id = 1;
}

void kernel_forget_group(int group)
{
	const __u64 id = id_of(group);

	kernel.slots[find_slot(&id)].is_there = false;
}

void kernel_make_pins(mode_t mode)
{
	if (mkdir(at(VMSI_BPF_PINS), mode) || chmod(at(VMSI_BPF_PINS), mode))
		abort();
}

static size_t count(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	size_t entries = 0;

	while (directory && (entry = readdir(directory)))
		entries += entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return entries;
}

size_t kernel_pins(void)
{
	return count(at(VMSI_BPF_PINS));
}

size_t kernel_programs(void)
{
	return kernel.programs;
}

size_t kernel_descriptors(void)
{
	return count("/proc/self/fd");
}

bool kernel_plan(unsigned n, enum kernel_mode mode)
{
	const bool was_failed = kernel.was_failed;

	kernel.n = n;
	kernel.mode = mode;
	kernel.calls = 0;
	kernel.was_failed = false;
	return was_failed;
}

const char *kernel_failed(void)
{
	return kernel.failed ? kernel.failed : "none";
}

int kernel_group(int which)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof path, "%s/group%d", kernel.root, which);
	if (mkdir(path, 0755))
		abort();
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		abort();
	return fd;
}

void kernel_begin(void)
{
	memset(&kernel, 0, sizeof kernel);
	strcpy(kernel.root, "/tmp/vmspace-keeper-XXXXXX");
	if (!mkdtemp(kernel.root))
		abort();
	vmsi_bpf_calls = (struct vmsi_bpf_calls){
		.statfs = fake_statfs, .fstatfs = fake_fstatfs, .fstat = fake_fstat,
		.access = fake_access, .mkdir = fake_mkdir, .open = fake_open,
		.flock = fake_flock, .rename = fake_rename, .opendir = fake_opendir,
		.unlink = fake_unlink, .rmdir = fake_rmdir, .read = fake_read,
		.open_programs = fake_open_programs, .load_programs = fake_load,
		.attach_programs = fake_attach, .destroy_programs = fake_destroy,
		.pin_map = fake_pin_map, .pin_program = fake_pin_program,
		.pin_link = fake_pin_link, .get = fake_get, .get_info = fake_get_info,
		.lookup = fake_lookup, .update = fake_update, .remove = fake_remove,
		.create_iterator = fake_create_iterator, .test_run = fake_test_run,
	};
}

static void remove_all(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	char below[PATH_MAX];

	while (directory && (entry = readdir(directory))) {
		snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.' && unlink(below))
			remove_all(below);
	}
	if (directory)
		closedir(directory);
	rmdir(path);
}

void kernel_end(void)
{
	remove_all(kernel.root);
}
