/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CODE_PROBLEM_H
#define VMSI_CODE_PROBLEM_H

/* What this thread's latest vms_code_open was refused. text is a constant. */
void vmsi_code_note_problem(const char *text);

#endif
