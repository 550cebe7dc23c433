/* SPDX-License-Identifier: MIT */
#include "semantics.h"

#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

/* Mappings. */

void fill(const struct caller *c, char *address, size_t n, int first)
{
	for (size_t i = 0; i < n; i++)
		address[i * c->page] = (char)(first + (int)i);
}

intptr_t try_map(const struct caller *c, char *address, size_t count, int prot,
		 int flags)
{
	return c->mmap(c, address, pages(c, count), prot, ANON | flags, -1, 0);
}

char *map(const struct caller *c, size_t n, size_t count, int prot)
{
	CHECK_IS(try_map(c, at(c, n), count, prot, MAP_FIXED), at(c, n));
	return at(c, n);
}

char *map_shared(const struct caller *c, size_t n, size_t count, int prot)
{
	CHECK_IS(c->mmap(c, at(c, n), pages(c, count), prot,
			 SHARED_ANON | MAP_FIXED, -1, 0), at(c, n));
	return at(c, n);
}

char *map_file(const struct caller *c, size_t n, size_t count, int prot,
	       int flags, int fd, size_t page_offset)
{
	CHECK_IS(c->mmap(c, at(c, n), pages(c, count), prot, flags | MAP_FIXED,
			 fd, (off_t)pages(c, page_offset)), at(c, n));
	return at(c, n);
}

/* Files. */

static void write_pages(const struct caller *c, int fd, size_t n, size_t extra)
{
	char *text = malloc(c->page);

	CHECK(text != NULL);
	for (size_t i = 0; i <= n; i++) {
		size_t length = i < n ? c->page : extra;

		(void)memset(text, 'a' + (int)i, c->page);
		CHECK_IS(pwrite(fd, text, length, (off_t)(i * c->page)), length);
	}
	free(text);
}

int disk_file(const struct caller *c, size_t n, size_t extra)
{
	char path[] = "/var/tmp/vmspace-test-XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	CHECK_IS(unlink(path), 0);
	write_pages(c, fd, n, extra);
	return fd;
}

int memory_file(const struct caller *c, size_t n, size_t extra)
{
	int fd = memfd_create("vmspace-test", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	CHECK(fd >= 0);
	write_pages(c, fd, n, extra);
	return fd;
}

int reopen(int fd, int flags)
{
	char path[64];
	int again;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, flags);
	CHECK(again >= 0);
	return again;
}

/* What is mapped. */

static int listed_prot(const struct caller *c, uintptr_t address)
{
	static struct vms_mapping_info info;
	uintptr_t cursor = 0;

	info.struct_size = sizeof info;
	while (vms_space_next_mapping(c->space, &cursor, &info, 0) == 1)
		if (address - info.start < info.length)
			return info.prot;
	return -1;
}

/*
 * Find the mapping at an address in a file of /proc/self, and leave the stream
 * behind its first line.
 */
static FILE *find_host_mapping(const char *path, uintptr_t address, char *line,
			       size_t size)
{
	FILE *stream = fopen(path, "re");
	uintptr_t start, end;
	char rights[8];

	CHECK(stream != NULL);
	while (fgets(line, (int)size, stream) != NULL)
		if (sscanf(line, "%zx-%zx %7s", &start, &end, rights) == 3 &&
		    address >= start && address < end)
			return stream;
	(void)fclose(stream);
	return NULL;
}

static int host_prot(uintptr_t address)
{
	char line[512];
	FILE *stream = find_host_mapping("/proc/self/maps", address, line,
					 sizeof line);
	const char *rights = strchr(line, ' ') + 1;

	if (stream == NULL)
		return -1;
	(void)fclose(stream);
	return (rights[0] == 'r' ? PROT_READ : 0) |
	       (rights[1] == 'w' ? PROT_WRITE : 0) |
	       (rights[2] == 'x' ? PROT_EXEC : 0);
}

/* For a space, its own list and the kernel's must agree. */
int prot_at(const struct caller *c, const char *address)
{
	int listed;

	if (c->kind == CALLER_KERNEL)
		return host_prot((uintptr_t)address);
	listed = listed_prot(c, (uintptr_t)address);
	CHECK_IS(host_prot((uintptr_t)address), listed == -1 ? 0 : listed);
	return listed;
}

int mapped_at(const struct caller *c, const char *address)
{
	unsigned char vector;
	intptr_t result;
	char *page = (char *)((uintptr_t)address & ~(c->page - 1));

	result = c->mincore(c, page, c->page, &vector);
	CHECK(result == 0 || result == -ENOMEM);
	return result == 0;
}

