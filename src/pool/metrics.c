/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "pool/pool.h"

/* vms_pool_metrics: the figures as OpenMetrics text. */

struct text {
	char *bytes;
	size_t size, length;   /* that there is room for; that it would have */
	/* Of each sample: which pool it is of. */
	char labels[sizeof("pool=\"\",name=\"\"") + 20 + 2 * VMS_NAME_MAX];
};

__attribute__((format(printf, 2, 3)))
static void add(struct text *text, const char *format, ...)
{
	const size_t room = text->length < text->size ? text->size - text->length : 0;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(room ? text->bytes + text->length : NULL, room, format,
			   arguments);
	va_end(arguments);
	if (length > 0)
		text->length += (size_t)length;
}

static void add_one(struct text *text, const char *type, const char *name,
		    const char *suffix, uint64_t value)
{
	add(text, "# TYPE vmspace_pool_%s %s\n", name, type);
	add(text, "vmspace_pool_%s%s{%s} %" PRIu64 "\n", name, suffix, text->labels, value);
}

static void add_gauge(struct text *text, const char *name, uint64_t value)
{
	add_one(text, "gauge", name, "", value);
}

static void add_counter(struct text *text, const char *name, uint64_t value)
{
	add_one(text, "counter", name, "_total", value);
}

static void add_sizes(struct text *text, const struct vms_pool_stats *stats)
{
	add_gauge(text, "page_bytes", stats->page_size);
	add_gauge(text, "pages", stats->pages);
	add_gauge(text, "ram_limit_bytes", stats->ram);
	add_gauge(text, "ram_used_bytes", stats->used);
	add_gauge(text, "slots", stats->slots);
	add_gauge(text, "resident_pages", stats->resident);
	add_gauge(text, "dirty_pages", stats->dirty);
	add_gauge(text, "free_pages", stats->free);
	add_gauge(text, "durable_lsn", stats->durable);
	add_gauge(text, "snapshots", stats->snapshots);
	add_gauge(text, "io_uring", stats->engine == VMS_POOL_URING);
	add_gauge(text, "fault_engine", stats->fault_engine);
}

static void add_counts(struct text *text, const struct vms_pool_stats *stats)
{
	add_counter(text, "hits", stats->hits);
	add_counter(text, "misses", stats->misses);
	add_counter(text, "reads", stats->reads);
	add_counter(text, "read_errors", stats->read_errors);
	add_counter(text, "writes", stats->writes);
	add_counter(text, "pages_written", stats->pages_written);
	add_counter(text, "write_errors", stats->write_errors);
	add_counter(text, "pages_written_for_room", stats->written_for_room);
	add_counter(text, "syncs", stats->syncs);
	add_counter(text, "evictions", stats->evictions);
	add_counter(text, "ghost_hits", stats->ghost_hits);
	add_counter(text, "waits", stats->waits);
	add_counter(text, "writes_held_back", stats->held_back);
	add_counter(text, "area_batches", stats->area_batches);
	add_counter(text, "area_mended_pages", stats->area_mended);
	add_counter(text, "faults", stats->faults);
	add_counter(text, "pages_read_ahead", stats->read_ahead);
	add_counter(text, "pages_saved", stats->pages_saved);
}

/* Only where pages are put aside. */
static void add_aside(struct text *text, const struct vms_pool_stats *stats)
{
	if (!stats->swap_ram)
		return;
	add_gauge(text, "swap_ram_limit_bytes", stats->swap_ram);
	add_gauge(text, "swap_ram_used_bytes", stats->swap_used);
	add_gauge(text, "swap_file_bytes", stats->swap_file);
	add_gauge(text, "aside_pages", stats->aside);
	add_gauge(text, "aside_zero_pages", stats->aside_zero);
	add_gauge(text, "aside_kept_bytes", stats->aside_bytes);
	add_counter(text, "pages_put_aside", stats->pages_aside);
	add_counter(text, "pages_put_aside_raw", stats->pages_aside_raw);
}

static void add_times(struct text *text, const struct vms_pool_stats *stats)
{
	uint64_t count = 0;

	add(text, "# TYPE vmspace_pool_miss_seconds histogram\n"
		  "# UNIT vmspace_pool_miss_seconds seconds\n");
	for (unsigned i = 0; i < VMS_POOL_TIMES - 1; i++) {
		count += stats->miss_times[i];
		add(text, "vmspace_pool_miss_seconds_bucket{%s,le=\"%u.%06u\"} %" PRIu64 "\n",
		    text->labels, (1u << i) / 1000000, (1u << i) % 1000000, count);
	}
	count += stats->miss_times[VMS_POOL_TIMES - 1];
	add(text, "vmspace_pool_miss_seconds_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n",
	    text->labels, count);
	add(text, "vmspace_pool_miss_seconds_count{%s} %" PRIu64 "\n", text->labels, count);
	add(text, "vmspace_pool_miss_seconds_sum{%s} %" PRIu64 ".%09" PRIu64 "\n",
	    text->labels, stats->miss_nanoseconds / 1000000000, stats->miss_nanoseconds % 1000000000);
}

/* Of what a name may have, only a quote has to be escaped in the value of a label. */
static void label(struct text *text, const struct vms_pool *pool)
{
	size_t length = (size_t)snprintf(text->labels, sizeof(text->labels),
					 "pool=\"%" PRIu64 "\",name=\"", pool->number);

	for (const char *at = pool->name; *at; at++) {
		if (*at == '"')
			text->labels[length++] = '\\';
		text->labels[length++] = *at;
	}
	text->labels[length++] = '"';
	text->labels[length] = 0;
}

ssize_t vms_pool_metrics(vms_pool *pool, char *bytes, size_t size)
{
	struct vms_pool_stats stats = { .struct_size = sizeof(stats) };
	struct text text = { .bytes = bytes, .size = size };

	if (vms_pool_get_stats(pool, &stats) != 0)
		return -1;
	label(&text, pool);
	add_sizes(&text, &stats);
	add_counts(&text, &stats);
	add_aside(&text, &stats);
	add_times(&text, &stats);
	add(&text, "# EOF\n");
	return (ssize_t)text.length;
}
