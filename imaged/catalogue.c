#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/catalogue.h"
#include "lib/failpoint.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define CATALOGUE_VERSION	    2
#define CATALOGUE_VERSION_ELSEWHERE 3 /* once there is such a layer */
#define CATALOGUE_RESERVE	    (4 * 1024 * 1024)
#define CATALOGUE_SUSPECT	    (-1) /* of checked: 0 is not yet, 1 is */
#define CATALOGUE_DB		    "catalogue.db"
#define CATALOGUE_SPARE		    "spare.db"

struct catalogue {
	sqlite3 *db;
	/* The spare; NULL in itself, or if it could not be written. */
	struct catalogue *spare;
	const char *directory;
	int reserve; /* descriptor of the file; -1 if there is none */
};

#define CATALOGUE_LAYER_TABLE                                                  \
	"CREATE TABLE layer (number INTEGER PRIMARY KEY AUTOINCREMENT,"        \
	" diff_id TEXT NOT NULL, bytes INTEGER NOT NULL,"                      \
	" inodes INTEGER NOT NULL, bad INTEGER NOT NULL DEFAULT 0,"            \
	" checked INTEGER NOT NULL DEFAULT 0) STRICT;"                         \
	"CREATE UNIQUE INDEX layer_diff_id ON layer(diff_id) WHERE bad = 0;"

/* What version 2 added, beside the columns of layer. */
#define CATALOGUE_TABLES_2                                                     \
	"CREATE TABLE kept (image TEXT NOT NULL, layer INTEGER NOT NULL"       \
	" REFERENCES layer(number) ON DELETE CASCADE,"                         \
	" PRIMARY KEY (image, layer)) STRICT, WITHOUT ROWID;"                  \
	"CREATE TABLE boot (id TEXT NOT NULL) STRICT;"                         \
	"CREATE TABLE change (n INTEGER NOT NULL) STRICT;"                     \
	"INSERT INTO change VALUES (0);"                                       \
	"PRAGMA user_version = 2;"

/*
 * user is the config's; positions count from 0, the lowest layer.  change
 * counts transactions: that is how a spare shows that it lags behind.
 */
static const char catalogue_schema[] = CATALOGUE_LAYER_TABLE
    "CREATE TABLE image (id TEXT PRIMARY KEY, user TEXT NOT NULL,"
    " config BLOB NOT NULL) STRICT;"
    "CREATE TABLE manifest (digest TEXT NOT NULL, image TEXT NOT NULL"
    " REFERENCES image(id) ON DELETE CASCADE, body BLOB NOT NULL,"
    " PRIMARY KEY (digest, image)) STRICT;"
    "CREATE TABLE name (name TEXT PRIMARY KEY, image TEXT NOT NULL"
    " REFERENCES image(id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;"
    "CREATE TABLE image_layer (image TEXT NOT NULL"
    " REFERENCES image(id) ON DELETE CASCADE, position INTEGER NOT NULL,"
    " layer INTEGER NOT NULL REFERENCES layer(number),"
    " PRIMARY KEY (image, position)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX manifest_image ON manifest(image);"
    "CREATE INDEX name_image ON name(image);"
    "CREATE INDEX image_layer_layer ON image_layer(layer);" CATALOGUE_TABLES_2;

/*
 * Layers of version 1 have no recipe; numbers go on as they were.  A new spare
 * has seen no change: it lags behind.
 */
static const char catalogue_schema_1_to_2[] =
    "ALTER TABLE layer RENAME TO layer1;" CATALOGUE_LAYER_TABLE
    "INSERT INTO layer (number, diff_id, bytes, inodes, checked)"
    " SELECT number, diff_id, bytes, inodes, 1 FROM layer1;"
    "DELETE FROM sqlite_sequence WHERE name = 'layer';"
    "UPDATE sqlite_sequence SET name = 'layer' WHERE name = 'layer1';"
    "DROP TABLE layer1;" CATALOGUE_TABLES_2 "UPDATE change SET n = 1;";

/*
 * What was found of signatures, by the repository that it was found in.  An
 * older criod knows nothing of it and does no harm.
 */
static const char catalogue_signatures_schema[] =
    "CREATE TABLE IF NOT EXISTS signature (image TEXT NOT NULL"
    " REFERENCES image(id) ON DELETE CASCADE, source TEXT NOT NULL,"
    " body BLOB NOT NULL, PRIMARY KEY (image, source)) STRICT;";

