/* SPDX-License-Identifier: MIT */
#include "cli/report/page.h"

#include <errno.h>
#include <sys/mman.h>

#include "cli/report/page_columns.h"
#include "cli/report/page_data.h"
#include "cli/report/page_parts.h"
#include "cli/report/page_tables.h"

/* --- what is written, by number ------------------------------------------ */

static const struct vmsi_recorded_event *event_of(const struct vmsi_page_data *page,
						  uint32_t number)
{
	return &page->recording->events[number];
}

static uint64_t time_value(const void *context, size_t i)
{
	return ((const struct vmsi_page_data *)context)->times[i];
}

static uint64_t start_value(const void *context, size_t i)
{
	return ((const struct vmsi_page_data *)context)->starts[i];
}

#define LIFE_COLUMN(name, expression) \
	static uint64_t life_##name(const void *context, size_t i) \
	{ \
		const struct vmsi_page_data *page = context; \
		const struct vmsi_life *life = &page->lives.list[i]; \
\
		return (uint64_t)(expression); \
	}

/* What src/cli/report/page/data.js takes apart. */
static uint64_t flags_of(const struct vmsi_page_data *page, const struct vmsi_life *life)
{
	const struct vmsi_recorded_event *event = event_of(page, life->event);

	return life->is_part | (uint64_t)event->has_pages << 1 |
		(uint64_t)event->is_shared << 2 |
		((event->prot & PROT_READ) ? 8U : 0U) |
		((event->prot & PROT_WRITE) ? 16U : 0U) |
		((event->prot & PROT_EXEC) ? 32U : 0U);
}

LIFE_COLUMN(begin, ((void)life, page->begins[i]))
LIFE_COLUMN(span, ((void)life, page->spans[i]))
LIFE_COLUMN(place, ((void)life, page->places[i]))
LIFE_COLUMN(owner, life->owner)
LIFE_COLUMN(size, life->stop - life->start)
LIFE_COLUMN(commit, life->commit)
LIFE_COLUMN(resident, life->anonymous + life->file)
LIFE_COLUMN(file, life->file)
LIFE_COLUMN(swapped, life->swapped)
LIFE_COLUMN(flags, flags_of(page, life))

#define CHANGE_COLUMN(name, expression) \
	static uint64_t change_##name(const void *context, size_t i) \
	{ \
		const struct vmsi_page_data *page = context; \
		const struct vmsi_change *change = &page->lives.changes[i]; \
		const struct vmsi_recorded_event *event = \
			event_of(page, change->event); \
\
		(void)event; \
		return (uint64_t)(expression); \
	}

/* One more than the number, and 0 for nobody. */
static uint64_t or_none(uint32_t number)
{
	return number == VMSI_NOBODY ? 0 : (uint64_t)number + 1;
}

CHANGE_COLUMN(time, change->time)
CHANGE_COLUMN(kind, change->kind)
CHANGE_COLUMN(process, or_none(change->process))
CHANGE_COLUMN(owner, or_none(change->owner))
CHANGE_COLUMN(stack, or_none(event->stack))
CHANGE_COLUMN(call, vmsi_page_call_number(page, event->call))
CHANGE_COLUMN(error, event->error)
CHANGE_COLUMN(count, event->count)
CHANGE_COLUMN(start, change->start)
CHANGE_COLUMN(range, change->stop - change->start)
CHANGE_COLUMN(from, change->from)
CHANGE_COLUMN(size, change->size)
CHANGE_COLUMN(commit, change->commit)

