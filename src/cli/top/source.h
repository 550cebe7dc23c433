/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_SOURCE_H
#define VMSI_CLI_TOP_SOURCE_H

#include "cli/top/model.h"
#include "cli/top/walks.h"

/* What is looked at: the machine, a tree, a group, or one process. */

enum vmsi_top_view {
	VMSI_TOP_VIEW_MACHINE,
	VMSI_TOP_VIEW_TREE,
	VMSI_TOP_VIEW_GROUP,
	VMSI_TOP_VIEW_PROCESS,
};

/* The words for them, in JSON. */
extern const char *const vmsi_top_views[];

struct vmsi_top_target {
	enum vmsi_top_view view;
	pid_t pid;         /* of a tree or a process */
	const char *group; /* its name, the number of its first process, or of a control
			    * group the path */
	enum vmsi_top_walks walks; /* VMSI_TOP_WALKS_ALL: the figures of pages, too */
};

struct vmsi_top_source;

/*
 * Open what is to be read, and set the scope of a model to it. Returns NULL after an
 * error message.
 */
struct vmsi_top_source *vmsi_top_source_open(const struct vmsi_top_target *target,
					     struct vmsi_top_model *model);

/* Read it, and have the model take it and make its lines. Returns 0 or -errno. */
int vmsi_top_source_read(struct vmsi_top_source *source, struct vmsi_top_model *model);
/* Write an error message about what it returned. */
void vmsi_top_source_explain(const struct vmsi_top_source *source, int error);

/* What it is called: any bytes but 0. */
const char *vmsi_top_source_title(const struct vmsi_top_source *source);

void vmsi_top_source_close(struct vmsi_top_source *source);

#endif
