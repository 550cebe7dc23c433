/* SPDX-License-Identifier: MIT */
#include "cli/top/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/clock.h"
#include "cli/numbers.h"
#include "cli/top/process_files.h"
#include "procfs/file.h"

/* Left for everything else: the terminal, a socket, a listing that is read. */
#define DESCRIPTORS_LEFT 64

struct process {
	struct vmsi_top_files files;
	struct vmsi_top_walk walk;
	char *command; /* its command line, of the last time; or NULL */
	bool is_listed;
};

/* Of a command line so much is read: more than a screen is wide. */
#define COMMAND_BYTES 512

struct vmsi_top_reader {
	enum vmsi_top_walks walks;
	struct vmsi_top_credit credit; /* for them */
	struct vmsi_top_due *dues;     /* memory for a list of who may be walked over */
	size_t due_capacity;
	size_t spare;         /* descriptors that may be kept open */
	uint64_t page_size;
	struct process *list; /* in ascending order of pid */
	size_t count, capacity;
	DIR *directory;
};

/* --- descriptors ------------------------------------------------------------------- */

static size_t raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		const struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > (1u << 20))
		limit.rlim_cur = 1u << 20;
	return limit.rlim_cur > DESCRIPTORS_LEFT ?
		(size_t)limit.rlim_cur - DESCRIPTORS_LEFT : 0;
}

struct vmsi_top_reader *vmsi_top_reader_open(enum vmsi_top_walks walks)
{
	struct vmsi_top_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->walks = walks;
	reader->spare = raise_limit();
	reader->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	return reader;
}

/* --- who is there ------------------------------------------------------------------ */

static int compare(const void *first, const void *second)
{
	const struct process *one = first, *other = second;

	return (one->files.pid > other->files.pid) -
		(one->files.pid < other->files.pid);
}

/* Find one of the first, which are in order; NULL where there is none of that number. */
static struct process *find(struct vmsi_top_reader *reader, size_t known, pid_t pid)
{
	const struct process key = { .files = { .pid = pid } };

	return known ? bsearch(&key, reader->list, known, sizeof(key), compare) : NULL;
}

static int list_one(struct vmsi_top_reader *reader, size_t known, pid_t pid)
{
	struct process *process = find(reader, known, pid), *list;

	if (process) {
		process->is_listed = true;
		return 0;
	}
	list = vmsi_with_capacity(reader->list, reader->count, &reader->capacity,
				  sizeof(*list));
	if (!list)
		return -ENOMEM;
	reader->list = list;
	list[reader->count++] = (struct process){
		.files = { .pid = pid, .fds = { -1, -1, -1 } },
		.is_listed = true,
	};
	return 0;
}

static void forget(struct vmsi_top_reader *reader, struct process *process)
{
	vmsi_top_files_close(&process->files, &reader->spare);
	free(process->command);
}

static void drop_unlisted(struct vmsi_top_reader *reader)
{
	size_t kept = 0;

	for (size_t i = 0; i < reader->count; i++)
		if (reader->list[i].is_listed)
			reader->list[kept++] = reader->list[i];
		else
			forget(reader, &reader->list[i]);
	reader->count = kept;
}

static int list_processes(struct vmsi_top_reader *reader)
{
	const size_t known = reader->count;
	int error = 0;
	pid_t pid;

	if (!reader->directory)
		reader->directory = opendir("/proc");
	if (!reader->directory)
		return -errno;
	rewinddir(reader->directory);
	for (size_t i = 0; i < known; i++)
		reader->list[i].is_listed = false;
	while (!error && vmsi_next_number(reader->directory, &pid))
		error = list_one(reader, known, pid);
	drop_unlisted(reader);
	if (reader->count)
		qsort(reader->list, reader->count, sizeof(*reader->list), compare);
	/* A mounted procfs shows at least this process. */
	return !error && reader->count == 0 ? -ENOENT : error;
}

/* --- what they have ---------------------------------------------------------------- */

void vmsi_top_machine_read(struct vmsi_top_machine *machine)
{
	struct vmsi_host_file file;

	machine->is_known = false;
	machine->tells_mode = vmsi_host_read_number("/proc/sys/vm/overcommit_memory",
						    &machine->mode);
	if (vmsi_host_file_open(&file, "/proc/meminfo"))
		return;
	machine->is_known = vmsi_meminfo_read(&file.lines, &machine->meminfo) == 0;
	vmsi_host_file_close(&file);
}

