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

static void open_environment(unsigned flags)
{
	char path[4200];

	gets_path(path, sizeof(path), "lmdb");
	check(mdb_env_create(&environment));
	check(mdb_env_set_mapsize(environment,
				  gets_data.count * (gets_data.value_size + 56) * 2 +
				  (64u << 20)));
	check(mdb_env_open(environment, path, MDB_NOSUBDIR | flags, 0600));
}

static void make(void)
{
	MDB_txn *transaction;

	open_environment(MDB_NOSYNC);
	check(mdb_txn_begin(environment, NULL, 0, &transaction));
	check(mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &database));
	for (uint64_t key = 0; key < gets_data.count; key++) {
		unsigned char value[VALUE_MOST];
		MDB_val stored = { gets_data.value_size, value };

		gets_make_value(key, value);
		check(mdb_put(transaction, database, &(MDB_val){ sizeof(key), &key },
			      &stored, MDB_APPEND));
	}
	check(mdb_txn_commit(transaction));
	check(mdb_env_sync(environment, 1));
	mdb_env_close(environment);
}

static void open_lmdb(size_t ram)
{
	MDB_txn *transaction;

	(void)ram;
	open_environment(MDB_RDONLY | MDB_NORDAHEAD);
	check(mdb_txn_begin(environment, NULL, MDB_RDONLY, &transaction));
	check(mdb_dbi_open(transaction, NULL, MDB_INTEGERKEY, &database));
	mdb_txn_abort(transaction);
}

static void get(uint64_t key, void *value)
{
	MDB_val found;

	if (!reader)
		check(mdb_txn_begin(environment, NULL, MDB_RDONLY, &reader));
	check(mdb_get(reader, database, &(MDB_val){ sizeof(key), &key }, &found));
	memcpy(value, found.mv_data, found.mv_size);
}

static void close_lmdb(void)
{
	if (reader)
		mdb_txn_abort(reader);
	reader = NULL;
	mdb_env_close(environment);
}

const struct contender gets_lmdb = {
	"LMDB", "lmdb", false, false, make, open_lmdb, get, close_lmdb,
};
