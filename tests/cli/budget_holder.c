/* SPDX-License-Identifier: MIT */
/*
 * Makes a shared budget, charges something to it, and holds it until standard
 * input ends.
 *
 * usage: budget_holder NAME LIMIT CHARGE [TOO_MUCH]
 *
 * TOO_MUCH is asked for after that, and must be refused. Prints "ready" and the
 * descriptor's number.
 */
#include <stdio.h>
#include <stdlib.h>

#include <vmspace/budget.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	struct vms_budget_options options = {
		.struct_size = sizeof(options),
		.policy = VMS_COMMIT_STRICT,
		.flags = VMS_BUDGET_SHARED,
	};
	vms_budget *budget;

	if (argc < 4)
		return 2;
	options.name = argv[1];
	options.limit = strtoull(argv[2], NULL, 10);
	budget = vms_budget_open(&options);
	if (!budget)
		return fail("vms_budget_open");
	if (vms_budget_charge(budget, strtoull(argv[3], NULL, 10)))
		return fail("vms_budget_charge");
	if (argc > 4 &&
	    vms_budget_charge(budget, strtoull(argv[4], NULL, 10)) == 0)
		return fail("what is too much was granted");
	printf("ready %d\n", vms_budget_fd(budget));
	fflush(stdout);
	while (getchar() != EOF)
		;
	return vms_budget_close(budget) ? fail("vms_budget_close") : 0;
}
