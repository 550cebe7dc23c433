/* SPDX-License-Identifier: MIT */
#include "kernel_swap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define ZRAM "/sys/class/zram-control/"

/* Before any other swap of the machine. */
#define FLAGS (SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK)

/* What the keeper says once. */
struct report {
	int device;
	char problem[120];
};

static struct report report;
static char path[512];

static bool problem(const char *what)
{
	(void)snprintf(report.problem, sizeof(report.problem), "%s: %s", what,
		       strerror(errno));
	return false;
}

/* --- files with a word in them ------------------------------------------------------------ */

static bool write_word(const char *name, const char *word)
{
	const int fd = open(name, O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, word, strlen(word)) == (ssize_t)strlen(word);
	(void)close(fd);
	return done;
}

static bool write_setting(int device, const char *name, const char *word)
{
	char setting[96];

	(void)snprintf(setting, sizeof(setting), "/sys/block/zram%d/%s", device, name);
	return write_word(setting, word);
}

static int read_number(const char *name)
{
	const int fd = open(name, O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	return length > 0 ? atoi(text) : -1;
}

/* --- what the keeper makes ------------------------------------------------------------------ */

/* As mkswap(8) writes it, version 1, without bad pages. */
static bool write_header(size_t bytes)
{
	const long page = sysconf(_SC_PAGESIZE);
	char *header = calloc(1, (size_t)page);
	const uint32_t numbers[] = { 1, (uint32_t)(bytes / (size_t)page - 1), 0 };
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done;

	if (!header || fd < 0)
		return problem(path);
	memcpy(header + 1024, numbers, sizeof(numbers));
	memcpy(header + page - 10, "SWAPSPACE2", 10);
	done = pwrite(fd, header, (size_t)page, 0) == page && fsync(fd) == 0;
	(void)close(fd);
	free(header);
	return done || problem(path);
}

static bool make_device(size_t bytes)
{
	char size[32];

	report.device = read_number(ZRAM "hot_add");
	if (report.device < 0)
		return problem(ZRAM "hot_add");
	(void)snprintf(path, sizeof(path), "/dev/zram%d", report.device);
	(void)snprintf(size, sizeof(size), "%zu", bytes);
	(void)write_setting(report.device, "comp_algorithm", "lz4");
	return write_setting(report.device, "disksize", size) || problem("disksize");
}

/* No hole may be in it. */
static bool make_file(const char *directory, size_t bytes)
{
	static char block[1 << 20];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/vmspace-bench-swap-%d", directory,
		       (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return problem(path);
	for (size_t done = 0; done < bytes; done += sizeof(block))
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block)) {
			(void)close(fd);
			return problem(path);
		}
	(void)close(fd);
	return true;
}

static void take_away(enum kernel_swap_kind kind)
{
	char number[16];

	(void)swapoff(path);
	if (kind == KERNEL_SWAP_FILE) {
		(void)unlink(path);
		return;
	}
	(void)write_setting(report.device, "reset", "1");
	(void)snprintf(number, sizeof(number), "%d", report.device);
	(void)write_word(ZRAM "hot_remove", number);
}

static bool make(enum kernel_swap_kind kind, const char *directory, size_t bytes)
{
	const bool is_made = kind == KERNEL_SWAP_ZRAM ? make_device(bytes) :
							make_file(directory, bytes);

	if (!is_made || !write_header(bytes))
		return false;
	return swapon(path, FLAGS) == 0 || problem("swapon");
}

/* Signals that a terminal sends to all of a group are for the bench. */
static void keep(enum kernel_swap_kind kind, const char *directory, size_t bytes, int end,
		 int answer)
{
	bool is_made;
	char byte;

	(void)setsid();
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	report.device = -1;
	is_made = make(kind, directory, bytes);
	if (write(answer, &report, sizeof(report)) != (ssize_t)sizeof(report))
		is_made = false;
	while (is_made && read(end, &byte, 1) < 0 && errno == EINTR)
		;
	if (path[0])
		take_away(kind);
	_exit(0);
}

/* --- calls -------------------------------------------------------------------------------------- */

const char *kernel_swap_begin(struct kernel_swap *swap, enum kernel_swap_kind kind,
			      const char *directory, size_t bytes)
{
	int ends[2], answers[2];
	ssize_t length;

	bytes = (bytes + (1 << 20) - 1) >> 20 << 20;
	if (pipe2(ends, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0)
		return "no pipe";
	swap->keeper = fork();
	if (swap->keeper < 0)
		return "no process";
	if (swap->keeper == 0) {
		(void)close(ends[1]);
		keep(kind, directory, bytes, ends[0], answers[1]);
	}
	(void)close(ends[0]);
	(void)close(answers[1]);
	swap->end = ends[1];
	length = read(answers[0], &report, sizeof(report));
	(void)close(answers[0]);
	if (length == (ssize_t)sizeof(report) && !report.problem[0]) {
		swap->device = report.device;
		return NULL;
	}
	kernel_swap_end(swap);
	return report.problem[0] ? report.problem : "it has died";
}

/* The third number of mm_stat(5) is what all takes. */
uint64_t kernel_swap_memory(const struct kernel_swap *swap)
{
	unsigned long long original = 0, compressed = 0, memory = 0;
	char name[96], text[256] = "";
	int fd;

	if (swap->device < 0)
		return 0;
	(void)snprintf(name, sizeof(name), "/sys/block/zram%d/mm_stat", swap->device);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0)
		(void)sscanf(text, "%llu %llu %llu", &original, &compressed, &memory);
	(void)close(fd);
	return memory;
}

void kernel_swap_end(struct kernel_swap *swap)
{
	(void)close(swap->end);
	(void)waitpid(swap->keeper, NULL, 0);
}
