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
#include "parent/lookaside.h"
#include "parent/plan.h"
#include "parent/reader.h"
#include "parent/trust.h"

static void *
trust_memory(void *p)
{
	if (p == NULL)
		fatal("malloc");
	return p;
}

/* Where another error text says which file it is of. */
static int
trust_name(struct cerr *err, const char *path)
{
	struct cerr why = *err;

	return cerr_set(err, why.code, "%s: %s", path, why.text);
}

/* ---- policies ---- */

/* One that cannot be read stays empty: what needs it is refused. */
static void
trust_read_key(Criod__TrustKey *key)
{
	struct cerr err;
	char *buf;
	size_t len;

	if (conf_file_read(key->path, TRUST_KEY_MAX, &buf, &len, &err) == -1) {
		log_warn("signature policy: key %s", err.text);
		return;
	}
	key->data.data = (uint8_t *)buf;
	key->data.len = len;
}

static int
trust_add_key(Criod__BootTrust *t, const char *path, struct cerr *err)
{
	Criod__TrustKey *key;

	for (size_t i = 0; i < t->n_keys; i++) {
		if (strcmp(t->keys[i]->path, path) == 0)
			return 0;
	}
	if (t->n_keys == TRUST_KEYS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "more than %d key files", TRUST_KEYS_MAX);
	key = trust_memory(malloc(sizeof(*key)));
	criod__trust_key__init(key);
	key->path = trust_memory(strdup(path));
	trust_read_key(key);
	t->keys[t->n_keys++] = key;
	return 0;
}

static int
trust_read_policy(Criod__BootTrust *t, const struct plan_facts *f,
    const char *ns, const char *path, struct cerr *err)
{
	Criod__TrustPolicy *p;
	CLEANUP_FREE char *answer = NULL;
	char *text, *lines, *line;
	size_t len;

	if (conf_file_read(path, TRUST_POLICY_MAX, &text, &len, err) == -1)
		return -1;
	p = trust_memory(malloc(sizeof(*p)));
	criod__trust_policy__init(p);
	p->ns = trust_memory(strdup(ns));
	p->path = trust_memory(strdup(path));
	p->text.data = (uint8_t *)text;
	p->text.len = len;
	t->policies[t->n_policies++] = p;
	if (reader_ask(f, "policy", text, len, &answer, &lines, err) == -1)
		return trust_name(err, path);
	while ((line = reader_line(&lines)) != NULL) {
		if (trust_add_key(t, line, err) == -1)
			return trust_name(err, path);
	}
	return 0;
}

/* Without a file at the usual place everything is accepted. */
static int
trust_main_policy(Criod__BootTrust *t, const struct plan_facts *f,
    struct cerr *err)
{
	const char *path = f->conf->text[CONF_SIG_POLICY];
	int rc = trust_read_policy(t, f, "", path, err);

	if (rc == -1 && err->code == CERR_NOT_FOUND &&
	    strcmp(path, CONF_SIG_POLICY_USUAL) == 0)
		return 0;
	return rc;
}

/* ---- directories ---- */

static bool
trust_ends(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return *name != '.' && n > k && strcmp(name + n - k, end) == 0;
}

/*
 * Calls fn with the paths of a directory's files that end so, in order.  The
 * usual directory need not be there.
 */
static int
trust_each(const char *dir, const char *usual, const char *end, size_t max,
    int (*fn)(void *arg, const char *path, const char *name, struct cerr *err),
    void *arg, struct cerr *err)
{
	CLEANUP_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list;
	size_t used = 0;
	int n, rc = 0;

	if (fd == -1 && errno == ENOENT && strcmp(dir, usual) == 0)
		return 0;
	if (fd == -1)
		return cerr_errno(err, "%s", dir);
	if (!files_dir_trusted(fd, dir, true))
		return cerr_set(err, CERR_PERMISSION_DENIED,
		    "%s: others than root may write it", dir);
	n = scandirat(fd, ".", &list, NULL, files_compare);
	if (n == -1)
		return cerr_errno(err, "%s", dir);
	for (int i = 0; i < n; i++) {
		CLEANUP_FREE char *path = NULL;

		if (rc == 0 && trust_ends(list[i]->d_name, end)) {
			if (asprintf(&path, "%s/%s", dir, list[i]->d_name) ==
			    -1)
				fatal("asprintf");
			rc = ++used > max
				 ? cerr_set(err, CERR_INVALID_ARGUMENT,
				       "%s: more than %zu files", dir, max)
				 : fn(arg, path, list[i]->d_name, err);
		}
		free(list[i]);
	}
	free(list);
	return rc;
}

