/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define MOST_THREADS 64

static pthread_barrier_t meeting;

_Noreturn void pattern_fail(const char *what)
{
	perror(what);
	exit(1);
}

void pattern_meet(void)
{
	pthread_barrier_wait(&meeting);
}

/* A field of /proc/self/status, in bytes, without the help of malloc. */
static uint64_t status_field(const char *name)
{
	char text[8192], *field;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		pattern_fail("/proc/self/status");
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	field = strstr(text, name);
	return field ? strtoull(field + strlen(name), NULL, 10) * KIB : 0;
}

uint64_t pattern_resident(void)
{
	return status_field("\nVmRSS:");
}

/* --- a run ------------------------------------------------------------------- */

struct thread {
	pthread_t id;
	const struct pattern *pattern;
	struct settings settings;
	struct figures figures;
};

static void *run_thread(void *argument)
{
	struct thread *thread = argument;

	thread->pattern->run(&thread->settings, &thread->figures);
	return NULL;
}

static void take_slowest(uint64_t *total, uint64_t ns)
{
	if (*total < ns)
		*total = ns;
}

static struct figures sum_up(const struct thread *threads, size_t count)
{
	struct figures sum = threads[0].figures;

	for (size_t i = 1; i < count; i++) {
		const struct figures *figures = &threads[i].figures;

		take_slowest(&sum.ns, figures->ns);
		take_slowest(&sum.free_ns, figures->free_ns);
		take_slowest(&sum.again_ns, figures->again_ns);
		sum.operations += figures->operations;
		sum.bytes += figures->bytes;
		sum.live += figures->live;
		sum.placed += figures->placed;
		sum.occupied += figures->occupied;
	}
	return sum;
}

/* One thread is the process's own: a program without threads has no others. */
static struct figures run_pattern(const struct pattern *pattern,
				  const struct settings *settings)
{
	struct thread threads[MOST_THREADS] = { 0 };
	const unsigned count = (unsigned)settings->threads;

	if (pthread_barrier_init(&meeting, NULL, count) != 0)
		pattern_fail("pthread_barrier_init");
	for (size_t i = 0; i < count; i++) {
		threads[i].pattern = pattern;
		threads[i].settings = *settings;
		threads[i].settings.seed += i;
	}
	if (count == 1)
		run_thread(&threads[0]);
	for (size_t i = 0; count > 1 && i < count; i++) {
		if (pthread_create(&threads[i].id, NULL, run_thread,
				   &threads[i]) != 0)
			pattern_fail("pthread_create");
	}
	for (size_t i = 0; count > 1 && i < count; i++)
		pthread_join(threads[i].id, NULL);
	pthread_barrier_destroy(&meeting);
	return sum_up(threads, count);
}

static void print_run(const struct pattern *pattern,
		      const struct settings *settings, size_t run,
		      uint64_t start_rss, const struct figures *figures)
{
	uint64_t peak = status_field("\nVmHWM:");

	printf("{\"pattern\": \"%s\", \"threads\": %zu, \"run\": %zu, ",
	       pattern->name, settings->threads, run);
	printf("\"size\": %zu, \"step\": %zu, ", settings->size,
	       settings->step);
	printf("\"ns\": %" PRIu64 ", \"free_ns\": %" PRIu64
	       ", \"again_ns\": %" PRIu64 ", ",
	       figures->ns, figures->free_ns, figures->again_ns);
	printf("\"operations\": %" PRIu64 ", \"bytes\": %" PRIu64
	       ", \"live\": %" PRIu64 ", ",
	       figures->operations, figures->bytes, figures->live);
	printf("\"start_rss\": %" PRIu64 ", \"peak_rss\": %" PRIu64
	       ", \"freed_rss\": %" PRIu64 ", \"later_rss\": %" PRIu64 ", ",
	       start_rss, peak, figures->freed_rss, figures->later_rss);
	printf("\"placed\": %" PRIu64 ", \"occupied\": %" PRIu64 "}\n",
	       figures->placed, figures->occupied);
	fflush(stdout);
}

/* --- arguments --------------------------------------------------------------- */

static const struct pattern *find_pattern(const struct pattern *table,
					  const char *name)
{
	for (; table && table->name; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

static void print_usage(FILE *stream, const char *program, const struct pattern *first,
			const struct pattern *second)
{
	fprintf(stream, "usage: %s PATTERN [--NAME NUMBER...]\npatterns:", program);
	for (; first->name; first++)
		fprintf(stream, " %s", first->name);
	for (; second && second->name; second++)
		fprintf(stream, " %s", second->name);
	fprintf(stream, "\nnumbers: size step percent arrays foreign low high slots operations seed wait threads runs\n");
}

static struct settings read_settings(int argc, char **argv,
				     const struct settings *defaults)
{
	struct settings settings = *defaults;
	const struct {
		const char *name;
		size_t *value;
		size_t fallback;
	} options[] = {
		{ "size", &settings.size, settings.size },
		{ "step", &settings.step, settings.step },
		{ "percent", &settings.percent, settings.percent },
		{ "arrays", &settings.arrays, settings.arrays },
		{ "foreign", &settings.foreign, settings.foreign },
		{ "low", &settings.low, settings.low },
		{ "high", &settings.high, settings.high },
		{ "slots", &settings.slots, settings.slots },
		{ "operations", &settings.operations, settings.operations },
		{ "seed", &settings.seed, 1 },
		{ "wait", &settings.wait, settings.wait },
		{ "threads", &settings.threads, 1 },
		{ "runs", &settings.runs, 1 },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		*options[i].value = bench_option(argc, argv, options[i].name,
						 options[i].fallback);
	/* From behind the pattern's name. */
	bench_check_options(argc - 1, argv + 1);
	return settings;
}

int pattern_main(int argc, char **argv, const struct pattern *first,
		 const struct pattern *second)
{
	const struct pattern *pattern = NULL;
	struct settings settings;

	if (argc > 1) {
		pattern = find_pattern(first, argv[1]);
		if (!pattern)
			pattern = find_pattern(second, argv[1]);
	}
	if (!pattern) {
		const int asks = argc > 1 && strcmp(argv[1], "--help") == 0;

		print_usage(asks ? stdout : stderr, argv[0], first, second);
		return asks ? 0 : 2;
	}
	settings = read_settings(argc, argv, &pattern->defaults);
	if (settings.threads == 0 || settings.threads > MOST_THREADS) {
		fprintf(stderr, "%s: 1 to %d threads\n", argv[0], MOST_THREADS);
		return 2;
	}
	for (size_t run = 0; run < settings.runs; run++) {
		uint64_t start_rss = pattern_resident();
		struct figures figures = run_pattern(pattern, &settings);

		print_run(pattern, &settings, run, start_rss, &figures);
	}
	return 0;
}