/*
 * Layers of images that are in an additional store, in place of a row of
 * image_layer.  As long as there never was one the version stays what it is,
 * so that an older criod may read the catalogue.
 */
static const char catalogue_elsewhere_schema[] =
    "CREATE TABLE IF NOT EXISTS elsewhere (image TEXT NOT NULL"
    " REFERENCES image(id) ON DELETE CASCADE, position INTEGER NOT NULL,"
    " diff_id TEXT NOT NULL, PRIMARY KEY (image, position))"
    " STRICT, WITHOUT ROWID;";

/*
 * One process, one connection: with the exclusive lock WAL needs no shared
 * memory file.  What is committed is on disk (FULL).
 */
static const char catalogue_pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
					"PRAGMA journal_mode = WAL;"
					"PRAGMA synchronous = FULL;"
					"PRAGMA trusted_schema = OFF;"
					"PRAGMA cell_size_check = ON;"
					"PRAGMA temp_store = MEMORY;"
					"PRAGMA cache_size = -256;"
					"PRAGMA wal_autocheckpoint = 256;";

/* ---- errors ---- */

static enum cerr_code
catalogue_code(sqlite3 *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
	case SQLITE_NOMEM:
		return CERR_RESOURCE_EXHAUSTED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return CERR_DATA_LOSS;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return db != NULL && sqlite3_system_errno(db) == ENOSPC
			   ? CERR_RESOURCE_EXHAUSTED
			   : CERR_INTERNAL;
	default:
		return CERR_INTERNAL;
	}
}

