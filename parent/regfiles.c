#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"
#include "parent/conf.h"
#include "parent/conf_file.h"
#include "parent/files.h"
#include "parent/plan.h"
#include "parent/reader.h"
#include "parent/regfiles.h"

#define REGFILES_TAKEN ".criod-in-use" /* what is about to be removed */

struct regfiles {
	Criod__RegistryFile **files;
	size_t n, total;
	bool check; /* and say what could be better */
	struct cerr *err;
};

static void *
regfiles_memory(void *p)
{
	if (p == NULL)
		fatal("malloc");
	return p;
}

static bool
regfiles_is_none(const char *path)
{
	return strcmp(path, "none") == 0;
}

static bool
regfiles_ends(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);

	return n > e && strcmp(name + n - e, end) == 0;
}

/* Others may know what it says already: that is said, not mended. */
static void
regfiles_secret(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & (S_IRGRP | S_IROTH)) != 0)
		log_warn("%s: others than its owner may read it", path);
}

/* NULL with err if that is too much. */
static Criod__RegistryFile *
regfiles_new(struct regfiles *r, unsigned int kind, const char *path,
    size_t len)
{
	Criod__RegistryFile *f;

	r->total += len + strlen(path);
	if (r->n == REGFILES_MAX || r->total > REGFILES_TOTAL_MAX) {
		(void)cerr_set(r->err, CERR_INVALID_ARGUMENT,
		    "%s: with it there are more than %d files, or %u bytes, "
		    "about registries",
		    path, REGFILES_MAX, REGFILES_TOTAL_MAX);
		return NULL;
	}
	r->files = regfiles_memory(
	    reallocarray(r->files, r->n + 1, sizeof(Criod__RegistryFile *)));
	f = regfiles_memory(malloc(sizeof(*f)));
	criod__registry_file__init(f);
	f->kind = (Criod__RegistryFile__Kind)kind;
	f->path = regfiles_memory(strdup(path));
	r->files[r->n++] = f;
	return f;
}

/* Takes text. */
static int
regfiles_add(struct regfiles *r, unsigned int kind, const char *path,
    char *text, size_t len)
{
	Criod__RegistryFile *f = regfiles_new(r, kind, path, len);

	if (f == NULL) {
		free(text);
		return -1;
	}
	f->text.data = (uint8_t *)text;
	f->text.len = len;
	return 0;
}

/* In place of what cannot be read: it stops those pulls that need it. */
static int
regfiles_add_wrong(struct regfiles *r, unsigned int kind, const char *path,
    const char *why)
{
	Criod__RegistryFile *f = regfiles_new(r, kind, path, strlen(why));

	if (f == NULL)
		return -1;
	f->wrong = regfiles_memory(strdup(why));
	return 0;
}

static int
regfiles_read_one(struct regfiles *r, unsigned int kind, const char *path)
{
	char *text;
	size_t len;

	if (conf_file_read(path, REGFILES_FILE_MAX, &text, &len, r->err) == -1)
		return -1;
	if (r->check && regfiles_ends(path, ".key"))
		regfiles_secret(path);
	return regfiles_add(r, kind, path, text, len);
}

/* What a default names need not be there. */
static int
regfiles_read_some(struct regfiles *r, unsigned int kind, const char *path)
{
	struct cerr err = { .code = CERR_OK }, *kept = r->err;
	int rc;

	r->err = &err;
	rc = regfiles_read_one(r, kind, path);
	r->err = kept;
	if (rc == 0 || err.code == CERR_NOT_FOUND)
		return 0;
	return cerr_set(r->err, err.code, "%s", err.text);
}

/* ---- directories ---- */

static int
regfiles_select_conf(const struct dirent *de)
{
	return de->d_name[0] != '.' && regfiles_ends(de->d_name, ".conf");
}

static int
regfiles_select_host(const struct dirent *de)
{
	return de->d_name[0] != '.' &&
	       (de->d_type == DT_DIR || de->d_type == DT_LNK ||
		   de->d_type == DT_UNKNOWN);
}

static int
regfiles_select_cert(const struct dirent *de)
{
	static const char *const ends[] = { ".crt", ".cert", ".key", ".pem",
		".toml" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (de->d_name[0] != '.' && regfiles_ends(de->d_name, ends[i]))
			return 1;
	}
	return 0;
}

/* Whoever may rename files there could choose whom criod trusts. */
static int
regfiles_open_dir(const char *path, int *fd, struct cerr *err)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	if (*fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (*fd == -1 || fstat(*fd, &st) == -1)
		return cerr_errno(err, "%s", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return cerr_set(err, CERR_PERMISSION_DENIED,
		    "%s: others than root may write it", path);
	return 0;
}

/* The paths below path that select takes, in order; freed by regfiles_free. */
struct regfiles_list {
	char **paths;
	size_t n;
};

static void
regfiles_free(struct regfiles_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->paths[i]);
	free(l->paths);
}