#define POINT_COLUMN(of, field) \
	static uint64_t of##_##field(const void *context, size_t i) \
	{ \
		const struct vmsi_page_data *page = context; \
\
		return event_of(page, page->of##s[i])->field; \
	}

POINT_COLUMN(limit, time)
POINT_COLUMN(limit, commit)
POINT_COLUMN(limit, size)
POINT_COLUMN(machine, time)
POINT_COLUMN(machine, commit)
POINT_COLUMN(machine, size)
POINT_COLUMN(machine, file)

/* --- the page -------------------------------------------------------------- */

/* Which table a column belongs to. */
enum of { OF_TIMES, OF_STARTS, OF_LIVES, OF_CHANGES, OF_LIMITS, OF_MACHINE };

/* RISING: each is written as what it is more than the one before. */
enum form { NUMBERS, RISING, PAGES, RISING_PAGES, SIGNED_PAGES };

static const struct {
	const char *name;
	enum of of;
	enum form form;
	uint64_t (*value)(const void *context, size_t index);
} columns[] = {
	{ "times", OF_TIMES, RISING, time_value },
	{ "starts", OF_STARTS, RISING_PAGES, start_value },
	{ "life-begin", OF_LIVES, RISING, life_begin },
	{ "life-span", OF_LIVES, NUMBERS, life_span },
	{ "life-place", OF_LIVES, NUMBERS, life_place },
	{ "life-owner", OF_LIVES, NUMBERS, life_owner },
	{ "life-size", OF_LIVES, PAGES, life_size },
	{ "life-commit", OF_LIVES, PAGES, life_commit },
	{ "life-resident", OF_LIVES, PAGES, life_resident },
	{ "life-file", OF_LIVES, PAGES, life_file },
	{ "life-swapped", OF_LIVES, PAGES, life_swapped },
	{ "life-flags", OF_LIVES, NUMBERS, life_flags },
	{ "change-time", OF_CHANGES, RISING, change_time },
	{ "change-kind", OF_CHANGES, NUMBERS, change_kind },
	{ "change-process", OF_CHANGES, NUMBERS, change_process },
	{ "change-owner", OF_CHANGES, NUMBERS, change_owner },
	{ "change-stack", OF_CHANGES, NUMBERS, change_stack },
	{ "change-call", OF_CHANGES, NUMBERS, change_call },
	{ "change-error", OF_CHANGES, NUMBERS, change_error },
	{ "change-count", OF_CHANGES, NUMBERS, change_count },
	{ "change-start", OF_CHANGES, PAGES, change_start },
	{ "change-range", OF_CHANGES, PAGES, change_range },
	{ "change-from", OF_CHANGES, PAGES, change_from },
	{ "change-size", OF_CHANGES, SIGNED_PAGES, change_size },
	{ "change-commit", OF_CHANGES, SIGNED_PAGES, change_commit },
	{ "limit-time", OF_LIMITS, NUMBERS, limit_time },
	{ "limit-commit", OF_LIMITS, PAGES, limit_commit },
	{ "limit-size", OF_LIMITS, PAGES, limit_size },
	{ "machine-time", OF_MACHINE, NUMBERS, machine_time },
	{ "machine-commit", OF_MACHINE, PAGES, machine_commit },
	{ "machine-size", OF_MACHINE, PAGES, machine_size },
	{ "machine-file", OF_MACHINE, PAGES, machine_file },
};

static void write_columns(FILE *stream, const struct vmsi_page_data *page)
{
	const size_t counts[] = {
		[OF_TIMES] = page->time_count,
		[OF_STARTS] = page->start_count,
		[OF_LIVES] = page->lives.count,
		[OF_CHANGES] = page->lives.change_count,
		[OF_LIMITS] = page->limit_count,
		[OF_MACHINE] = page->machine_count,
	};
	uint64_t page_size = page->recording->page_size;

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		enum form form = columns[i].form;
		bool is_pages = form >= PAGES && page_size > 0;

		vmsi_page_column_write(stream, &(struct vmsi_page_column){
			.name = columns[i].name,
			.count = counts[columns[i].of],
			.scale = is_pages ? page_size : 1,
			.is_signed = form == SIGNED_PAGES,
			.is_rising = form == RISING || form == RISING_PAGES,
			.value = columns[i].value,
			.context = page,
		});
	}
}

static int write_page(FILE *stream, const struct vmsi_page_data *page)
{
	int result;

	fwrite(vmsi_page_before, 1, vmsi_page_before_size, stream);
	result = vmsi_page_tables_write(stream, page->recording, &page->calls);
	if (result < 0)
		return result;
	write_columns(stream, page);
	fwrite(vmsi_page_behind, 1, vmsi_page_behind_size, stream);
	return 0;
}

int vmsi_page_write(FILE *stream, const struct vmsi_recording *recording)
{
	struct vmsi_page_data page;
	int result = vmsi_page_data_gather(&page, recording);

	errno = 0;
	if (result == 0)
		result = write_page(stream, &page);
	if (result == 0 && (fflush(stream) != 0 || ferror(stream)))
		result = errno ? -errno : -EIO;
	vmsi_page_data_free(&page);
	return result;
}
