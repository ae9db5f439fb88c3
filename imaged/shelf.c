/*
 * shelf: reads the catalogue of an additional store, then ends.  The store may
 * be anybody's, and may hang: SQLite reads such a one here and nowhere else,
 * in a process that sees nothing but that store, and cannot write there.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <linux/capability.h>
#include <linux/mount.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/dump.h"
#include "imaged/worker.h"
#include "imsg/fixed.h"
#include "lib/confine.h"
#include "lib/filter.h"
#include "lib/log.h"

#define SHELF_MIB      ((rlim_t)1024 * 1024)
#define SHELF_VERSION  2 /* and 3: imaged/catalogue.c */
#define SHELF_DB       "/catalogue.db"
#define SHELF_ROWS_MAX 1000000

extern const struct filter filter_shelf;

static const struct confine_limit shelf_limits[] = {
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_AS, 256 * SHELF_MIB },
	{ RLIMIT_FSIZE, DUMP_MAX + SHELF_MIB },
	{ RLIMIT_NOFILE, 16 },
	{ RLIMIT_CPU, 60 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_MEMLOCK, 0 },
	{ -1, 0 },
};

static const struct confine shelf_confine = {
	.role = "shelf",
	.caps = UINT64_C(1) << CAP_DAC_READ_SEARCH,
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
		     MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = shelf_limits,
	.filter = &filter_shelf,
};

struct shelf {
	sqlite3 *db;
	struct dump_out *out;
	struct cerr *err;
};

/* What is read for each image, by its id; the columns are of one kind. */
static const struct shelf_list {
	const char *sql;
	bool number;
} shelf_lists[] = {
	{ "SELECT layer FROM image_layer WHERE image = ?1 ORDER BY position",
	    true },
	{ "SELECT name FROM name WHERE image = ?1", false },
	{ "SELECT body FROM signature WHERE image = ?1 ORDER BY source",
	    false },
};

static int
shelf_fail(struct shelf *s, int rc)
{
	return cerr_set(s->err, CERR_DATA_LOSS, "its catalogue: %s",
	    s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
}

static sqlite3_stmt *
shelf_prepare(struct shelf *s, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		(void)shelf_fail(s, rc);
	return st;
}

/* The one number of a statement, or -1. */
static int64_t
shelf_number(struct shelf *s, const char *sql)
{
	sqlite3_stmt *st = shelf_prepare(s, sql);
	int64_t n = -1;

	if (st == NULL)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	else
		(void)shelf_fail(s, sqlite3_errcode(s->db));
	(void)sqlite3_finalize(st);
	return n;
}

/* ---- rows ---- */

/* fn for each row of st, behind their number, which is counted before. */
static int
shelf_each(struct shelf *s, sqlite3_stmt *st,
    int (*fn)(struct shelf *s, sqlite3_stmt *st))
{
	uint64_t n = 0;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW && n <= SHELF_ROWS_MAX)
		n++;
	if (rc != SQLITE_DONE)
		return shelf_fail(s, rc);
	(void)sqlite3_reset(st);
	dump_out_number(s->out, n);
	for (; n > 0 && (rc = sqlite3_step(st)) == SQLITE_ROW; n--) {
		if (fn(s, st) == -1)
			return -1;
	}
	return n == 0 ? 0 : shelf_fail(s, rc);
}

static void
shelf_put_bytes(struct shelf *s, sqlite3_stmt *st, int column)
{
	const void *p = sqlite3_column_blob(st, column);

	dump_out_bytes(s->out, p, (size_t)sqlite3_column_bytes(st, column));
}

static int
shelf_put_number(struct shelf *s, sqlite3_stmt *st)
{
	dump_out_number(s->out, (uint64_t)sqlite3_column_int64(st, 0));
	return 0;
}

static int
shelf_put_text(struct shelf *s, sqlite3_stmt *st)
{
	shelf_put_bytes(s, st, 0);
	return 0;
}

static int
shelf_put_layer(struct shelf *s, sqlite3_stmt *st)
{
	for (int i = 0; i < 3; i++)
		dump_out_number(s->out, (uint64_t)sqlite3_column_int64(st, i));
	shelf_put_bytes(s, st, 3);
	return 0;
}

static int
shelf_put_list(struct shelf *s, const struct shelf_list *list, const void *id,
    int len)
{
	sqlite3_stmt *st = shelf_prepare(s, list->sql);
	int rc;

	if (st == NULL)
		return -1;
	(void)sqlite3_bind_text(st, 1, id, len, SQLITE_TRANSIENT);
	rc =
	    shelf_each(s, st, list->number ? shelf_put_number : shelf_put_text);
	(void)sqlite3_finalize(st);
	return rc;
}

static int
shelf_put_image(struct shelf *s, sqlite3_stmt *st)
{
	const void *id = sqlite3_column_text(st, 0);
	int len = sqlite3_column_bytes(st, 0);

	if (id == NULL)
		return cerr_set(s->err, CERR_DATA_LOSS,
		    "its catalogue: an image without an id");
	for (int i = 0; i < 3; i++)
		shelf_put_bytes(s, st, i);
	for (size_t i = 0; i < sizeof(shelf_lists) / sizeof(shelf_lists[0]);
	     i++) {
		if (shelf_put_list(s, &shelf_lists[i], id, len) == -1)
			return -1;
	}
	return 0;
}