static int
catalogue_fail(sqlite3 *db, int rc, struct cerr *err)
{
	return cerr_set(err, catalogue_code(db, rc), "image catalogue: %s",
	    db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

/* ---- statements ---- */

static int
catalogue_exec(struct catalogue *c, const char *sql, struct cerr *err)
{
	int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : catalogue_fail(c->db, rc, err);
}

static sqlite3_stmt *
catalogue_prepare(struct catalogue *c, const char *sql, struct cerr *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(c->db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		(void)catalogue_fail(c->db, rc, err);
	return st;
}

static int
catalogue_bind_text(sqlite3_stmt *st, int i, const char *s)
{
	return sqlite3_bind_text(st, i, s, -1, SQLITE_STATIC);
}

/* Runs a statement that gives no rows, and frees it; rc is of its binding. */
static int
catalogue_run(struct catalogue *c, sqlite3_stmt *st, int rc, struct cerr *err)
{
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc != SQLITE_DONE)
		(void)catalogue_fail(c->db, rc, err);
	(void)sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

static const char *
catalogue_text(sqlite3_stmt *st, int column)
{
	const unsigned char *s = sqlite3_column_text(st, column);

	return s != NULL ? (const char *)s : "";
}

/* ---- transactions ---- */

static int
catalogue_begin(struct catalogue *c, struct cerr *err)
{
	return catalogue_exec(c, "BEGIN IMMEDIATE; UPDATE change SET n = n + 1",
	    err);
}

/* Ends the transaction as rc says; what is not committed is undone. */
static int
catalogue_end(struct catalogue *c, int rc, struct cerr *err)
{
	if (rc == 0 && failpoint("commit", NULL) == -1)
		rc = cerr_errno(err, "commit");
	if (rc == 0)
		rc = catalogue_exec(c, "COMMIT", err);
	if (rc == 0 && failpoint("commit", "done") == -1)
		rc = cerr_errno(err, "commit");
	if (rc == -1 && !sqlite3_get_autocommit(c->db))
		(void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* ---- opening ---- */

static int
catalogue_number(struct catalogue *c, const char *sql, uint64_t *value,
    struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c, sql, err);
	int rc;

	*value = 0;
	if (st == NULL)
		return -1;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*value = (uint64_t)sqlite3_column_int64(st, 0);
	else if (rc != SQLITE_DONE)
		(void)catalogue_fail(c->db, rc, err);
	(void)sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static int
catalogue_check(struct catalogue *c, struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c, "PRAGMA quick_check(1)", err);
	int rc;
	bool ok;

	if (st == NULL)
		return -1;
	rc = sqlite3_step(st);
	ok = rc == SQLITE_ROW && strcmp(catalogue_text(st, 0), "ok") == 0;
	(void)sqlite3_finalize(st);
	if (ok)
		return 0;
	if (rc != SQLITE_ROW)
		return catalogue_fail(c->db, rc, err);
	return cerr_set(err, CERR_DATA_LOSS, "image catalogue: damaged");
}

static int
catalogue_upgrade(struct catalogue *c, struct cerr *err)
{
	uint64_t version;

	if (catalogue_number(c, "PRAGMA user_version", &version, err) == -1)
		return -1;
	if (version > CATALOGUE_VERSION_ELSEWHERE)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "image catalogue is of version %llu, newer than %d",
		    (unsigned long long)version, CATALOGUE_VERSION_ELSEWHERE);
	if (version >= CATALOGUE_VERSION)
		return catalogue_check(c, err);
	/* A table that is renamed is not to take references with it. */
	if (catalogue_exec(c, "PRAGMA legacy_alter_table = ON; BEGIN IMMEDIATE",
		err) == -1)
		return -1;
	return catalogue_end(c,
	    catalogue_exec(c,
		version == 0 ? catalogue_schema : catalogue_schema_1_to_2, err),
	    err);
}

static void
catalogue_configure(sqlite3 *db)
{
	int on = 1;

	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* The log stays where it is: no inode is needed to write it again. */
	(void)sqlite3_file_control(db, NULL, SQLITE_FCNTL_PERSIST_WAL, &on);
}

static int
catalogue_path(const char *directory, const char *name, const char *suffix,
    char path[PATH_MAX], struct cerr *err)
{
	int n = snprintf(path, PATH_MAX, "%s/%s%s", directory, name, suffix);

	return n < 0 || n >= PATH_MAX
		   ? cerr_set(err, CERR_INTERNAL, "path of the catalogue")
		   : 0;
}

static int
catalogue_open_db(struct catalogue *c, const char *directory, const char *name,
    struct cerr *err)
{
	char path[PATH_MAX];
	int rc;

	if (catalogue_path(directory, name, "", path, err) == -1)
		return -1;
	rc = sqlite3_open_v2(path, &c->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_NOFOLLOW,
	    NULL);
	if (rc != SQLITE_OK)
		return catalogue_fail(c->db, rc, err);
	catalogue_configure(c->db);
	if (catalogue_exec(c, catalogue_pragmas, err) == -1 ||
	    catalogue_upgrade(c, err) == -1)
		return -1;
	if (catalogue_exec(c, catalogue_signatures_schema, err) == -1 ||
	    catalogue_exec(c, catalogue_elsewhere_schema, err) == -1)
		return -1;
	return catalogue_exec(c, "PRAGMA foreign_keys = ON", err);
}

static struct catalogue *
catalogue_open_one(const char *directory, const char *name, struct cerr *err)
{
	struct catalogue *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		(void)cerr_errno(err, "image catalogue");
		return NULL;
	}
	c->reserve = -1;
	c->directory = directory;
	if (catalogue_open_db(c, directory, name, err) == 0)
		return c;
	catalogue_close(c);
	return NULL;
}

static void
catalogue_open_reserve(struct catalogue *c, const char *directory)
{
	char path[PATH_MAX];
	struct cerr err;

	if (catalogue_path(directory, "reserve", "", path, &err) == -1)
		return;
	c->reserve =
	    open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (c->reserve == -1)
		log_warn("%s: %s", path, strerror(errno));
}

/* Of a database and its log, the log first: it is nothing by itself. */
static int
catalogue_rename(const char *directory, const char *from, const char *to,
    struct cerr *err)
{
	static const char *const suffixes[] = { "-wal", "" };
	char old[PATH_MAX], new[PATH_MAX];

	for (size_t i = 0; i < 2; i++) {
		if (catalogue_path(directory, from, suffixes[i], old, err) ==
			-1 ||
		    catalogue_path(directory, to, suffixes[i], new, err) == -1)
			return -1;
		if (rename(old, new) == 0)
			continue;
		if (errno != ENOENT)
			return cerr_errno(err, "%s", old);
		/* What is there belongs to another. */
		if (unlink(new) == -1 && errno != ENOENT)
			return cerr_errno(err, "%s", new);
	}
	return 0;
}

static bool
catalogue_is_there(const char *directory, const char *name)
{
	char path[PATH_MAX];
	struct cerr err;

	return catalogue_path(directory, name, "", path, &err) == 0 &&
	       access(path, F_OK) == 0;
}

/* ---- the spare ---- */

static void
catalogue_drop_spare(struct catalogue *c, const struct cerr *why)
{
	log_warn("spare %s", why->text);
	catalogue_close(c->spare);
	c->spare = NULL;
}

static uint64_t
catalogue_changes(struct catalogue *c)
{
	uint64_t n;
	struct cerr err;

	return catalogue_number(c, "SELECT n FROM change", &n, &err) == 0
		   ? n
		   : UINT64_MAX;
}

static int
catalogue_copy(struct catalogue *c, struct cerr *err)
{
	char path[PATH_MAX];
	sqlite3_stmt *st;

	/* Removes what is there, as nothing is in place of it. */
	if (catalogue_rename(c->directory, "spare.new", CATALOGUE_SPARE, err) ==
		-1 ||
	    catalogue_path(c->directory, CATALOGUE_SPARE, "", path, err) == -1)
		return -1;
	st = catalogue_prepare(c, "VACUUM INTO ?1", err);
	if (st == NULL)
		return -1;
	return catalogue_run(c, st, catalogue_bind_text(st, 1, path), err);
}

/* Opens the spare; makes it anew if it lags behind or is not whole. */
static void
catalogue_open_spare(struct catalogue *c)
{
	struct cerr err;

	c->spare = catalogue_open_one(c->directory, CATALOGUE_SPARE, &err);
	if (c->spare != NULL &&
	    catalogue_changes(c->spare) == catalogue_changes(c))
		return;
	catalogue_close(c->spare);
	c->spare = NULL;
	if (catalogue_copy(c, &err) == 0)
		c->spare =
		    catalogue_open_one(c->directory, CATALOGUE_SPARE, &err);
	if (c->spare == NULL)
		log_warn("spare %s", err.text);
	else /* it may lose the last transactions, but nothing else */
		(void)catalogue_exec(c->spare, "PRAGMA synchronous = NORMAL",
		    &err);
}

static struct catalogue *
catalogue_open_any(const char *directory, struct cerr *err)
{
	struct catalogue *c;

	if (!catalogue_is_there(directory, CATALOGUE_DB) &&
	    catalogue_is_there(directory, CATALOGUE_SPARE)) {
		log_error("image catalogue is gone: using the spare");
		if (catalogue_rename(directory, CATALOGUE_SPARE, CATALOGUE_DB,
			err) == -1)
			return NULL;
	}
	for (int tries = 0; tries < 2; tries++) {
		c = catalogue_open_one(directory, CATALOGUE_DB, err);
		if (c != NULL || err->code != CERR_DATA_LOSS)
			return c;
		log_error("%s: using the spare", err->text);
		if (catalogue_rename(directory, CATALOGUE_DB,
			CATALOGUE_DB ".bad", err) == -1 ||
		    catalogue_rename(directory, CATALOGUE_SPARE, CATALOGUE_DB,
			err) == -1)
			return NULL;
	}
	log_error("there is no good spare: starting with an empty catalogue");
	return catalogue_open_one(directory, CATALOGUE_DB, err);
}

struct catalogue *
catalogue_open(const char *directory, struct cerr *err)
{
	struct catalogue *c = catalogue_open_any(directory, err);

	if (c == NULL)
		return NULL;
	catalogue_open_reserve(c, directory);
	catalogue_reserve(c);
	return c;
}

void
catalogue_close(struct catalogue *c)
{
	if (c == NULL)
		return;
	catalogue_close(c->spare);
	(void)sqlite3_close(c->db);
	fdio_close(&c->reserve);
	free(c);
}

/* ---- the reserve ---- */

void
catalogue_reserve(struct catalogue *c)
{
	if (c->reserve != -1)
		(void)posix_fallocate(c->reserve, 0, CATALOGUE_RESERVE);
	if (c->spare == NULL)
		catalogue_open_spare(c);
}

static int
catalogue_release(struct catalogue *c)
{
	return c->reserve == -1 ? -1 : ftruncate(c->reserve, 0);
}

/* ---- reading ---- */

/* sql is one of this file's own, each row goes to fn. */
static int
catalogue_each(struct catalogue *c, const char *sql,
    const struct catalogue_reader *r,
    void (*fn)(const struct catalogue_reader *r, sqlite3_stmt *st),
    struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c, sql, err);
	int rc;

	if (st == NULL)
		return -1;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		fn(r, st);
	if (rc != SQLITE_DONE)
		(void)catalogue_fail(c->db, rc, err);
	(void)sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

static void
catalogue_row_layer(const struct catalogue_reader *r, sqlite3_stmt *st)
{
	struct catalogue_layer l = { 0 };

	l.number = (uint64_t)sqlite3_column_int64(st, 0);
	(void)snprintf(l.diff_id, sizeof(l.diff_id), "%s",
	    catalogue_text(st, 1));
	l.bytes = (uint64_t)sqlite3_column_int64(st, 2);
	l.inodes = (uint64_t)sqlite3_column_int64(st, 3);
	l.bad = sqlite3_column_int(st, 4) != 0;
	l.suspect = sqlite3_column_int(st, 5) == CATALOGUE_SUSPECT;
	r->layer(r->arg, &l);
}

static void
catalogue_row_image(const struct catalogue_reader *r, sqlite3_stmt *st)
{
	r->image(r->arg, catalogue_text(st, 0), catalogue_text(st, 1),
	    (uint64_t)sqlite3_column_int64(st, 2));
}

static void
catalogue_row_image_layer(const struct catalogue_reader *r, sqlite3_stmt *st)
{
	const char *diff_id = catalogue_text(st, 3);

	r->image_layer(r->arg, catalogue_text(st, 0),
	    (uint64_t)sqlite3_column_int64(st, 2),
	    *diff_id != '\0' ? diff_id : NULL);
}

static void
catalogue_row_kept(const struct catalogue_reader *r, sqlite3_stmt *st)
{
	r->kept(r->arg, catalogue_text(st, 0),
	    (uint64_t)sqlite3_column_int64(st, 1));
}

static void
catalogue_row_name(const struct catalogue_reader *r, sqlite3_stmt *st)
{
	r->name(r->arg, catalogue_text(st, 0), catalogue_text(st, 1));
}

int
catalogue_read(struct catalogue *c, const struct catalogue_reader *r,
    struct cerr *err)
{
	static const struct {
		const char *sql;
		void (*row)(const struct catalogue_reader *r, sqlite3_stmt *st);
	} tables[] = {
		{ "SELECT number, diff_id, bytes, inodes, bad, checked"
		  " FROM layer",
		    catalogue_row_layer },
		{ "SELECT id, user, length(config) FROM image ORDER BY id",
		    catalogue_row_image },
		{ "SELECT image, position, layer, '' FROM image_layer"
		  " UNION ALL"
		  " SELECT image, position, 0, diff_id FROM elsewhere"
		  " ORDER BY 1, 2",
		    catalogue_row_image_layer },
		{ "SELECT image, layer FROM kept", catalogue_row_kept },
		{ "SELECT name, image FROM name ORDER BY name",
		    catalogue_row_name },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (catalogue_each(c, tables[i].sql, r, tables[i].row, err) ==
		    -1)
			return -1;
	}
	return 0;
}

int
catalogue_last_layer(struct catalogue *c, uint64_t *number, struct cerr *err)
{
	return catalogue_number(c,
	    "SELECT seq FROM sqlite_sequence WHERE name = 'layer'", number,
	    err);
}

int
catalogue_config(struct catalogue *c, const char *id, uint8_t **config,
    size_t *len, struct cerr *err)
{
	sqlite3_stmt *st =
	    catalogue_prepare(c, "SELECT config FROM image WHERE id = ?1", err);
	int rc;

	*config = NULL;
	if (st == NULL)
		return -1;
	rc = catalogue_bind_text(st, 1, id);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*len = (size_t)sqlite3_column_bytes(st, 0);
		*config = calloc(1, *len + 1);
		if (*config != NULL && *len > 0)
			memcpy(*config, sqlite3_column_blob(st, 0), *len);
		else if (*config == NULL)
			(void)cerr_errno(err, "image config");
	} else if (rc == SQLITE_DONE) {
		(void)cerr_set(err, CERR_NOT_FOUND, "no image %s", id);
	} else {
		(void)catalogue_fail(c->db, rc, err);
	}
	(void)sqlite3_finalize(st);
	return *config != NULL ? 0 : -1;
}

/* ---- changing ---- */

static int
catalogue_put_layer(struct catalogue *c, const struct catalogue_layer *l,
    struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c,
	    "INSERT INTO layer (number, diff_id, bytes, inodes)"
	    " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (number) DO NOTHING",
	    err);
	int rc;

	if (st == NULL)
		return -1;
	rc = sqlite3_bind_int64(st, 1, (sqlite3_int64)l->number);
	if (rc == SQLITE_OK)
		rc = catalogue_bind_text(st, 2, l->diff_id);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 3, (sqlite3_int64)l->bytes);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 4, (sqlite3_int64)l->inodes);
	return catalogue_run(c, st, rc, err);
}

