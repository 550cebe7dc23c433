/* SPDX-License-Identifier: MIT */
#include "group/state.h"

#include <string.h>

/*
 * Forks that were let through, of children that have not been seen yet: what
 * each copies is of the group's sum until its child is known.
 */

static struct vmsi_breaks breaks_of(struct vms_group *group, pid_t pid)
{
	struct vmsi_process *process = vmsi_process_find(group, pid);

	return process ? vmsi_process_counter(group, process)->breaks :
			 (struct vmsi_breaks){ .count = 0 };
}

void vmsi_unborn_add(struct vms_group *group, pid_t parent, pid_t thread,
		     size_t bytes, size_t credit)
{
	struct vmsi_unborn *all =
		vmsi_with_room(group->unborn, group->unborn_count,
			       &group->unborn_room, sizeof *all);

	if (!all)
		return;
	group->unborn = all;
	group->unborn_bytes += bytes;
	group->committed += bytes;
	all[group->unborn_count++] =
		(struct vmsi_unborn){ parent, thread, bytes, credit, false,
				      breaks_of(group, parent) };
}

static struct vmsi_unborn remove_unborn(struct vms_group *group, size_t i)
{
	struct vmsi_unborn removed = group->unborn[i];

	group->unborn_count--;
	memmove(&group->unborn[i], &group->unborn[i + 1],
		(group->unborn_count - i) * sizeof removed);
	group->unborn_bytes -= removed.bytes;
	group->committed -= removed.bytes;
	return removed;
}

/* Whether one is nearer to what is needed, and enough if any is. */
static bool is_better(const struct vmsi_unborn *one,
		      const struct vmsi_unborn *other, size_t needed)
{
	const size_t bytes = one->bytes + one->credit;
	const size_t others = other->bytes + other->credit;

	if ((bytes >= needed) != (others >= needed))
		return bytes >= needed;
	return bytes >= needed ? bytes < others : bytes > others;
}

/*
 * Which fork of its parent's a child is of is not told. It takes the least that
 * is enough, so that what remains is enough for the others; and one that is
 * known to be made, so that those that may be under way are waited for.
 */
struct vmsi_unborn vmsi_unborn_take(struct vms_group *group, pid_t parent,
				    size_t needed)
{
	struct vmsi_unborn *fitting = NULL, *made = NULL, taken;

	for (size_t i = 0; i < group->unborn_count; i++) {
		struct vmsi_unborn *unborn = &group->unborn[i];

		if (unborn->parent != parent)
			continue;
		if (!fitting || is_better(unborn, fitting, needed))
			fitting = unborn;
		if (!made || (unborn->born && !made->born))
			made = unborn;
	}
	if (!fitting)
		return (struct vmsi_unborn){ .parent = 0 };
	taken = *fitting;
	fitting->bytes = made->bytes;
	fitting->credit = made->credit;
	made->bytes = taken.bytes;
	made->credit = taken.credit;
	return remove_unborn(group, (size_t)(made - group->unborn));
}

void vmsi_unborn_drop(struct vms_group *group, pid_t thread)
{
	for (size_t i = group->unborn_count; i-- > 0;)
		if (group->unborn[i].thread == thread &&
		    !group->unborn[i].born) {
			(void)remove_unborn(group, i);
			return;
		}
}

/* Who counts what forks under way may copy; NULL: none copies, or for free. */
static const struct vmsi_process *copied_counter(struct vms_group *group,
						 struct vmsi_process *process)
{
	return group->unborn_count == 0 ||
		(group->options.flags & VMS_GROUP_FORK_FREE) ? NULL :
		vmsi_process_counter(group, process);
}

/* Whether a fork copies what is mapped from now on. */
static bool may_copy(struct vms_group *group, const struct vmsi_unborn *unborn,
		     const struct vmsi_process *counter)
{
	struct vmsi_process *parent = unborn->born || !counter ? NULL :
		vmsi_process_find(group, unborn->parent);

	return parent && vmsi_process_counter(group, parent) == counter;
}

size_t vmsi_unborn_with(struct vms_group *group, struct vmsi_process *process,
			size_t bytes)
{
	const struct vmsi_process *counter = copied_counter(group, process);
	size_t copies = 1;

	for (size_t i = 0; i < group->unborn_count; i++)
		copies += may_copy(group, &group->unborn[i], counter);
	return bytes > SIZE_MAX / copies ? SIZE_MAX : bytes * copies;
}

void vmsi_unborn_grow(struct vms_group *group, struct vmsi_process *process,
		      size_t bytes)
{
	const struct vmsi_process *counter = copied_counter(group, process);

	for (size_t i = 0; i < group->unborn_count; i++) {
		if (!may_copy(group, &group->unborn[i], counter))
			continue;
		group->unborn[i].bytes += bytes;
		group->unborn_bytes += bytes;
		group->committed += bytes;
	}
}

void vmsi_unborn_note_made(struct vms_group *group, pid_t thread)
{
	for (size_t i = 0; i < group->unborn_count; i++)
		if (group->unborn[i].thread == thread)
			group->unborn[i].born = true;
}

static bool is_born(struct vms_group *group, const struct vmsi_unborn *unborn)
{
	struct vmsi_process *parent = vmsi_process_find(group, unborn->parent);

	if (!parent)
		return true;
	(void)vmsi_granted_check(parent);
	return !vmsi_granted_has(parent, unborn->thread);
}

/* In this order: what was made has a child that is found, or had one. */
void vmsi_unborn_settle(struct vms_group *group)
{
	for (size_t i = 0; i < group->unborn_count; i++)
		if (!group->unborn[i].born)
			group->unborn[i].born =
				is_born(group, &group->unborn[i]);
	vmsi_tree_discover(group);
	for (size_t i = group->unborn_count; i-- > 0;)
		if (group->unborn[i].born)
			(void)remove_unborn(group, i);
}
