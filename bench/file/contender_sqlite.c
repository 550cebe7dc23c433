/* SPDX-License-Identifier: MIT */
#include "contender.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* SQLite with a write-ahead log and synchronous=FULL: rows of nearly a page. */

#define ROW_BYTES (PAGE_BYTES - 96)

struct connection {
	sqlite3 *database;
	sqlite3_stmt *begin, *update, *commit;
};

static char *database_path;

static void check(sqlite3 *database, int result)
{
	if (result != SQLITE_OK && result != SQLITE_DONE)
		bench_fail(sqlite3_errmsg(database));
}

static void execute(sqlite3 *database, const char *statement)
{
	check(database, sqlite3_exec(database, statement, NULL, NULL, NULL));
}

static sqlite3 *open_database(void)
{
	sqlite3 *database;

	check(NULL, sqlite3_open(database_path, &database));
	check(database, sqlite3_busy_timeout(database, 60000));
	execute(database, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL;"
		"PRAGMA synchronous=FULL; PRAGMA cache_size=-65536");
	return database;
}

static void run(sqlite3 *database, sqlite3_stmt *statement)
{
	check(database, sqlite3_step(statement));
	check(database, sqlite3_reset(statement));
}

static void make(const char *directory, size_t pages)
{
	char row[ROW_BYTES];
	sqlite3 *database;
	sqlite3_stmt *insert;

	database_path = strdup(bench_path(directory, "sqlite"));
	database = open_database();
	execute(database, "CREATE TABLE pages(id INTEGER PRIMARY KEY, data BLOB);"
		"BEGIN");
	check(database, sqlite3_prepare_v2(
		      database, "INSERT INTO pages VALUES(?, ?)", -1, &insert,
		      NULL));
	memset(row, 0, sizeof(row));
	for (size_t i = 0; i < pages; i++) {
		sqlite3_bind_int64(insert, 1, (sqlite3_int64)i);
		sqlite3_bind_blob(insert, 2, row, sizeof(row), SQLITE_STATIC);
		run(database, insert);
	}
	sqlite3_finalize(insert);
	execute(database, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
	sqlite3_close(database);
}

static void *join(void)
{
	struct connection *connection = malloc(sizeof(*connection));
	sqlite3 *database = open_database();

	if (!connection)
		bench_fail("malloc");
	connection->database = database;
	check(database, sqlite3_prepare_v2(database, "BEGIN IMMEDIATE", -1,
					   &connection->begin, NULL));
	check(database, sqlite3_prepare_v2(
		      database, "UPDATE pages SET data=? WHERE id=?", -1,
		      &connection->update, NULL));
	check(database, sqlite3_prepare_v2(database, "COMMIT", -1,
					   &connection->commit, NULL));
	return connection;
}

static void leave(void *thread)
{
	struct connection *connection = thread;

	sqlite3_finalize(connection->begin);
	sqlite3_finalize(connection->update);
	sqlite3_finalize(connection->commit);
	sqlite3_close(connection->database);
	free(connection);
}

static void commit(void *thread, const uint32_t *pages, size_t count,
		   uint64_t stamp)
{
	struct connection *connection = thread;
	char row[ROW_BYTES];

	memset(row, (int)stamp, sizeof(row));
	run(connection->database, connection->begin);
	for (size_t i = 0; i < count; i++) {
		sqlite3_bind_blob(connection->update, 1, row, sizeof(row),
				  SQLITE_STATIC);
		sqlite3_bind_int64(connection->update, 2, pages[i]);
		run(connection->database, connection->update);
	}
	run(connection->database, connection->commit);
}

static void drop(const char *directory)
{
	unlink(bench_path(directory, "sqlite"));
	unlink(bench_path(directory, "sqlite-wal"));
	unlink(bench_path(directory, "sqlite-shm"));
	free(database_path);
}

const struct contender contender_sqlite = {
	"SQLite", make, join, leave, commit, drop,
};