static int
catalogue_put_image(struct catalogue *c, const struct store_new_image *image,
    const char *user, struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c,
	    "INSERT INTO image (id, user, config) VALUES (?1, ?2, ?3)"
	    " ON CONFLICT (id) DO NOTHING",
	    err);
	int rc;

	if (st == NULL)
		return -1;
	rc = catalogue_bind_text(st, 1, image->id);
	if (rc == SQLITE_OK)
		rc = catalogue_bind_text(st, 2, user);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob64(st, 3, image->config,
		    image->config_len, SQLITE_STATIC);
	return catalogue_run(c, st, rc, err);
}

/* A statement of two texts (?1, ?2) and bytes (?3). */
static int
catalogue_run_bytes(struct catalogue *c, const char *sql, const char *first,
    const char *second, const void *bytes, size_t len, struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c, sql, err);
	int rc;

	if (st == NULL)
		return -1;
	rc = catalogue_bind_text(st, 1, first);
	if (rc == SQLITE_OK)
		rc = catalogue_bind_text(st, 2, second);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob64(st, 3, bytes, len, SQLITE_STATIC);
	return catalogue_run(c, st, rc, err);
}

static int
catalogue_put_manifest(struct catalogue *c, const struct store_new_image *image,
    struct cerr *err)
{
	return catalogue_run_bytes(c,
	    "INSERT INTO manifest (digest, image, body) VALUES (?1, ?2, ?3)"
	    " ON CONFLICT (digest, image) DO NOTHING",
	    image->manifest_digest, image->id, image->manifest,
	    image->manifest_len, err);
}