struct trust_reading {
	Criod__BootTrust *trust;
	const struct plan_facts *facts;
};

static int
trust_namespace(void *arg, const char *path, const char *name, struct cerr *err)
{
	struct trust_reading *r = arg;
	char ns[256];

	(void)snprintf(ns, sizeof(ns), "%.*s",
	    (int)(strlen(name) - strlen(".json")), name);
	return trust_read_policy(r->trust, r->facts, ns, path, err);
}

/* ---- sources ---- */

static void
trust_put_source(Criod__BootTrust *t, const char *scope, const char *lookaside,
    Criod__TrustSource__Use attachments)
{
	Criod__TrustSource *s = trust_memory(malloc(sizeof(*s)));

	criod__trust_source__init(s);
	s->scope = trust_memory(strdup(scope));
	s->lookaside = trust_memory(strdup(lookaside));
	s->attachments = attachments;
	t->sources[t->n_sources++] = s;
}

static int
trust_add_source(Criod__BootTrust *t, char *line, struct cerr *err)
{
	const char *scope = strsep(&line, "\t");
	const char *lookaside = strsep(&line, "\t");

	if (lookaside == NULL || line == NULL || *line < '0' || *line > '2')
		return cerr_set(err, CERR_INTERNAL, "malformed answer");
	for (size_t i = 0; i < t->n_sources; i++) {
		if (strcmp(t->sources[i]->scope, scope) == 0)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "\"%s\" is in another file too",
			    *scope == '\0' ? "default-docker" : scope);
	}
	if (t->n_sources == TRUST_SOURCES_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "more than %d sections", TRUST_SOURCES_MAX);
	trust_put_source(t, scope, lookaside,
	    (Criod__TrustSource__Use)(*line - '0'));
	return 0;
}

static int
trust_source_file(void *arg, const char *path, const char *name,
    struct cerr *err)
{
	struct trust_reading *r = arg;
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *answer = NULL;
	char *lines, *line;
	size_t len;

	(void)name;
	if (conf_file_read(path, TRUST_POLICY_MAX, &text, &len, err) == -1)
		return -1;
	if (reader_ask(r->facts, "sources", text, len, &answer, &lines, err) ==
	    -1)
		return trust_name(err, path);
	/* The default section's scope is empty, so a line may begin with a tab.
	 */
	while ((line = reader_line(&lines)) != NULL) {
		if (trust_add_source(r->trust, line, err) == -1)
			return trust_name(err, path);
	}
	return 0;
}

int
trust_read(Criod__BootImaged *b, const struct plan_facts *f, struct cerr *err)
{
	struct trust_reading r = { .facts = f };
	Criod__BootTrust *t = trust_memory(malloc(sizeof(*t)));
	char *const *text = f->conf->text;

	criod__boot_trust__init(t);
	b->trust = t;
	t->nameless = strcmp(text[CONF_SIG_NAMELESS], "yes") == 0;
	r.trust = t;
	t->policies =
	    trust_memory(calloc(TRUST_POLICIES_MAX + 1, sizeof(*t->policies)));
	t->keys = trust_memory(calloc(TRUST_KEYS_MAX, sizeof(*t->keys)));
	t->sources =
	    trust_memory(calloc(TRUST_SOURCES_MAX + 1, sizeof(*t->sources)));
	if (trust_main_policy(t, f, err) == -1 ||
	    trust_each(text[CONF_SIG_POLICIES], CONF_SIG_POLICIES_USUAL,
		".json", TRUST_POLICIES_MAX, trust_namespace, &r, err) == -1)
		return -1;
	if (trust_each(text[CONF_SIG_SOURCES], CONF_SIG_SOURCES_USUAL, ".yaml",
		TRUST_FILES_MAX, trust_source_file, &r, err) == -1)
		return -1;
	/* Behind a default-docker section, which counts if it names one. */
	trust_put_source(t, "", LOOKASIDE_USUAL,
	    CRIOD__TRUST_SOURCE__USE__UNSET);
	return 0;
}