static int
regfiles_scan(const char *path, int (*select)(const struct dirent *de),
    struct regfiles_list *l, struct cerr *err)
{
	CLEANUP_FD int dir = -1;
	struct dirent **names;
	int n;

	memset(l, 0, sizeof(*l));
	if (regfiles_open_dir(path, &dir, err) == -1)
		return -1;
	if (dir == -1)
		return 0;
	n = scandirat(dir, ".", &names, select, files_compare);
	if (n == -1)
		return cerr_errno(err, "%s", path);
	l->paths = regfiles_memory(calloc((size_t)n + 1, sizeof(char *)));
	for (int i = 0; i < n; i++) {
		if (asprintf(&l->paths[l->n++], "%s/%s", path,
			names[i]->d_name) == -1)
			fatal("asprintf");
		free(names[i]);
	}
	free(names);
	return 0;
}

static int
regfiles_read_dir(struct regfiles *r, unsigned int kind, const char *path,
    int (*select)(const struct dirent *de))
{
	struct regfiles_list l;
	int rc = regfiles_scan(path, select, &l, r->err);

	for (size_t i = 0; rc == 0 && i < l.n; i++)
		rc = regfiles_read_one(r, kind, l.paths[i]);
	regfiles_free(&l);
	return rc;
}

static void
regfiles_free_from(struct regfiles *r, size_t n)
{
	while (r->n > n)
		criod__registry_file__free_unpacked(r->files[--r->n], NULL);
}

/* path/HOST/FILE; what is wrong with a host's is that host's. */
static int
regfiles_read_host(struct regfiles *r, unsigned int kind, const char *path)
{
	struct cerr err = { .code = CERR_OK }, *kept = r->err;
	CLEANUP_FREE char *dir = NULL;
	size_t n = r->n;
	int rc;

	r->err = &err;
	rc = regfiles_read_dir(r, kind, path, regfiles_select_cert);
	r->err = kept;
	if (rc == 0)
		return 0;
	if (r->check)
		log_warn("%s", err.text);
	regfiles_free_from(r, n);
	if (asprintf(&dir, "%s/", path) == -1)
		fatal("asprintf");
	return regfiles_add_wrong(r, kind, dir, err.text);
}

static int
regfiles_read_hosts(struct regfiles *r, unsigned int kind, const char *path)
{
	struct regfiles_list l;
	int rc = regfiles_scan(path, regfiles_select_host, &l, r->err);

	for (size_t i = 0; rc == 0 && i < l.n; i++)
		rc = regfiles_read_host(r, kind, l.paths[i]);
	regfiles_free(&l);
	return rc;
}

/* A file that hosts.toml may name: one that is not there fails those. */
static int
regfiles_read_named(struct regfiles *r, const char *path)
{
	struct cerr err = { .code = CERR_OK }, *kept = r->err;
	int rc;

	r->err = &err;
	rc = regfiles_read_one(r, CRIOD__REGISTRY_FILE__KIND__NAMED, path);
	r->err = kept;
	if (rc == 0)
		return 0;
	return regfiles_add_wrong(r, CRIOD__REGISTRY_FILE__KIND__NAMED, path,
	    err.text);
}

/* ---- all ---- */

static int
regfiles_registries(struct regfiles *r, const char *path)
{
	CLEANUP_FREE char *dir = NULL;

	if (regfiles_is_none(path))
		return 0;
	if (asprintf(&dir, "%s.d", path) == -1)
		fatal("asprintf");
	if (regfiles_read_some(r, CRIOD__REGISTRY_FILE__KIND__REGISTRIES,
		path) == -1)
		return -1;
	return regfiles_read_dir(r, CRIOD__REGISTRY_FILE__KIND__REGISTRIES, dir,
	    regfiles_select_conf);
}

static int
regfiles_hosts(struct regfiles *r, const struct conf *c, enum conf_list list,
    unsigned int kind)
{
	const struct conf_word *w;

	TAILQ_FOREACH(w, &c->words[list], entry) {
		if (!regfiles_is_none(w->text) &&
		    regfiles_read_hosts(r, kind, w->text) == -1)
			return -1;
	}
	return 0;
}

static int
regfiles_named(struct regfiles *r, const struct conf *c)
{
	const struct conf_word *w;

	TAILQ_FOREACH(w, &c->words[CONF_CERT_FILE], entry) {
		if (regfiles_read_named(r, w->text) == -1)
			return -1;
	}
	return 0;
}

static int
regfiles_dirs(struct regfiles *r, const struct conf *c)
{
	if (regfiles_hosts(r, c, CONF_CERT_DIR,
		CRIOD__REGISTRY_FILE__KIND__CERTS) == -1 ||
	    regfiles_hosts(r, c, CONF_HOSTS_DIR,
		CRIOD__REGISTRY_FILE__KIND__HOSTS) == -1)
		return -1;
	return regfiles_named(r, c);
}

int
regfiles_read(Criod__BootImaged *b, const struct conf *c, struct cerr *err)
{
	struct regfiles r = { .err = err };
	int rc = regfiles_registries(&r, c->text[CONF_REGISTRY_FILE]);

	b->files = r.files;
	b->n_files = r.n;
	return rc;
}

