/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What /proc tells of a process besides its mappings. */

/* Counted from 1, as proc_pid_stat(5) and proc_pid_statm(5) do. */
#define STAT_PARENT 4
#define STAT_FLAGS 9
#define STAT_THREADS 20
#define STAT_DATA_START 45
#define STAT_HEAP_START 47
#define STATM_DATA 6

/* Of the kernel's flags of a task: forked, and has executed nothing since. */
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

/* The same of a thread. */
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

	return readlink("/proc/self", text, sizeof text - 1) > 0 &&
		strtol(text, NULL, 10) == getpid();
}

bool vmsi_proc_read_descriptor(pid_t thread, int descriptor, char *path,
			       size_t size)
{
	char name[32];
	ssize_t length;

	snprintf(name, sizeof name, "fd/%d", descriptor);
	length = readlink(path_of(thread, name).text, path, size - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	return true;
}

static bool read_status(pid_t thread, int descriptor, int flags,
			struct statx *status)
{
	char name[32];

	snprintf(name, sizeof name, "fd/%d", descriptor);
	return statx(AT_FDCWD, path_of(thread, name).text,
		     flags | AT_STATX_DONT_SYNC,
		     STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE,
		     status) == 0;
}

/* The rights of the link are those that the file was opened with. */
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

void vmsi_proc_each_descriptor(pid_t thread,
			       bool (*visit)(int descriptor, void *context),
			       void *context)
{
	DIR *all = opendir(path_of(thread, "fd").text);
	struct dirent *entry;

	while (all && (entry = readdir(all)))
		if (entry->d_name[0] != '.' &&
		    !visit((int)strtol(entry->d_name, NULL, 10), context))
			break;
	if (all)
		closedir(all);
}

bool vmsi_proc_is_write_sealed(pid_t thread, int descriptor)
{
	char name[32];
	int file, seals;

	snprintf(name, sizeof name, "fd/%d", descriptor);
	file = open(path_of(thread, name).text,
		    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file < 0)
		return false;
	seals = fcntl(file, F_GET_SEALS);
	close(file);
	return seals >= 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

size_t vmsi_proc_data(pid_t pid)
{
	char text[256], *at = text;
	size_t pages = 0;

	if (!read_text(pid, "statm", text, sizeof text))
		return 0;
	for (int field = 1; field <= STATM_DATA; field++)
		pages = strtoull(at, &at, 10);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

bool vmsi_proc_read_stat(pid_t pid, struct vmsi_proc_stat *stat)
{
	char text[2048], *name, *end, *at;
	unsigned long long value;

	if (!read_text(pid, "stat", text, sizeof text))
		return false;
	/* The name, in brackets, may have anything in it. */
	name = strchr(text, '(');
	end = strrchr(text, ')');
	if (!name || !end || end < name)
		return false;
	*stat = (struct vmsi_proc_stat){ .parent = 0 };
	snprintf(stat->command, sizeof stat->command, "%.*s",
		 (int)(end - name - 1), name + 1);
	at = end + 1;
	for (int field = 3; field <= STAT_HEAP_START && *at; field++) {
		at += strspn(at, " ");
		value = strtoull(at, NULL, 10);
		if (field == STAT_PARENT)
			stat->parent = (pid_t)value;
		if (field == STAT_FLAGS)
			stat->has_executed = !(value & FORKED_ONLY);
		if (field == STAT_THREADS)
			stat->threads = (unsigned)value;
		if (field == STAT_HEAP_START)
			stat->heap_start = (uintptr_t)value;
		at += strcspn(at, " ");
	}
	return true;
}

bool vmsi_proc_read_data(pid_t pid, struct vmsi_proc_data *data)
{
	char text[2048], *at;
	int field = 3;

	if (!read_text(pid, "stat", text, sizeof text))
		return false;
	at = strrchr(text, ')');
	for (at = at ? at + 1 : NULL; at && field < STAT_DATA_START; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	data->start = strtoull(at, &at, 10);
	data->end = strtoull(at, &at, 10);
	data->heap_start = strtoull(at, &at, 10);
	return data->heap_start != 0;
}

bool vmsi_proc_read_running(pid_t pid, pid_t thread,
			    struct vmsi_proc_running *running)
{
	char text[2048], *end;

	*running = (struct vmsi_proc_running){ 'R', 0 };
	if (!read_thread(pid, thread, "stat", text, sizeof text))
		return errno != ENOENT && errno != ESRCH;
	end = strrchr(text, ')');
	if (end && end[1])
		running->state = end[2];
	if (read_thread(pid, thread, "schedstat", text, sizeof text))
		running->ran = strtoull(text, NULL, 10);
	return true;
}

int vmsi_proc_system_call(pid_t pid, pid_t thread)
{
	char text[512], *end;
	long number;

	if (!read_thread(pid, thread, "syscall", text, sizeof text))
		return -1;
	number = strtol(text, &end, 10);
	return end == text ? -1 : (int)number;
}

static bool lives(pid_t pid, pid_t thread)
{
	struct vmsi_proc_running running;

	return vmsi_proc_read_running(pid, thread, &running) &&
		running.state != 'Z' && running.state != 'X';
}

/* One that is about to end has none any more, while others have. */
static bool has_memory(pid_t pid, pid_t thread)
{
	char text[256];

	return read_thread(pid, thread, "statm", text, sizeof text) &&
		strtoull(text, NULL, 10) > 0;
}

static pid_t find_thread(pid_t pid, bool (*is_one)(pid_t pid, pid_t thread))
{
	DIR *threads = vmsi_proc_open_threads(pid);
	struct dirent *entry;
	pid_t thread = 0;

	if (!threads)
		return errno == ENOENT ? 0 : -1;
	while (!thread && (entry = readdir(threads))) {
		pid_t one = (pid_t)strtol(entry->d_name, NULL, 10);

		if (one > 0 && is_one(pid, one))
			thread = one;
	}
	closedir(threads);
	return thread;
}

pid_t vmsi_proc_living_thread(pid_t pid)
{
	return find_thread(pid, lives);
}

pid_t vmsi_proc_thread_with_memory(pid_t pid)
{
	return find_thread(pid, has_memory);
}

/* A number of /proc/PID/status; 0: it has gone; -1: there is no such line. */
static long status_number(pid_t pid, const char *name)
{
	char status[8192];
	const char *line;

	if (!read_text(pid, "status", status, sizeof status))
		return 0;
	line = strstr(status, name);
	return line ? strtol(line + strlen(name), NULL, 10) : -1;
}

size_t vmsi_proc_stack(pid_t pid)
{
	const long kib = status_number(pid, "\nVmStk:");

	return kib > 0 ? (size_t)kib << 10 : 0;
}

/* A descriptor of a process is had by its first thread's number only. */
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
	return (pid_t)status_number(thread, "\nTgid:");
}

bool vmsi_proc_namespace(pid_t pid, char *name, size_t size)
{
	ssize_t length = readlink(pid ? path_of(pid, "ns/pid").text :
					"/proc/self/ns/pid", name, size - 1);

	name[length > 0 ? length : 0] = '\0';
	return length > 0;
}

/* One for each namespace, the innermost last. */
pid_t vmsi_proc_number_inside(pid_t thread)
{
	static const char field[] = "\nNSpid:";
	char status[8192], *at, *end;
	long number, last = 0;

	if (!read_text(thread, "status", status, sizeof status))
		return 0;
	at = strstr(status, field);
	for (at = at ? at + strlen(field) : NULL; at; at = end) {
		at += strspn(at, "\t ");
		number = strtol(at, &end, 10);
		if (end == at)
			break;
		last = number;
	}
	return (pid_t)last;
}

pid_t vmsi_proc_tracer(pid_t thread)
{
	return (pid_t)status_number(thread, "\nTracerPid:");
}

/* A kernel that does not count them says whether there are any. */
long vmsi_proc_filters(pid_t pid)
{
	const long filters = status_number(pid, "\nSeccomp_filters:");

	return filters >= 0 ? filters :
		status_number(pid, "\nSeccomp:") == SECCOMP_MODE_FILTER;
}