int host_flag_at(const char *address, const char *flag)
{
	char line[512];
	FILE *stream = find_host_mapping("/proc/self/smaps", (uintptr_t)address,
					 line, sizeof line);
	bool found = false;

	if (stream == NULL)
		return 0;
	while (fgets(line, sizeof line, stream) != NULL) {
		if (strncmp(line, "VmFlags:", 8) != 0)
			continue;
		for (char *word = strtok(line + 8, " \n"); word != NULL;
		     word = strtok(NULL, " \n"))
			found = found || strcmp(word, flag) == 0;
		break;
	}
	(void)fclose(stream);
	return found;
}

size_t host_resident_at(const char *address)
{
	char line[512];
	FILE *stream = find_host_mapping("/proc/self/smaps", (uintptr_t)address,
					 line, sizeof line);
	size_t kilobytes = 0;

	if (stream == NULL)
		return 0;
	while (fgets(line, sizeof line, stream) != NULL)
		if (sscanf(line, "Rss: %zu", &kilobytes) == 1)
			break;
	(void)fclose(stream);
	return kilobytes * 1024;
}

/* Rights and limits. */

void drop_rights(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };

	if (syscall(SYS_capset, &header, none) != 0)
		SKIP("capset cannot drop capabilities");
}

void limit_locked(size_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		SKIP("RLIMIT_MEMLOCK cannot be set");
	drop_rights();
}

/* Commit. */

static size_t meminfo(const char *name)
{
	FILE *stream = fopen("/proc/meminfo", "re");
	char line[256];
	size_t kilobytes = 0, length = strlen(name);

	CHECK(stream != NULL);
	while (fgets(line, sizeof line, stream) != NULL)
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			kilobytes = strtoul(line + length + 1, NULL, 10);
	(void)fclose(stream);
	return kilobytes * 1024;
}

size_t machine_memory(void)
{
	return meminfo("MemTotal") + meminfo("SwapTotal");
}

#define MIB ((size_t)1 << 20)

size_t charge_unit(void)
{
	return machine_memory() / 8 / (4 * MIB) * (4 * MIB);
}

size_t window_of_units(void)
{
	return 24 * charge_unit();
}

size_t window_over_memory(void)
{
	return 3 * ((machine_memory() + 4096 * MIB) / (4 * MIB) * (4 * MIB));
}

size_t charge(const struct caller *c)
{
	struct vms_space_stats stats = { .struct_size = sizeof stats };

	if (c->kind == CALLER_KERNEL)
		return meminfo("Committed_AS");
	CHECK_IS(vms_space_get_stats(c->space, &stats), 0);
	return stats.committed;
}

void semantics_check_charge(const struct caller *c, size_t before, long units,
			    int line)
{
	long unit = (long)charge_unit();
	long change = (long)(charge(c) - before);
	long off = change - units * unit;
	char text[100];

	(void)snprintf(text, sizeof text, "charged %ld MiB, %ld units are %ld",
		       change / (long)MIB, units, units * unit / (long)MIB);
	if (c->kind == CALLER_KERNEL)
		semantics_check(labs(off) < unit / 2, 1, line, text);
	else
		semantics_check(off, 0, line, text);
}

int in_fork(const struct caller *c, int (*body)(const struct caller *c))
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(body(c));
	CHECK_IS(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Map every second page, with protections in turn, so that none merge. */
size_t fill_map_count(const struct caller *c, size_t n)
{
	size_t count = 0;
	intptr_t result;

	do {
		result = try_map(c, at(c, n + count), 1,
				 count % 2 ? PROT_READ : RW, MAP_FIXED);
		count++;
	} while (result > 0 && n + count < c->size / c->page);
	CHECK_IS(result, -ENOMEM);
	return count - 1;
}

size_t window_of_map_count(void)
{
	FILE *stream = fopen("/proc/sys/vm/max_map_count", "re");
	size_t limit = 0;

	CHECK(stream != NULL);
	CHECK_IS(fscanf(stream, "%zu", &limit), 1);
	(void)fclose(stream);
	if (limit > 1000000)
		SKIP("vm.max_map_count is above a million");
	return (limit + 4096) * (size_t)sysconf(_SC_PAGESIZE);
}

/* Kernel features. */

void need_mseal(void)
{
	if (syscall(SYS_mseal, NULL, 0, 0) != 0 && errno == ENOSYS)
		SKIP("the kernel has no mseal");
}

void need_guards(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, RW, ANON, -1, 0);
	int result;

	CHECK(p != MAP_FAILED);
	result = madvise(p, page, MADV_GUARD_INSTALL);
	(void)munmap(p, page);
	if (result != 0)
		SKIP("the kernel has no MADV_GUARD_INSTALL");
}

void need_several_moves(void)
{
	if (!kernel_moves_several())
		SKIP("one mremap of the kernel moves one mapping");
}

int watch(char *address, size_t length)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)address, length },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0)
		SKIP("userfaultfd cannot be had");
	CHECK_IS(ioctl(fd, UFFDIO_REGISTER, &range), 0);
	return fd;
}