int
regfiles_now(Criod__RegistryFiles *f, const struct conf *c, struct cerr *err)
{
	struct regfiles r = { .err = err };
	int rc = regfiles_dirs(&r, c);

	f->files = r.files;
	f->n_files = r.n;
	return rc;
}

/* ---- whether they can be understood ---- */

/* What stops some pulls only is a line of the answer each. */
static int
regfiles_ask(const Criod__BootImaged *b, const struct plan_facts *f,
    struct cerr *err)
{
	size_t len = criod__boot_imaged__get_packed_size(b);
	CLEANUP_FREE uint8_t *text = regfiles_memory(malloc(len + 1));
	CLEANUP_FREE char *answer = NULL;
	char *lines, *line;

	(void)criod__boot_imaged__pack(b, text);
	if (reader_ask(f, "registries", (const char *)text, len, &answer,
		&lines, err) == -1)
		return -1;
	while ((line = reader_line(&lines)) != NULL)
		log_warn("%s", line);
	return 0;
}

int
regfiles_understood(const Criod__BootImaged *b, const struct plan_facts *f,
    struct cerr *err)
{
	Criod__BootImaged all = *b;
	struct regfiles r = { .err = err };
	int rc = regfiles_dirs(&r, f->conf);
	size_t own = r.n;

	r.files = regfiles_memory(reallocarray(r.files, own + b->n_files + 1,
	    sizeof(Criod__RegistryFile *)));
	if (b->n_files > 0)
		memcpy(r.files + own, b->files,
		    b->n_files * sizeof(Criod__RegistryFile *));
	all.files = r.files;
	all.n_files = own + b->n_files;
	if (rc == 0)
		rc = regfiles_ask(&all, f, err);
	regfiles_free_from(&r, 0);
	free(r.files);
	return rc;
}

/* It may come later, and is read by each pull: here only what is said of it. */
static int
regfiles_check_auth(const char *path, struct cerr *err)
{
	CLEANUP_FD int fd = -1;

	if (regfiles_is_none(path))
		return 0;
	fd = conf_file_open(AT_FDCWD, path, err);
	if (fd != -1) {
		regfiles_secret(path);
		return 0;
	}
	if (err->code != CERR_NOT_FOUND)
		return -1;
	log_warn("auth file %s is not there", path);
	return 0;
}

int
regfiles_check(const struct conf *c, struct cerr *err)
{
	struct regfiles r = { .check = true, .err = err };
	int rc = regfiles_registries(&r, c->text[CONF_REGISTRY_FILE]);

	if (rc == 0)
		rc = regfiles_dirs(&r, c);
	if (rc == 0)
		rc = regfiles_check_auth(c->text[CONF_AUTH_FILE], err);
	regfiles_free_from(&r, 0);
	free(r.files);
	return rc;
}

/* ---- credentials ---- */

/* What imaged asks for becomes part of a name: no more than it can be. */
static bool
regfiles_names_valid(const char *namespace, const char *digest)
{
	static const char label[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	return *namespace != '\0' &&
	       namespace[strspn(namespace, label)] == '\0' &&
	       strlen(digest) == 64 && strspn(digest, "0123456789abcdef") == 64;
}

/* Renamed first, so that what is removed is what was read. */
static int
regfiles_take_one(int dir, const char *name, int *fd, struct cerr *err)
{
	struct cerr why;

	if (renameat(dir, name, dir, REGFILES_TAKEN) == -1)
		return errno == ENOENT ? 0 : cerr_errno(err, "%s", name);
	*fd = conf_file_open(dir, REGFILES_TAKEN, &why);
	(void)unlinkat(dir, REGFILES_TAKEN, 0);
	if (*fd == -1)
		return cerr_set(err, why.code, "auth file %s: %s", name,
		    why.text);
	return 0;
}

/* The one that criod.conf names. */
static int
regfiles_open_auth(const char *path, int *fd, struct cerr *err)
{
	if (regfiles_is_none(path))
		return 0;
	*fd = conf_file_open(AT_FDCWD, path, err);
	return *fd != -1 || err->code == CERR_NOT_FOUND ? 0 : -1;
}

int
regfiles_take(const struct conf *c, const char *namespace, const char *digest,
    int *fd, struct cerr *err)
{
	const char *path = c->text[CONF_AUTH_DIR];
	CLEANUP_FD int dir = -1;
	char name[192];

	*fd = -1;
	if (*namespace == '\0')
		return regfiles_open_auth(c->text[CONF_AUTH_FILE], fd, err);
	if (regfiles_is_none(path))
		return 0;
	if (!regfiles_names_valid(namespace, digest))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "no namespace or digest");
	if (regfiles_open_dir(path, &dir, err) == -1)
		return -1;
	(void)snprintf(name, sizeof(name), "%s-%s.json", namespace, digest);
	return dir == -1 ? 0 : regfiles_take_one(dir, name, fd, err);
}