static int
catalogue_put_name(struct catalogue *c, const char *name, const char *id,
    struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c,
	    "INSERT INTO name (name, image) VALUES (?1, ?2)"
	    " ON CONFLICT (name) DO UPDATE SET image = excluded.image",
	    err);
	int rc;

	if (st == NULL)
		return -1;
	rc = catalogue_bind_text(st, 1, name);
	if (rc == SQLITE_OK)
		rc = catalogue_bind_text(st, 2, id);
	return catalogue_run(c, st, rc, err);
}

/* About image id (?1), its layer at position (?2), and layer (?3). */
static int
catalogue_run_layer(struct catalogue *c, const char *sql, const char *id,
    size_t position, uint64_t layer, struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c, sql, err);
	int rc;

	if (st == NULL)
		return -1;
	rc = catalogue_bind_text(st, 1, id);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 2, (sqlite3_int64)position);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 3, (sqlite3_int64)layer);
	return catalogue_run(c, st, rc, err);
}

/* The layer that another one takes the place of. */
static const char catalogue_keep_layer[] =
    "INSERT INTO kept (image, layer) SELECT image, layer"
    " FROM image_layer WHERE image = ?1 AND position = ?2"
    " AND layer <> ?3 ON CONFLICT DO NOTHING";
static const char catalogue_put_image_layer[] =
    "INSERT INTO image_layer (image, position, layer)"
    " VALUES (?1, ?2, ?3) ON CONFLICT (image, position)"
    " DO UPDATE SET layer = excluded.layer";

