/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_SCENARIO_H
#define VMSI_TESTS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace.h>

/* The space in which an operation is made. */
#define STAGE_HANDLES 4
#define STAGE_FILE_PAGES 64

struct stage {
	vms_space *space;
	size_t page;            /* bytes */
	size_t huge;            /* bytes of a huge page */
	int file;               /* STAGE_FILE_PAGES of it have a pattern */
	vms_handle handles[STAGE_HANDLES];
	unsigned handle_count;
};

/* What a failing call may change, because Linux's own does. */
enum scenario_failure {
	LEAVES_ALL,        /* everything is as before */
	STOPS_MIDWAY,      /* each page is as before or as after a good run */
	DESTROYS_TARGET,   /* as before, but the target may be unmapped */
};

/* The header names ENOMEM and up to three more errnos for the call. */
#define SCENARIO_ERRNOS 3
#define ANY_ERRNO (-1)

struct scenario {
	const char *name;
	void (*arrange)(struct stage *stage);
	/* The operation. Returns 0, or -1 and errno. */
	int (*act)(struct stage *stage);
	enum scenario_failure failure;
	size_t target, target_end; /* pages, for DESTROYS_TARGET */
	int errnos[SCENARIO_ERRNOS];
	int fails;              /* the errno of a good run; 0: it succeeds */
};

extern const struct scenario map_scenarios[], unmap_scenarios[],
	grow_scenarios[], move_scenarios[], change_scenarios[],
	handle_scenarios[];
extern const size_t map_scenario_count, unmap_scenario_count,
	grow_scenario_count, move_scenario_count, change_scenario_count,
	handle_scenario_count;

#define SCENARIOS(family, ...) \
	const struct scenario family##_scenarios[] = { __VA_ARGS__ }; \
	const size_t family##_scenario_count = \
		sizeof(family##_scenarios) / sizeof(family##_scenarios[0])

/* How the initialiser of a scenario begins. */
#define RUN(scenario_name, arrangement, action) \
	.name = scenario_name, .arrange = arrangement, .act = action

/* --- what scenarios are made of ------------------------------------------------- */

#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)

static inline char *at(const struct stage *stage, size_t page)
{
	return (char *)vms_space_base(stage->space) + page * stage->page;
}

static inline size_t pages(const struct stage *stage, size_t count)
{
	return count * stage->page;
}

/* Map anonymous memory at a page; it must succeed. */
void put(struct stage *stage, size_t page, size_t count, int prot, int flags);

/* Map the stage's file from its page first on. */
void put_file(struct stage *stage, size_t page, size_t count, int prot,
	      int type, size_t first);

/* Write a pattern that is different on every page. */
void fill(struct stage *stage, size_t page, size_t count);

/* Both of these: private anonymous memory with a pattern. */
void put_filled(struct stage *stage, size_t page, size_t count);

/* Make a handle of a range. */
void hold_range(struct stage *stage, size_t page, size_t count);

/* Turn an answer of mmap into that of a scenario. */
static inline int placed(const void *address)
{
	return address == MAP_FAILED ? -1 : 0;
}

#endif
