/* SPDX-License-Identifier: MIT */
#include "cli/top/process_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text/fields.h"
#include "text/stat.h"

/*
 * All files of a process are opened in its directory: that one, and each file, belongs
 * to the process and not to its number, so that no figure is of another process.
 */

static const char *const names[VMSI_TOP_FILES] = { "statm", "stat", "status" };

struct text {
	char bytes[2048];
	struct vmsi_scan scan;
};

/* --- reading ----------------------------------------------------------------------- */

static int open_directory(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ESRCH : -errno;
}

/* An end that is told as that of a file is that of the process. */
static int read_at_start(int fd, struct text *text)
{
	const ssize_t got = pread(fd, text->bytes, sizeof(text->bytes), 0);

	if (got < 0)
		return -errno;
	if (got == 0)
		return -ESRCH;
	text->scan = (struct vmsi_scan){ text->bytes, text->bytes + got };
	return 0;
}

static bool has_open(const struct vmsi_top_files *files)
{
	for (size_t i = 0; i < VMSI_TOP_FILES; i++)
		if (files->fds[i] >= 0)
			return true;
	return false;
}

/*
 * Read a file that is open, or open it in the directory, which is opened where it is
 * not, and keep it open where there is a descriptor to spare. -EAGAIN: others are open
 * already, and the directory might be that of another process by now.
 */
static int read_file(struct vmsi_top_files *files, enum vmsi_top_file which,
		     const struct vmsi_top_wish *wish, int *directory,
		     struct text *text)
{
	int fd = files->fds[which], error;

	if (fd >= 0)
		return read_at_start(fd, text);
	if (*directory < 0 && has_open(files))
		return -EAGAIN;
	if (*directory < 0)
		*directory = open_directory(files->pid);
	if (*directory < 0)
		return *directory;
	fd = openat(*directory, names[which], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	error = read_at_start(fd, text);
	if (error || *wish->spare == 0) {
		close(fd);
		return error;
	}
	--*wish->spare;
	files->fds[which] = fd;
	return 0;
}

/* --- what they tell ----------------------------------------------------------------- */

static bool read_statm(const struct text *text, uint64_t page_size,
		       struct vmsi_top_entry *entry)
{
	struct vmsi_top_figures *figures = &entry->figures;
	/* size, resident, shared, text, library, data */
	uint64_t columns[6];
	struct vmsi_scan scan = text->scan;

	for (size_t i = 0; i < 6; i++)
		if (!vmsi_scan_column(&scan, &columns[i]))
			return false;
	/* The kernel reads them one after the other. */
	if (columns[2] > columns[1])
		columns[2] = columns[1];
	entry->addresses = columns[0] * page_size;
	vmsi_top_set(figures, VMSI_TOP_WRITABLE, (int64_t)(columns[5] * page_size));
	vmsi_top_set(figures, VMSI_TOP_RESIDENT, (int64_t)(columns[1] * page_size));
	vmsi_top_set(figures, VMSI_TOP_FILE, (int64_t)(columns[2] * page_size));
	vmsi_top_set(figures, VMSI_TOP_ANONYMOUS,
		     (int64_t)((columns[1] - columns[2]) * page_size));
	return true;
}

/* A kernel thread has none, and neither has who has ended and waits for its parent. */
static bool has_memory(const struct text *text)
{
	struct vmsi_scan scan = text->scan;
	uint64_t size;

	return vmsi_scan_column(&scan, &size) && size != 0;
}

static bool read_stat(const struct text *text, struct vmsi_top_files *files,
		      struct vmsi_top_entry *entry)
{
	struct vmsi_stat stat;
	size_t length;

	if (!vmsi_stat_read(text->scan, &stat))
		return false;
	length = vmsi_scan_left(&stat.command);
	if (length >= sizeof(files->name))
		length = sizeof(files->name) - 1;
	memcpy(files->name, stat.command.at, length);
	files->name[length] = '\0';
	entry->id = (struct vmsi_top_id){ (uint64_t)files->pid, stat.start_time };
	entry->name = files->name;
	entry->parent = stat.parent;
	entry->counts_faults = true;
	entry->minor = stat.minor_faults;
	entry->major = stat.major_faults;
	return true;
}

/* A kernel without swap has no such line. */
static void read_swapped(const struct text *text, struct vmsi_top_figures *figures)
{
	struct vmsi_scan value;
	uint64_t kib = 0;

	if (vmsi_field_find(text->scan, "VmSwap", &value) &&
	    vmsi_scan_column(&value, &kib))
		vmsi_top_set(figures, VMSI_TOP_SWAPPED, (int64_t)(kib << 10));
}

static int read_all(struct vmsi_top_files *files, const struct vmsi_top_wish *wish,
		    int *directory, struct vmsi_top_entry *entry)
{
	struct text text;
	int error = read_file(files, VMSI_TOP_STATM, wish, directory, &text);

	if (error)
		return error;
	if (!has_memory(&text))
		return -ENODATA;
	if (!read_statm(&text, wish->page_size, entry))
		return -EPROTO;
	error = read_file(files, VMSI_TOP_STAT, wish, directory, &text);
	if (error)
		return error;
	if (!read_stat(&text, files, entry))
		return -EPROTO;
	if (!wish->swapped) {
		vmsi_top_set(&entry->figures, VMSI_TOP_SWAPPED, 0);
		return 0;
	}
	error = read_file(files, VMSI_TOP_STATUS, wish, directory, &text);
	if (!error)
		read_swapped(&text, &entry->figures);
	return error;
}

int vmsi_top_files_read(struct vmsi_top_files *files, const struct vmsi_top_wish *wish,
			struct vmsi_top_entry *entry)
{
	int directory = -1, error;

	error = read_all(files, wish, &directory, entry);
	if (error == -EAGAIN) {
		vmsi_top_files_close(files, wish->spare);
		error = read_all(files, wish, &directory, entry);
	}
	if (directory >= 0)
		close(directory);
	if (error && error != -ENODATA)
		vmsi_top_files_close(files, wish->spare);
	return error;
}

/* The file is of the process, and not of its number. */
static bool is_there(const struct vmsi_top_files *files)
{
	char byte;

	return files->fds[VMSI_TOP_STAT] >= 0 &&
		pread(files->fds[VMSI_TOP_STAT], &byte, 1, 0) == 1;
}

size_t vmsi_top_files_command(const struct vmsi_top_files *files, char *text,
			      size_t size)
{
	const int directory = open_directory(files->pid);
	const int file = directory < 0 ? -1 :
		openat(directory, "cmdline", O_RDONLY | O_CLOEXEC);
	const ssize_t got = file < 0 ? 0 : pread(file, text, size - 1, 0);
	size_t length = got > 0 && is_there(files) ? (size_t)got : 0;

	if (file >= 0)
		close(file);
	if (directory >= 0)
		close(directory);
	while (length && text[length - 1] == '\0')
		length--;
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text[length] = '\0';
	return length;
}

void vmsi_top_files_close(struct vmsi_top_files *files, size_t *spare)
{
	for (size_t i = 0; i < VMSI_TOP_FILES; i++)
		if (files->fds[i] >= 0) {
			close(files->fds[i]);
			files->fds[i] = -1;
			++*spare;
		}
}