static const char catalogue_drop_image_layer[] =
    "DELETE FROM image_layer WHERE image = ?1 AND position = ?2 AND"
    " layer <> ?3";
static const char catalogue_drop_elsewhere[] =
    "DELETE FROM elsewhere WHERE image = ?1 AND position = ?2 AND ?3 >= 0";

static int
catalogue_put_elsewhere(struct catalogue *c, const char *id, size_t position,
    const char *diff_id, struct cerr *err)
{
	sqlite3_stmt *st;
	int rc;

	if (catalogue_exec(c, "PRAGMA user_version = 3", err) == -1 ||
	    catalogue_run_layer(c, catalogue_keep_layer, id, position, 0,
		err) == -1 ||
	    catalogue_run_layer(c, catalogue_drop_image_layer, id, position, 0,
		err) == -1)
		return -1;
	st = catalogue_prepare(c,
	    "INSERT INTO elsewhere (image, position, diff_id)"
	    " VALUES (?1, ?2, ?3) ON CONFLICT (image, position)"
	    " DO UPDATE SET diff_id = excluded.diff_id",
	    err);
	if (st == NULL)
		return -1;
	rc = catalogue_bind_text(st, 1, id);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 2, (sqlite3_int64)position);
	if (rc == SQLITE_OK)
		rc = catalogue_bind_text(st, 3, diff_id);
	return catalogue_run(c, st, rc, err);
}

