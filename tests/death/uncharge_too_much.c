/* SPDX-License-Identifier: MIT */
#include "commit/commit.h"
#include "death.h"

int main(void)
{
	struct vmsi_ledger ledger;

	vmsi_ledger_init(&ledger, 8192, VMS_COMMIT_STRICT);
	must(vmsi_ledger_charge(&ledger, 4096, 0), "charge");
	vmsi_ledger_uncharge(&ledger, 4096);
	must(vmsi_ledger_charge(&ledger, 4096, 0), "charge");
	misuse();
	vmsi_ledger_uncharge(&ledger, 4097);
	return 0;
}
