/* SPDX-License-Identifier: MIT */
#include "group/process/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "group/pages.h"
#include "text/fields.h"
#include "text/number.h"
#include "text/stat.h"

/* What /proc tells of a process, besides its mappings. */

/* Counted from 1, as proc_pid_statm(5) does. */
#define STATM_DATA 6

/*
 * The kernel's flag of a task that was forked and has executed nothing since.
 */
#define FORKED_ONLY 0x40u

struct path {
	char text[80];
};

static struct path path_of(pid_t pid, const char *name)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "/proc/%d/%s", (int)pid, name);
	return path;
}

/* The link to a thread's open file. */
static struct path link_of(pid_t thread, int descriptor)
{
	char name[32];

	snprintf(name, sizeof name, "fd/%d", descriptor);
	return path_of(thread, name);
}

FILE *vmsi_proc_open(pid_t pid, const char *name)
{
	return fopen(path_of(pid, name).text, "re");
}

int vmsi_proc_open_memory(pid_t pid)
{
	return open(path_of(pid, "mem").text, O_RDONLY | O_CLOEXEC);
}

DIR *vmsi_proc_open_threads(pid_t pid)
{
	return opendir(path_of(pid, "task").text);
}

/* A file of less than size bytes, as text. */
static bool read_text(pid_t pid, const char *name, char *text, size_t size)
{
	int file = open(path_of(pid, name).text, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (file < 0)
		return false;
	length = read(file, text, size - 1);
	close(file);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

/* Likewise of a thread. */
static bool read_thread(pid_t pid, pid_t thread, const char *name, char *text,
			size_t size)
{
	char path[64];

	snprintf(path, sizeof path, "task/%d/%s", (int)thread, name);
	return read_text(pid, path, text, size);
}

bool vmsi_proc_is_ours(void)
{
	char text[16] = "";
	int pid;

	return readlink("/proc/self", text, sizeof text - 1) > 0 &&
		vmsi_parse_int(text, &pid) && pid == getpid();
}

bool vmsi_proc_read_descriptor(pid_t thread, int descriptor, char *path,
			       size_t size)
{
	const ssize_t length =
		readlink(link_of(thread, descriptor).text, path, size - 1);

	if (length < 0)
		return false;
	path[length] = '\0';
	return true;
}

static bool read_status(pid_t thread, int descriptor, int flags,
			struct statx *status)
{
	return statx(AT_FDCWD, link_of(thread, descriptor).text,
		     flags | AT_STATX_DONT_SYNC,
		     STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE,
		     status) == 0;
}

/* The link in /proc/PID/fd has the rights that the file was opened with. */
bool vmsi_proc_read_file(pid_t thread, int descriptor,
			 struct vmsi_proc_file *file)
{
	struct statx link, status;

	if (!read_status(thread, descriptor, AT_SYMLINK_NOFOLLOW, &link) ||
	    !read_status(thread, descriptor, 0, &status))
		return false;
	*file = (struct vmsi_proc_file){
		.device = makedev(status.stx_dev_major, status.stx_dev_minor),
		.inode = status.stx_ino,
		.size = status.stx_size,
		.is_regular = S_ISREG(status.stx_mode),
		.is_zero_device = S_ISCHR(status.stx_mode) &&
			status.stx_rdev_major == 1 &&
			status.stx_rdev_minor == 5,
		.may_read = link.stx_mode & S_IRUSR,
		.may_write = link.stx_mode & S_IWUSR,
	};
	return true;
}

bool vmsi_proc_find_file(pid_t thread, uint64_t device, uint64_t inode,
			 struct vmsi_proc_file *file)
{
	DIR *all = opendir(path_of(thread, "fd").text);
	struct dirent *entry;
	bool found = false;
	int descriptor;

	while (all && !found && (entry = readdir(all)))
		found = vmsi_parse_int(entry->d_name, &descriptor) &&
			vmsi_proc_read_file(thread, descriptor, file) &&
			file->device == device && file->inode == inode;
	if (all)
		closedir(all);
	return found;
}

bool vmsi_proc_is_write_sealed(pid_t thread, int descriptor)
{
	const int file = open(link_of(thread, descriptor).text,
			      O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int seals;

	if (file < 0)
		return false;
	seals = fcntl(file, F_GET_SEALS);
	close(file);
	return seals >= 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

/* A column of a line of numbers, counted from 1; 0: there is none. */
static uint64_t column_of(const char *text, unsigned wanted)
{
	struct vmsi_scan scan = vmsi_scan_text(text);
	uint64_t value = 0;

	while (wanted > 0 && vmsi_scan_column(&scan, &value))
		wanted--;
	return wanted ? 0 : value;
}

size_t vmsi_proc_data(pid_t pid)
{
	char text[256];

	if (!read_text(pid, "statm", text, sizeof text))
		return 0;
	return column_of(text, STATM_DATA) * vmsi_page_bytes();
}

bool vmsi_proc_read_stat(pid_t pid, struct vmsi_proc_stat *stat)
{
	char text[2048];
	struct vmsi_stat read;

	if (!read_text(pid, "stat", text, sizeof text) ||
	    !vmsi_stat_read(vmsi_scan_text(text), &read))
		return false;
	*stat = (struct vmsi_proc_stat){
		.parent = (pid_t)read.parent,
		.has_executed = !(read.flags & FORKED_ONLY),
		.threads = (unsigned)read.threads,
		.data_start = read.data_start,
		.data_end = read.data_end,
		.heap_start = read.heap_start,
	};
	snprintf(stat->command, sizeof stat->command, "%.*s",
		 (int)vmsi_scan_left(&read.command), read.command.at);
	return true;
}

bool vmsi_proc_read_running(pid_t pid, pid_t thread,
			    struct vmsi_proc_running *running)
{
	char text[2048];
	struct vmsi_stat stat;

	*running = (struct vmsi_proc_running){ 'R', 0 };
	if (!read_thread(pid, thread, "stat", text, sizeof text))
		return errno != ENOENT && errno != ESRCH;
	if (vmsi_stat_read(vmsi_scan_text(text), &stat))
		running->state = stat.state;
	if (read_thread(pid, thread, "schedstat", text, sizeof text))
		running->ran = column_of(text, 1);
	return true;
}

int vmsi_proc_system_call(pid_t pid, pid_t thread)
{
	char text[512];
	struct vmsi_scan scan;
	uint64_t number;

	if (!read_thread(pid, thread, "syscall", text, sizeof text))
		return -1;
	scan = vmsi_scan_text(text);
	return vmsi_scan_decimal(&scan, &number) ? (int)number : -1;
}

bool vmsi_proc_is_alive(pid_t pid, pid_t thread)
{
	struct vmsi_proc_running running;

	return vmsi_proc_read_running(pid, thread, &running) &&
		running.state != 'Z' && running.state != 'X';
}

/* A thread that is about to end gives up its memory before the others do. */
static bool has_memory(pid_t pid, pid_t thread)
{
	char text[256];

	return read_thread(pid, thread, "statm", text, sizeof text) &&
		column_of(text, 1) > 0;
}

static pid_t find_thread(pid_t pid, bool (*is_one)(pid_t pid, pid_t thread))
{
	DIR *threads = vmsi_proc_open_threads(pid);
	struct dirent *entry;
	pid_t one, thread = 0;

	if (!threads)
		return errno == ENOENT ? 0 : -1;
	while (!thread && (entry = readdir(threads)))
		if (vmsi_parse_int(entry->d_name, &one) && is_one(pid, one))
			thread = one;
	closedir(threads);
	return thread;
}

pid_t vmsi_proc_living_thread(pid_t pid)
{
	return find_thread(pid, vmsi_proc_is_alive);
}

pid_t vmsi_proc_thread_with_memory(pid_t pid)
{
	return find_thread(pid, has_memory);
}

/* A number of /proc/PID/status; 0: it has gone; -1: there is no such line. */
static long status_number(pid_t pid, const char *name)
{
	char status[8192];
	struct vmsi_scan value;
	uint64_t number;

	if (!read_text(pid, "status", status, sizeof status))
		return 0;
	return vmsi_field_find(vmsi_scan_text(status), name, &value) &&
		vmsi_scan_decimal(&value, &number) ? (long)number : -1;
}

size_t vmsi_proc_stack(pid_t pid)
{
	const long kib = status_number(pid, "VmStk");

	return kib > 0 ? (size_t)kib << 10 : 0;
}

/*
 * pidfd_open takes the number of the first thread of a process, and of no
 * other.
 */
static bool is_process(pid_t thread)
{
	int descriptor = (int)syscall(SYS_pidfd_open, thread, 0);

	if (descriptor < 0)
		return false;
	close(descriptor);
	return true;
}

pid_t vmsi_proc_process_of(pid_t thread)
{
	if (is_process(thread))
		return thread;
	return (pid_t)status_number(thread, "Tgid");
}

bool vmsi_proc_namespace(pid_t pid, char *name, size_t size)
{
	ssize_t length = readlink(pid ? path_of(pid, "ns/pid").text :
					"/proc/self/ns/pid", name, size - 1);

	name[length > 0 ? length : 0] = '\0';
	return length > 0;
}

/* The line has a number for each namespace, the innermost last. */
pid_t vmsi_proc_number_inside(pid_t thread)
{
	char status[8192];
	struct vmsi_scan numbers;
	uint64_t number, last = 0;

	if (!read_text(thread, "status", status, sizeof status) ||
	    !vmsi_field_find(vmsi_scan_text(status), "NSpid", &numbers))
		return 0;
	while (vmsi_scan_column(&numbers, &number))
		last = number;
	return (pid_t)last;
}

pid_t vmsi_proc_tracer(pid_t thread)
{
	return (pid_t)status_number(thread, "TracerPid");
}

/* A kernel that does not count filters tells whether there are any. */
long vmsi_proc_filters(pid_t pid)
{
	const long filters = status_number(pid, "Seccomp_filters");

	return filters >= 0 ? filters :
		status_number(pid, "Seccomp") == SECCOMP_MODE_FILTER;
}
