/* SPDX-License-Identifier: MIT */
#include "contender.h"

#include <lmdb.h>
#include <string.h>
#include <unistd.h>

/* LMDB with its default sync: records of nearly a page, each on a page of its own. */

#define RECORD_BYTES (PAGE_BYTES - 96)
#define RECORDS_A_TRANSACTION 4096

static MDB_env *environment;
static MDB_dbi database;

static void check(int error)
{
	if (error)
		bench_fail(mdb_strerror(error));
}

static void put(MDB_txn *transaction, uint32_t page, uint64_t stamp,
		unsigned flags)
{
	char record[RECORD_BYTES];
	MDB_val key = { sizeof(page), &page };
	MDB_val value = { sizeof(record), record };

	memset(record, (int)stamp, sizeof(record));
	check(mdb_put(transaction, database, &key, &value, flags));
}

static void make(const char *directory, size_t pages)
{
	MDB_txn *transaction;

	check(mdb_env_create(&environment));
	check(mdb_env_set_mapsize(environment, 3 * pages * PAGE_BYTES));
	check(mdb_env_open(environment, bench_path(directory, "lmdb"),
			   MDB_NOSUBDIR, 0600));
	check(mdb_txn_begin(environment, NULL, 0, &transaction));
	check(mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &database));
	for (uint32_t i = 0; i < pages; i++) {
		put(transaction, i, 0, MDB_APPEND);
		if (i % RECORDS_A_TRANSACTION == RECORDS_A_TRANSACTION - 1) {
			check(mdb_txn_commit(transaction));
			check(mdb_txn_begin(environment, NULL, 0, &transaction));
		}
	}
	check(mdb_txn_commit(transaction));
}

static void *join(void)
{
	return environment;
}

static void leave(void *thread)
{
	(void)thread;
}

static void commit(void *thread, const uint32_t *pages, size_t count,
		   uint64_t stamp)
{
	MDB_txn *transaction;

	check(mdb_txn_begin(thread, NULL, 0, &transaction));
	for (size_t i = 0; i < count; i++)
		put(transaction, pages[i], stamp, 0);
	check(mdb_txn_commit(transaction));
}

static void drop(const char *directory)
{
	mdb_env_close(environment);
	unlink(bench_path(directory, "lmdb"));
	unlink(bench_path(directory, "lmdb-lock"));
}

const struct contender contender_lmdb = {
	"LMDB", make, join, leave, commit, drop,
};