static int
catalogue_put_own(struct catalogue *c, const char *id, size_t position,
    const struct catalogue_layer *l, struct cerr *err)
{
	if (catalogue_put_layer(c, l, err) == -1 ||
	    catalogue_run_layer(c, catalogue_drop_elsewhere, id, position,
		l->number, err) == -1 ||
	    catalogue_run_layer(c, catalogue_keep_layer, id, position,
		l->number, err) == -1)
		return -1;
	return catalogue_run_layer(c, catalogue_put_image_layer, id, position,
	    l->number, err);
}

static int
catalogue_put_signatures(struct catalogue *c,
    const struct store_new_image *image, struct cerr *err)
{
	return catalogue_run_bytes(c,
	    "INSERT INTO signature (image, source, body) VALUES (?1, ?2, ?3)"
	    " ON CONFLICT (image, source) DO UPDATE SET body = excluded.body",
	    image->id, image->source, image->signatures, image->signatures_len,
	    err);
}

static int
catalogue_add_rows(struct catalogue *c, const struct store_new_image *image,
    const char *user, const struct catalogue_layer *layers, size_t nlayers,
    struct cerr *err)
{
	if (catalogue_put_image(c, image, user, err) == -1 ||
	    catalogue_put_manifest(c, image, err) == -1)
		return -1;
	if (image->signatures != NULL &&
	    catalogue_put_signatures(c, image, err) == -1)
		return -1;
	for (size_t i = 0; i < nlayers; i++) {
		int rc =
		    layers[i].elsewhere
			? catalogue_put_elsewhere(c, image->id, i,
			      layers[i].diff_id, err)
			: catalogue_put_own(c, image->id, i, &layers[i], err);

		if (rc == -1)
			return -1;
	}
	for (size_t i = 0; i < image->nnames; i++) {
		if (catalogue_put_name(c, image->names[i], image->id, err) ==
		    -1)
			return -1;
	}
	return 0;
}

static int
catalogue_add_one(struct catalogue *c, const struct store_new_image *image,
    const char *user, const struct catalogue_layer *layers, size_t nlayers,
    struct cerr *err)
{
	if (catalogue_begin(c, err) == -1)
		return -1;
	return catalogue_end(c,
	    catalogue_add_rows(c, image, user, layers, nlayers, err), err);
}

int
catalogue_add(struct catalogue *c, const struct store_new_image *image,
    const char *user, const struct catalogue_layer *layers, size_t nlayers,
    struct cerr *err)
{
	struct cerr why;

	if (catalogue_add_one(c, image, user, layers, nlayers, err) == -1)
		return -1;
	if (c->spare != NULL && catalogue_add_one(c->spare, image, user, layers,
				    nlayers, &why) == -1)
		catalogue_drop_spare(c, &why);
	return 0;
}

int
catalogue_signatures(struct catalogue *c, const char *id, catalogue_blob_fn fn,
    void *arg, struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c,
	    "SELECT body FROM signature WHERE image = ?1 ORDER BY source", err);
	int rc, ret = 0;

	if (st == NULL)
		return -1;
	rc = catalogue_bind_text(st, 1, id);
	while (ret == 0 && (rc == SQLITE_OK || rc == SQLITE_ROW)) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW)
			ret = fn(arg, sqlite3_column_blob(st, 0),
			    (size_t)sqlite3_column_bytes(st, 0), err);
	}
	if (ret == 0 && rc != SQLITE_DONE)
		ret = catalogue_fail(c->db, rc, err);
	(void)sqlite3_finalize(st);
	return ret;
}

static int
catalogue_remove_rows(struct catalogue *c, const char *id,
    const uint64_t *layers, size_t nlayers, struct cerr *err)
{
	sqlite3_stmt *st;

	if (id != NULL) {
		st = catalogue_prepare(c, "DELETE FROM image WHERE id = ?1",
		    err);
		if (st == NULL ||
		    catalogue_run(c, st, catalogue_bind_text(st, 1, id), err) ==
			-1)
			return -1;
	}
	for (size_t i = 0; i < nlayers; i++) {
		st = catalogue_prepare(c, "DELETE FROM layer WHERE number = ?1",
		    err);
		if (st == NULL ||
		    catalogue_run(c, st,
			sqlite3_bind_int64(st, 1, (sqlite3_int64)layers[i]),
			err) == -1)
			return -1;
	}
	return 0;
}

