/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare_samples(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;

	return (left > right) - (left < right);
}

/* The value below which a fraction of the sorted samples lies, interpolated. */
static double quantile(const double *sorted, size_t count, double fraction)
{
	double position = fraction * (double)(count - 1);
	size_t below = (size_t)position;
	size_t above = below + 1 < count ? below + 1 : below;

	return sorted[below] +
		(sorted[above] - sorted[below]) * (position - (double)below);
}

struct bench_summary bench_summarise(double *samples, size_t count)
{
	qsort(samples, count, sizeof(*samples), compare_samples);
	return (struct bench_summary){
		.minimum = samples[0],
		.lower = quantile(samples, count, 0.25),
		.median = quantile(samples, count, 0.5),
		.upper = quantile(samples, count, 0.75),
		.maximum = samples[count - 1],
		.count = count,
	};
}

void bench_print_summary(const char *label, const char *unit,
			 struct bench_summary summary)
{
	printf("%-44s %12.1f %s  quartiles %.1f..%.1f  extremes %.1f..%.1f  n=%zu\n",
	       label, summary.median, unit, summary.lower, summary.upper,
	       summary.minimum, summary.maximum, summary.count);
	fflush(stdout);
}

/* The processor's model as /proc/cpuinfo names it; "unknown" where it does not. */
static void processor_model(char *model, size_t size)
{
	/* The second is what aarch64 has: the part's number. */
	static const char *const keys[] = { "model name\t", "CPU part\t" };
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512];

	snprintf(model, size, "unknown processor");
	while (file && fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		for (size_t i = 0; value && i < 2; i++) {
			if (strncmp(line, keys[i], strlen(keys[i])) != 0)
				continue;
			value[strcspn(value, "\n")] = '\0';
			snprintf(model, size, "%s",
				 value + 1 + strspn(value + 1, " \t"));
			fclose(file);
			return;
		}
	}
	if (file)
		fclose(file);
}

/* How many processors this process may run on. */
static int processor_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return CPU_COUNT(&set);
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void print_quoted(const char *word)
{
	if (*word && strspn(word, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789_-+=./:,@%") == strlen(word)) {
		printf(" %s", word);
		return;
	}
	printf(" '");
	for (; *word; word++) {
		if (*word == '\'')
			printf("'\\''");
		else
			putchar(*word);
	}
	putchar('\'');
}

void bench_print_header(int argc, char **argv)
{
	char model[256];
	struct utsname name;
	long page_size = sysconf(_SC_PAGESIZE);
	double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)page_size;

	bench_check_options(argc, argv);
	processor_model(model, sizeof(model));
	if (uname(&name) != 0)
		memset(&name, 0, sizeof(name));
	printf("# machine: %s %s %s; %s; %d processors; %.1f GiB; pages of %ld bytes\n",
	       name.sysname, name.release, name.machine, model,
	       processor_count(), memory / (double)(1u << 30), page_size);
	printf("# reproduce:");
	for (int i = 0; i < argc; i++)
		print_quoted(argv[i]);
	putchar('\n');
	fflush(stdout);
}

void bench_warm_memory(size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return;
	(void)madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < bytes; at += page)
		memory[at] = 1;
	munmap(memory, bytes);
}

void bench_order(size_t *order, size_t count, uint64_t *random)
{
	for (size_t i = 0; i < count; i++) {
		const size_t other = bench_random(random) % (i + 1);

		order[i] = order[other];
		order[other] = i;
	}
}
