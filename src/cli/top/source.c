/* SPDX-License-Identifier: MIT */
#include "cli/top/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/top/cgroup.h"
#include "cli/top/group.h"
#include "cli/top/machine.h"
#include "cli/top/one.h"

const char *const vmsi_top_views[] = {
	[VMSI_TOP_VIEW_MACHINE] = "machine",
	[VMSI_TOP_VIEW_TREE] = "tree",
	[VMSI_TOP_VIEW_GROUP] = "group",
	[VMSI_TOP_VIEW_PROCESS] = "process",
};

struct vmsi_top_source {
	enum vmsi_top_view view;
	struct vmsi_top_reader *reader; /* of processes; NULL: one is read */
	struct vmsi_top_one one;
	struct vmsi_top_group *group;   /* or NULL */
	struct vmsi_top_cgroup *cgroup; /* or NULL */
	struct vmsi_top_sample sample;
	char title[128];
};

/* --- opening ----------------------------------------------------------------------- */

#ifdef VMSI_WITH_GROUP
static bool open_group(struct vmsi_top_source *source, const char *name,
		       struct vmsi_top_model *model)
{
	pid_t supervisor;

	source->group = vmsi_top_group_open(name, &supervisor);
	if (!source->group)
		return false;
	model->scope = VMSI_TOP_DESCENDANTS;
	model->root = (uint64_t)supervisor;
	snprintf(source->title, sizeof(source->title), "group %s", name);
	return true;
}
#else
static bool open_group(struct vmsi_top_source *source, const char *name,
		       struct vmsi_top_model *model)
{
	(void)source;
	(void)model;
	vmsi_complain(name, "this vmspace was built without libseccomp, and so "
		      "without groups");
	return false;
}
#endif

static bool open_cgroup(struct vmsi_top_source *source, const char *path)
{
	source->cgroup = vmsi_top_cgroup_open(path);
	snprintf(source->title, sizeof(source->title), "group %s", path);
	return source->cgroup != NULL;
}

static void open_tree(struct vmsi_top_source *source, pid_t pid,
		      struct vmsi_top_model *model)
{
	model->scope = VMSI_TOP_TREE;
	model->root = (uint64_t)pid;
	snprintf(source->title, sizeof(source->title), "tree of %d", (int)pid);
}

static void open_process(struct vmsi_top_source *source,
			 const struct vmsi_top_target *target)
{
	source->one = (struct vmsi_top_one){
		.pid = target->pid,
		.pages = target->walks == VMSI_TOP_WALKS_ALL,
	};
	snprintf(source->title, sizeof(source->title), "process %d",
		 (int)target->pid);
}

static bool open_target(struct vmsi_top_source *source,
			const struct vmsi_top_target *target,
			struct vmsi_top_model *model)
{
	snprintf(source->title, sizeof(source->title), "all processes");
	if (target->view == VMSI_TOP_VIEW_PROCESS) {
		open_process(source, target);
		return true;
	}
	/* No other group has a slash in its name. */
	if (target->view == VMSI_TOP_VIEW_GROUP &&
	    !(target->group[0] == '/' ? open_cgroup(source, target->group) :
	      open_group(source, target->group, model)))
		return false;
	if (target->view == VMSI_TOP_VIEW_TREE)
		open_tree(source, target->pid, model);
	source->reader = vmsi_top_reader_open(target->walks);
	if (!source->reader)
		vmsi_complain(source->title, "%s", strerror(ENOMEM));
	return source->reader != NULL;
}

struct vmsi_top_source *vmsi_top_source_open(const struct vmsi_top_target *target,
					     struct vmsi_top_model *model)
{
	struct vmsi_top_source *source = calloc(1, sizeof(*source));

	if (!source) {
		vmsi_complain("top", "%s", strerror(ENOMEM));
		return NULL;
	}
	source->view = target->view;
	if (open_target(source, target, model))
		return source;
	vmsi_top_source_close(source);
	return NULL;
}

/* --- reading ----------------------------------------------------------------------- */

void vmsi_top_source_explain(const struct vmsi_top_source *source, int error)
{
	if (error == -EACCES || error == -EPERM)
		vmsi_complain(source->title, "%s: it is another user's, or "
			      "protected", strerror(-error));
	else if (error == -ESRCH && source->reader)
		vmsi_complain(source->title, "there is no such process, or it has "
			      "no memory");
	else if (error == -ESRCH)
		vmsi_complain(source->title, "has no memory to list: it has ended, "
			      "or is a kernel thread");
	else if (error == -ENOENT)
		vmsi_complain(source->title, "procfs is not mounted on /proc");
	else
		vmsi_complain(source->title, "%s", strerror(-error));
}

static int read_sample(struct vmsi_top_source *source)
{
	int error;

	if (!source->reader)
		return vmsi_top_one_read(&source->one, &source->sample);
	error = vmsi_top_reader_read(source->reader, &source->sample);
	if (!error && source->cgroup) {
		error = vmsi_top_cgroup_keep(source->cgroup, &source->sample);
		vmsi_top_cgroup_read(source->cgroup, &source->sample.limit);
	}
#ifdef VMSI_WITH_GROUP
	if (!error && source->group) {
		vmsi_top_group_keep(source->group, &source->sample);
		vmsi_top_group_read(source->group, &source->sample.limit);
	}
#endif
	return error;
}

/* A name, once it is known. */
static void complete_title(struct vmsi_top_source *source)
{
	if (!source->reader && source->one.process.command[0])
		snprintf(source->title, sizeof(source->title), "process %d %s",
			 (int)source->one.pid, source->one.process.command);
}

/* The tree is that of a process that was there, or nothing is shown. */
static int check_root(const struct vmsi_top_source *source,
		      struct vmsi_top_model *model)
{
	if (source->view != VMSI_TOP_VIEW_TREE)
		return 0;
	if (model->count == 0 && !model->has_root)
		return -ESRCH;
	model->has_ended = model->count == 0;
	return 0;
}

int vmsi_top_source_read(struct vmsi_top_source *source, struct vmsi_top_model *model)
{
	int error = read_sample(source);

	if (!error)
		error = vmsi_top_sift(model, &source->sample);
	if (!error && source->reader)
		error = vmsi_top_reader_walk(source->reader, &source->sample);
	if (!error && source->reader && model->choice.wants_commands)
		error = vmsi_top_reader_commands(source->reader, &source->sample);
	if (!error) {
		complete_title(source);
		error = vmsi_top_take(model, &source->sample);
	}
	if (!error)
		error = check_root(source, model);
	if (!error)
		error = vmsi_top_order(model);
	return error;
}

const char *vmsi_top_source_title(const struct vmsi_top_source *source)
{
	return source->title;
}

void vmsi_top_source_close(struct vmsi_top_source *source)
{
	if (!source)
		return;
	vmsi_top_reader_close(source->reader);
	vmsi_top_one_free(&source->one);
	vmsi_top_cgroup_close(source->cgroup);
#ifdef VMSI_WITH_GROUP
	vmsi_top_group_close(source->group);
#endif
	free(source->sample.list);
	free(source);
}
