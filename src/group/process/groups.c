/* SPDX-License-Identifier: MIT */
#include "group/process/group.h"

#include <pthread.h>

/* The groups of this supervisor. The lock is held for nothing else. */
static pthread_mutex_t groups_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vms_group *groups;

void vmsi_group_enlist(struct vms_group *group)
{
	pthread_mutex_lock(&groups_lock);
	group->members.next = groups;
	groups = group;
	pthread_mutex_unlock(&groups_lock);
}

void vmsi_group_delist(struct vms_group *group)
{
	struct vms_group **link = &groups;

	pthread_mutex_lock(&groups_lock);
	while (*link && *link != group)
		link = &(*link)->members.next;
	if (*link)
		*link = group->members.next;
	pthread_mutex_unlock(&groups_lock);
}

bool vmsi_group_is_first(pid_t pid)
{
	const struct vms_group *group;

	pthread_mutex_lock(&groups_lock);
	group = groups;
	while (group && group->members.first != pid)
		group = group->members.next;
	pthread_mutex_unlock(&groups_lock);
	return group != NULL;
}