static int
shelf_table(struct shelf *s, const char *sql,
    int (*fn)(struct shelf *s, sqlite3_stmt *st))
{
	sqlite3_stmt *st = shelf_prepare(s, sql);
	int rc;

	if (st == NULL)
		return -1;
	rc = shelf_each(s, st, fn);
	(void)sqlite3_finalize(st);
	return rc;
}

/* An image some of whose layers are in a third store is not whole here. */
static int
shelf_dump(struct shelf *s)
{
	int64_t elsewhere = shelf_number(s,
	    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND"
	    " name = 'elsewhere'");

	if (elsewhere == -1 ||
	    shelf_table(s,
		"SELECT number, bytes, inodes, diff_id FROM layer"
		" WHERE bad = 0 ORDER BY number",
		shelf_put_layer) == -1)
		return -1;
	return shelf_table(s,
	    elsewhere > 0 ? "SELECT id, user, config FROM image WHERE id NOT IN"
			    " (SELECT image FROM elsewhere) ORDER BY id"
			  : "SELECT id, user, config FROM image ORDER BY id",
	    shelf_put_image);
}

/* ---- opening ---- */

static int
shelf_configure(struct shelf *s)
{
	int64_t version;

	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	if (sqlite3_exec(s->db,
		"PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY", NULL,
		NULL, NULL) != SQLITE_OK)
		return shelf_fail(s, 0);
	version = shelf_number(s, "PRAGMA user_version");
	if (version == -1)
		return -1;
	if (version < SHELF_VERSION || version > SHELF_VERSION + 1)
		return cerr_set(s->err, CERR_FAILED_PRECONDITION,
		    "its catalogue is of version %lld, which this criod does "
		    "not read",
		    (long long)version);
	return 0;
}

/* What is in the log is not in the file, and only who made it can add it. */
static int
shelf_check_log(struct cerr *err)
{
	struct stat st;

	if (lstat(SHELF_DB "-wal", &st) == 0 && st.st_size > 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "its catalogue has a log: the criod that made it runs, or "
		    "did not end in order");
	return 0;
}

static int
shelf_read(struct shelf *s, int fd, uint64_t *len)
{
	int rc = sqlite3_open_v2("file:" SHELF_DB "?immutable=1", &s->db,
	    SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI |
		SQLITE_OPEN_NOFOLLOW,
	    NULL);

	if (rc != SQLITE_OK)
		return shelf_fail(s, rc);
	s->out = dump_out_new(fd);
	if (s->out == NULL)
		return cerr_errno(s->err, "calloc");
	if (shelf_configure(s) == -1 || shelf_dump(s) == -1) {
		(void)dump_out_end(s->out, len);
		return -1;
	}
	if (dump_out_end(s->out, len) == -1)
		return cerr_errno(s->err, "write down its catalogue");
	return 0;
}

/* The same as long as nobody writes to the catalogue. */
static int
shelf_print(char print[128], struct cerr *err)
{
	struct stat st;

	if (lstat(SHELF_DB, &st) == -1)
		return cerr_errno(err, "its catalogue.db");
	if (!S_ISREG(st.st_mode))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "its catalogue.db is not a file");
	(void)snprintf(print, 128,
	    "%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%lx.%lx", (uint64_t)st.st_dev,
	    (uint64_t)st.st_ino, (uint64_t)st.st_size,
	    (unsigned long)st.st_mtim.tv_sec * 1000000000UL +
		(unsigned long)st.st_mtim.tv_nsec,
	    (unsigned long)st.st_ctim.tv_sec * 1000000000UL +
		(unsigned long)st.st_ctim.tv_nsec);
	return 0;
}

static int
shelf_answer(struct wire_msg *m, void *body, struct cerr *err)
{
	struct fixed_shelf_done *done = body;
	struct fixed_shelf_read req;
	struct shelf s = { .err = err };
	char print[128] = "", again[128] = "";
	uint64_t len = 0;

	if (fixed_decode(&fixed_desc_shelf_read, m->data, m->len, &req) == -1)
		fatalx("malformed request");
	if (shelf_print(print, err) == -1)
		return -1;
	if (FIXED_SET_STR(done->print, print) == -1)
		fatalx("text too long");
	if (strcmp(req.print, print) == 0)
		return 0;
	if (shelf_check_log(err) == -1 || shelf_read(&s, m->fds[0], &len) == -1)
		return -1;
	done->len = len;
	if (shelf_print(again, err) == -1)
		return -1;
	return strcmp(print, again) == 0
		   ? 0
		   : cerr_set(err, CERR_FAILED_PRECONDITION,
			 "its catalogue changed while it was read");
}

static void
shelf_warm(void)
{
	(void)sqlite3_initialize();
}

static const struct worker_request shelf_requests[] = {
	{ MSG_SHELF_READ, MSG_SHELF_DONE, shelf_answer },
};

static const struct worker shelf_worker = {
	.role = ROLE_SHELF,
	.confine = &shelf_confine,
	.warm = shelf_warm,
	.requests = shelf_requests,
	.nrequests = sizeof(shelf_requests) / sizeof(shelf_requests[0]),
};

int
main(int argc, char **argv)
{
	worker_run(&shelf_worker, argc, argv);
}
