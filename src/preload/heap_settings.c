/* SPDX-License-Identifier: MIT */
#include "preload/heap_settings.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmspace/heap.h>

#include "base/align.h"
#include "preload/heap_range.h"
#include "preload/line.h"
#include "text/number.h"
#include "text/size.h"

/* Settings from the environment. For a set-user-ID program there are none. */

/* The least threshold: a block of the heap takes a page at least. */
#define LEAST_THRESHOLD ((size_t)4 << 10)

struct vmsi_interposer_settings vmsi_interposer_settings = {
	.options = { .struct_size = sizeof(struct vms_heap_options) },
	.threshold = VMSI_INTERPOSER_THRESHOLD,
};

void vmsi_interposer_complain(const char *part, ...)
{
	struct vmsi_output_line line = { .length = 0 };
	va_list parts;

	vmsi_line_text(&line, "vmspace-heap: ");
	va_start(parts, part);
	for (; part; part = va_arg(parts, const char *))
		vmsi_line_text(&line, part);
	va_end(parts);
	vmsi_line_write(&line, STDERR_FILENO);
}

/* Milliseconds, or "never". 0 becomes 1, as 0 in the options is the default. */
static bool parse_age(const char *text, unsigned *age)
{
	uint64_t number;

	if (strcmp(text, "never") == 0) {
		*age = VMS_HEAP_NEVER;
		return true;
	}
	if (!vmsi_parse_number(text, &number) || number >= VMS_HEAP_NEVER)
		return false;
	*age = number ? (unsigned)number : 1;
	return true;
}

/* The value of a variable; NULL if it is not set, or empty. */
static const char *wish(const char *name)
{
	const char *text = secure_getenv(name);

	return text && *text ? text : NULL;
}

static void ignore(const char *name, const char *text)
{
	vmsi_interposer_complain(name, "=", text,
				 " is not understood and ignored",
				 (char *)NULL);
}

static void read_size(const char *name, size_t *size)
{
	const char *text = wish(name);
	if (text && !vmsi_parse_size(text, VMSI_SIZE_WHOLE, size))
		ignore(name, text);
}

static void read_age(const char *name, unsigned *age)
{
	const char *text = wish(name);

	if (text && !parse_age(text, age))
		ignore(name, text);
}

static bool read_switch(const char *name)
{
	const char *text = wish(name);

	if (text && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		ignore(name, text);
	return text && strcmp(text, "1") == 0;
}

/* The path is copied, as programs may write their title over the environment. */
static void read_stats(struct vmsi_interposer_settings *settings)
{
	const char *text = wish("VMSPACE_HEAP_STATS");

	if (!text || strcmp(text, "0") == 0)
		return;
	if (strcmp(text, "1") == 0) {
		settings->stats = VMSI_STATS_STDERR;
	} else if (strlen(text) < sizeof(settings->stats_file)) {
		memcpy(settings->stats_file, text, strlen(text) + 1);
		settings->stats = VMSI_STATS_FILE;
	} else {
		ignore("VMSPACE_HEAP_STATS", text);
	}
}

static void read_all(struct vmsi_interposer_settings *settings)
{
	struct vms_heap_options *options = &settings->options;
	size_t retain = SIZE_MAX;

	read_size("VMSPACE_HEAP_THRESHOLD", &settings->threshold);
	settings->threshold = vmsi_max(settings->threshold, LEAST_THRESHOLD);
	read_size("VMSPACE_HEAP_RETAIN", &retain);
	if (retain != SIZE_MAX)
		options->retain = retain ? retain : VMS_HEAP_RETAIN_NONE;
	read_size("VMSPACE_HEAP_RESERVE", &options->reserve);
	read_age("VMSPACE_HEAP_RECLAIMABLE_AFTER",
		 &options->reclaimable_after);
	read_age("VMSPACE_HEAP_GIVE_BACK_AFTER", &options->give_back_after);
	if (read_switch("VMSPACE_HEAP_NO_HUGE_PAGES"))
		options->flags |= VMS_HEAP_NO_HUGE_PAGES;
	if (read_switch("VMSPACE_HEAP_DISABLE"))
		settings->threshold = SIZE_MAX;
	read_stats(settings);
}

/* No lock is taken: two threads that do this at once read the same. */
void vmsi_interposer_read_settings(void)
{
	static bool done;

	/* libc has no environment yet. */
	if (done || !environ)
		return;
	done = true;
	read_all(&vmsi_interposer_settings);
	__atomic_store_n(&vmsi_interposer.threshold,
			 vmsi_interposer_settings.threshold, __ATOMIC_RELAXED);
}
