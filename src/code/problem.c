/* SPDX-License-Identifier: MIT */
#include "code/problem.h"

#include "code/code.h"

static _Thread_local const char *latest;

void vmsi_code_note_problem(const char *text)
{
	latest = text;
}

const char *vms_code_problem(const vms_code *code)
{
	const char *text = code ? code->problem : latest;

	return text ? text : "";
}
