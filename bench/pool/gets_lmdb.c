/* SPDX-License-Identifier: MIT */
#include "gets.h"

#include <lmdb.h>

/* LMDB with integer keys; a thread has one reading transaction for all its gets. */

static MDB_env *environment;
static MDB_dbi database;
static _Thread_local MDB_txn *reader;

static void check(int error)
{
	if (error)
		gets_fail(mdb_strerror(error));
}

static void open_environment(const char *directory, uint64_t count, unsigned flags)
{
	char path[4096];

	gets_path(path, sizeof(path), directory, "lmdb");
	check(mdb_env_create(&environment));
	check(mdb_env_set_mapsize(environment, count * 64 + (64u << 20)));
	check(mdb_env_open(environment, path, MDB_NOSUBDIR | flags, 0600));
}

static void make(const char *directory, uint64_t count)
{
	MDB_txn *transaction;

	open_environment(directory, count, MDB_NOSYNC);
	check(mdb_txn_begin(environment, NULL, 0, &transaction));
	check(mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &database));
	for (uint64_t key = 0; key < count; key++) {
		uint64_t value = gets_value(key);
		MDB_val stored = { sizeof(value), &value };

		check(mdb_put(transaction, database, &(MDB_val){ sizeof(key), &key },
			      &stored, MDB_APPEND));
	}
	check(mdb_txn_commit(transaction));
	check(mdb_env_sync(environment, 1));
	mdb_env_close(environment);
}

static void open_lmdb(const char *directory, uint64_t count, size_t ram)
{
	MDB_txn *transaction;

	(void)ram;
	open_environment(directory, count, MDB_RDONLY | MDB_NORDAHEAD);
	check(mdb_txn_begin(environment, NULL, MDB_RDONLY, &transaction));
	check(mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &database));
	mdb_txn_abort(transaction);
}

static uint64_t get(uint64_t key)
{
	MDB_val value;

	if (!reader)
		check(mdb_txn_begin(environment, NULL, MDB_RDONLY, &reader));
	check(mdb_get(reader, database, &(MDB_val){ sizeof(key), &key }, &value));
	return *(const uint64_t *)value.mv_data;
}

static void close_lmdb(void)
{
	if (reader)
		mdb_txn_abort(reader);
	reader = NULL;
	mdb_env_close(environment);
}

const struct contender gets_lmdb = { "LMDB", false, make, open_lmdb, get, close_lmdb };
