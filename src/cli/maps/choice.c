/* SPDX-License-Identifier: MIT */
#include "cli/maps/maps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than names have that are given: the kernel's limit is 80, and the table's 104. */
#define SHOWN_BYTES 256

/*
 * Whether a text matches a pattern, of which * stands for any text and ? for any
 * byte. Brackets stand for themselves, since many names have them.
 */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			/* The star stands for one more byte. */
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

/* A pattern is that of a whole path, or of the name of a file wherever it is. */
static bool fits(const char *filter, const char *text)
{
	const char *const slash = strrchr(text, '/');

	if (!strpbrk(filter, "*?"))
		return strstr(text, filter) != NULL;
	return matches(filter, text) || (slash && matches(filter, slash + 1));
}

/* The text has the kind of such an owner in front of its name, and is copied from. */
static bool fits_shown(const char *filter, const struct vmsi_owner *owner)
{
	char shown[SHOWN_BYTES];

	if (owner->kind != VMSI_OWNER_NAMED && !vmsi_owner_is_told(owner->kind))
		return false;
	snprintf(shown, sizeof(shown), "[%s:%s]", owner->kind == VMSI_OWNER_NAMED ?
		 "anon" : vmsi_owner_kinds[owner->kind], owner->name->text);
	return fits(filter, shown);
}

bool vmsi_maps_shows(const struct vmsi_maps_view *view,
		     const struct vmsi_owner *owner)
{
	const char *const filter = view->filter;

	if (!filter)
		return true;
	if (strcmp(filter, vmsi_owner_kinds[owner->kind]) == 0)
		return true;
	return fits(filter, owner->name->text) || fits_shown(filter, owner);
}

static int compare_names(const struct vmsi_owner *a, const struct vmsi_owner *b)
{
	const int order = strcmp(a->name->text, b->name->text);

	return order ? order : (int)a->kind - (int)b->kind;
}

/* What rows are sorted by: in a difference, however much it has changed. */
static uint64_t magnitude(const struct vmsi_maps_view *view,
			  const struct vmsi_figures *figures)
{
	const uint64_t figure = figures->of[view->sort];

	return view->is_difference && (int64_t)figure < 0 ? 0 - figure : figure;
}

int vmsi_maps_compare(const struct vmsi_maps_view *view, const struct vmsi_figures *a,
		      const struct vmsi_figures *b)
{
	const uint64_t x = magnitude(view, a), y = magnitude(view, b);

	return (x > y) - (x < y);
}

static int compare(const void *left, const void *right, void *context)
{
	const struct vmsi_owner *a = *(const struct vmsi_owner *const *)left;
	const struct vmsi_owner *b = *(const struct vmsi_owner *const *)right;
	const struct vmsi_maps_view *view = context;
	int order = view->sort < VMSI_COLUMNS ?
		vmsi_maps_compare(view, &a->figures, &b->figures) : compare_names(a, b);

	if (order)
		return view->is_ascending ? order : -order;
	/* The larger one first. */
	order = (a->figures.of[VMSI_SIZE] < b->figures.of[VMSI_SIZE]) -
		(a->figures.of[VMSI_SIZE] > b->figures.of[VMSI_SIZE]);
	return order ? order : compare_names(a, b);
}

/*
 * Whether there is something to show: not of one whose mappings all turned out to be
 * another's, nor in a difference of one that is as before.
 */
static bool has_something(const struct vmsi_maps_view *view,
			  const struct vmsi_figures *figures)
{
	/* What begins within a mapping that is another's, too, counts none. */
	if (!view->is_difference)
		return figures->of[VMSI_MAPPINGS] || figures->of[VMSI_SIZE] ||
			figures->of[VMSI_RESERVED];
	for (size_t i = 0; i < view->column_count; i++)
		if (figures->of[view->columns[i]])
			return true;
	return false;
}

static void take_owners(const struct vmsi_maps_view *view,
			const struct vmsi_owners *all,
			struct vmsi_maps_choice *choice)
{
	for (size_t i = 0; i < all->count; i++) {
		if (!has_something(view, &all->list[i].figures) ||
		    !vmsi_maps_shows(view, &all->list[i]))
			continue;
		choice->owners[choice->count++] = &all->list[i];
		vmsi_figures_add(&choice->total, &all->list[i].figures);
	}
	qsort_r(choice->owners, choice->count, sizeof(*choice->owners), compare,
		(void *)view);
}

static void order_mappings(const struct vmsi_process *process,
			   struct vmsi_maps_choice *choice)
{
	size_t *const starts = choice->starts;

	for (size_t i = 0; i < process->count; i++)
		starts[process->mappings[i].owner + 1]++;
	for (size_t i = 0; i < process->owners.count; i++)
		starts[i + 1] += starts[i];
	for (size_t i = 0; i < process->count; i++)
		choice->order[starts[process->mappings[i].owner]++] = i;
	/* Each start is now at its owner's end, which is the next one's start. */
	for (size_t i = process->owners.count; i > 0; i--)
		starts[i] = starts[i - 1];
	starts[0] = 0;
}

int vmsi_maps_choose(const struct vmsi_maps_view *view,
		     const struct vmsi_process *process,
		     struct vmsi_maps_choice *choice)
{
	const size_t owners = process->owners.count;

	*choice = (struct vmsi_maps_choice){
		.owners = calloc(owners + 1, sizeof(*choice->owners)),
		.order = calloc(process->count + 1, sizeof(*choice->order)),
		.starts = calloc(owners + 1, sizeof(*choice->starts)),
	};
	if (!choice->owners || !choice->order || !choice->starts) {
		vmsi_maps_free_choice(choice);
		return -ENOMEM;
	}
	take_owners(view, &process->owners, choice);
	order_mappings(process, choice);
	return 0;
}

void vmsi_maps_free_choice(struct vmsi_maps_choice *choice)
{
	free(choice->owners);
	free(choice->order);
	free(choice->starts);
	*choice = (struct vmsi_maps_choice){ 0 };
}