struct vmsi_top_entry *vmsi_top_sample_add(struct vmsi_top_sample *sample)
{
	struct vmsi_top_entry *list = vmsi_with_capacity(sample->list, sample->count,
		&sample->capacity, sizeof(*list));

	if (!list)
		return NULL;
	sample->list = list;
	list[sample->count] = (struct vmsi_top_entry){ .name = "" };
	return &list[sample->count++];
}

static bool is_refused(int error)
{
	return error == -EACCES || error == -EPERM;
}

/* Read one. That it has ended, or may not be read, is no error. */
static int read_process(struct process *process, const struct vmsi_top_wish *wish,
			struct vmsi_top_sample *sample)
{
	struct vmsi_top_entry *entry;
	int error;

	entry = vmsi_top_sample_add(sample);
	if (!entry)
		return -ENOMEM;
	error = vmsi_top_files_read(&process->files, wish, entry);
	/* What was open may be of one that has ended, and the number of a new one. */
	if (error == -ESRCH)
		error = vmsi_top_files_read(&process->files, wish, entry);
	if (!error)
		return 0;
	sample->count--;
	sample->untold += is_refused(error);
	return 0;
}

static struct vmsi_top_wish wish_of(struct vmsi_top_reader *reader)
{
	return (struct vmsi_top_wish){
		.page_size = reader->page_size,
		.spare = &reader->spare,
	};
}

int vmsi_top_reader_read(struct vmsi_top_reader *reader,
			 struct vmsi_top_sample *sample)
{
	struct vmsi_top_wish wish = wish_of(reader);
	int error;

	sample->at = vmsi_clock_ns();
	sample->count = 0;
	sample->untold = 0;
	vmsi_top_machine_read(&sample->machine);
	wish.swapped = !sample->machine.is_known ||
		sample->machine.meminfo.swap != sample->machine.meminfo.swap_free;
	error = list_processes(reader);
	for (size_t i = 0; !error && i < reader->count; i++)
		error = read_process(&reader->list[i], &wish, sample);
	return error;
}

/* --- what they were promised --------------------------------------------------------- */

static bool make_room(struct vmsi_top_reader *reader, size_t count)
{
	struct vmsi_top_due *dues;

	if (count <= reader->due_capacity)
		return true;
	dues = reallocarray(reader->dues, count, sizeof(*dues));
	if (!dues)
		return false;
	reader->dues = dues;
	reader->due_capacity = count;
	return true;
}

int vmsi_top_reader_walk(struct vmsi_top_reader *reader, struct vmsi_top_sample *sample)
{
	const struct vmsi_top_wish wish = wish_of(reader);
	size_t count = 0, refused;

	if (!make_room(reader, sample->count))
		return -ENOMEM;
	for (size_t i = 0; i < sample->count; i++) {
		struct vmsi_top_entry *entry = &sample->list[i];
		struct process *process = find(reader, reader->count,
					       (pid_t)entry->id.number);

		vmsi_top_walk_meet(&process->walk, entry, sample->at);
		reader->dues[count++] = (struct vmsi_top_due){
			.files = &process->files, .walk = &process->walk,
			.entry = entry,
		};
	}
	refused = vmsi_top_walks_run(reader->walks, &reader->credit, &wish,
				     reader->dues, count, sample->at);
	/* Who asked for all figures misses these. */
	if (reader->walks == VMSI_TOP_WALKS_ALL)
		sample->untold += refused;
	return 0;
}

/* --- how they were called ------------------------------------------------------------- */

int vmsi_top_reader_commands(struct vmsi_top_reader *reader,
			     struct vmsi_top_sample *sample)
{
	char text[COMMAND_BYTES];

	for (size_t i = 0; i < sample->count; i++) {
		struct vmsi_top_entry *entry = &sample->list[i];
		struct process *process = entry->is_shown ?
			find(reader, reader->count, (pid_t)entry->id.number) : NULL;

		if (!process || !vmsi_top_files_command(&process->files, text,
							sizeof(text)))
			continue;
		free(process->command);
		process->command = strdup(text);
		if (!process->command)
			return -ENOMEM;
		entry->command = process->command;
	}
	return 0;
}

void vmsi_top_reader_close(struct vmsi_top_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->count; i++)
		forget(reader, &reader->list[i]);
	if (reader->directory)
		closedir(reader->directory);
	free(reader->list);
	free(reader->dues);
	free(reader);
}