static int
catalogue_remove_once(struct catalogue *c, const char *id,
    const uint64_t *layers, size_t nlayers, struct cerr *err)
{
	if (catalogue_begin(c, err) == -1)
		return -1;
	return catalogue_end(c,
	    catalogue_remove_rows(c, id, layers, nlayers, err), err);
}

/* On a full disk the log has the space of the reserve. */
static int
catalogue_remove_surely(struct catalogue *c, const char *id,
    const uint64_t *layers, size_t nlayers, struct cerr *err)
{
	struct cerr first;

	if (catalogue_remove_once(c, id, layers, nlayers, &first) == 0)
		return 0;
	if (first.code == CERR_RESOURCE_EXHAUSTED &&
	    catalogue_release(c) == 0) {
		log_warn("%s: using the reserve", first.text);
		return catalogue_remove_once(c, id, layers, nlayers, err);
	}
	return cerr_set(err, first.code, "%s", first.text);
}

int
catalogue_remove(struct catalogue *c, const char *id, const uint64_t *layers,
    size_t nlayers, struct cerr *err)
{
	struct cerr why;

	if (catalogue_remove_surely(c, id, layers, nlayers, err) == -1)
		return -1;
	if (c->spare != NULL &&
	    catalogue_remove_once(c->spare, id, layers, nlayers, &why) == -1)
		catalogue_drop_spare(c, &why);
	return 0;
}

/* ---- one statement, whose only value is text or, if that is NULL, n ---- */

static int
catalogue_change_rows(struct catalogue *c, const char *sql, const char *text,
    uint64_t n, struct cerr *err)
{
	sqlite3_stmt *st = catalogue_prepare(c, sql, err);

	if (st == NULL)
		return -1;
	return catalogue_run(c, st,
	    text != NULL ? catalogue_bind_text(st, 1, text)
			 : sqlite3_bind_int64(st, 1, (sqlite3_int64)n),
	    err);
}

static int
catalogue_change_one(struct catalogue *c, const char *sql, const char *text,
    uint64_t n, struct cerr *err)
{
	if (catalogue_begin(c, err) == -1)
		return -1;
	return catalogue_end(c, catalogue_change_rows(c, sql, text, n, err),
	    err);
}

static int
catalogue_change(struct catalogue *c, const char *sql, const char *text,
    uint64_t n, struct cerr *err)
{
	struct cerr why;

	if (catalogue_change_one(c, sql, text, n, err) == -1)
		return -1;
	if (c->spare != NULL &&
	    catalogue_change_one(c->spare, sql, text, n, &why) == -1)
		catalogue_drop_spare(c, &why);
	return 0;
}

int
catalogue_set_bad(struct catalogue *c, uint64_t layer, struct cerr *err)
{
	return catalogue_change(c,
	    "UPDATE layer SET bad = 1, checked = 1 WHERE number = ?1", NULL,
	    layer, err);
}

int
catalogue_set_checked(struct catalogue *c, uint64_t layer, struct cerr *err)
{
	return catalogue_change(c,
	    "UPDATE layer SET checked = 1 WHERE number = ?1", NULL, layer, err);
}

int
catalogue_forget_kept(struct catalogue *c, const char *id, struct cerr *err)
{
	return catalogue_change(c, "DELETE FROM kept WHERE image = ?1", id, 0,
	    err);
}

int
catalogue_begin_boot(struct catalogue *c, const char *boot, struct cerr *err)
{
	if (catalogue_change(c,
		"UPDATE layer SET checked = -1 WHERE checked = 0 AND EXISTS"
		" (SELECT 1 FROM boot WHERE id <> ?1)",
		boot, 0, err) == -1 ||
	    catalogue_change(c, "DELETE FROM boot WHERE id <> ?1", boot, 0,
		err) == -1)
		return -1;
	return catalogue_change(c,
	    "INSERT INTO boot SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM boot)",
	    boot, 0, err);
}

int
catalogue_clean(struct catalogue *c, struct cerr *err)
{
	if (catalogue_change(c,
		"UPDATE layer SET checked = 1 WHERE checked = ?1", NULL, 0,
		err) == -1 ||
	    catalogue_change(c, "DELETE FROM boot WHERE id <> ?1", "", 0,
		err) == -1)
		return -1;
	/* Nothing is left in the log: others may read the file alone. */
	return catalogue_exec(c, "PRAGMA wal_checkpoint(TRUNCATE)", err);
}
