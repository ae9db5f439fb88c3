#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/cdi.h"
#include "execd/cdi_list.h"
#include "lib/fdio.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/yamljson.h"

/* Members of containerEdits that cdi_apply knows. */
static const char *const cdi_members[] = { "env", "deviceNodes", "mounts",
	"hooks", "additionalGids" };

#define CDI_NMEMBERS (sizeof(cdi_members) / sizeof(cdi_members[0]))

void
cdi_clear(struct cdi *c)
{
	for (size_t i = 0; i < c->nnodes; i++)
		devlist_clear(&c->nodes[i].list);
	free(c->nodes);
	json_decref(c->wanted);
	json_decref(c->edits);
	json_decref(c->docs);
	*c = (struct cdi){ 0 };
}

/* ---- files ---- */

static int
cdi_check_edits(const json_t *edits, struct cerr *err)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)edits, key, v) {
		size_t i = 0;

		while (i < CDI_NMEMBERS && strcmp(cdi_members[i], key) != 0)
			i++;
		if (i == CDI_NMEMBERS)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "containerEdits.%.64s is not supported", key);
		if (!json_is_array(v))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "containerEdits.%.64s: not a list", key);
	}
	return 0;
}

static int
cdi_check_part(const json_t *o, struct cerr *err)
{
	json_t *edits;

	if (json_want(o, "containerEdits", JSON_OBJECT, false, &edits, err) ==
	    -1)
		return -1;
	return edits == NULL ? 0 : cdi_check_edits(edits, err);
}

static int
cdi_check_doc(const json_t *doc, struct cerr *err)
{
	const char *version, *kind, *name;
	char full[2048];
	json_t *devices, *v;
	size_t i;

	if (json_want_str(doc, "cdiVersion", true, &version, err) == -1 ||
	    json_want_str(doc, "kind", true, &kind, err) == -1 ||
	    json_want(doc, "devices", JSON_ARRAY, true, &devices, err) == -1 ||
	    cdi_check_part(doc, err) == -1)
		return -1;
	if (strncmp(version, "0.", 2) != 0 && strncmp(version, "1.", 2) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cdiVersion %.16s is not known", version);
	json_array_foreach(devices, i, v) {
		if (json_want_str(v, "name", true, &name, err) == -1 ||
		    cdi_check_part(v, err) == -1)
			return -1;
		(void)snprintf(full, sizeof(full), "%.900s=%.900s", kind, name);
		if (!cdi_name_valid(full, NULL))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "\"%.128s\" is not VENDOR/CLASS=NAME", full);
	}
	return 0;
}

/* For whoever asks for a device that is not there; all of it is logged. */
static void
cdi_note(char *notes, size_t size, const char *path, const char *why)
{
	size_t n = strlen(notes);

	log_warn("CDI: %s: %s", path, why);
	(void)snprintf(notes + n, size - n, "; %.128s: %.128s", path, why);
}

/* Members of a CDI file that are integers, or lists of such. */
static const char *const cdi_integers[] = { "major", "minor", "fileMode", "uid",
	"gid", "timeout", "additionalGids", NULL };

/* The launcher lists no file of another name than these two kinds have. */
static json_t *
cdi_parse(const char *path, const char *text, size_t len, struct cerr *err)
{
	const char *dot = strrchr(path, '.');

	if (dot != NULL && strcmp(dot, ".json") == 0)
		return json_read_bounded("file", text, len, CDI_FILE_MAX, err);
	return yamljson_read(text, len, CDI_FILE_MAX, cdi_integers, err);
}

static int
cdi_read_doc(struct cdi *c, const char *path, const char *text, size_t len,
    char *notes, size_t size)
{
	struct cerr err;
	json_t *doc = cdi_parse(path, text, len, &err);

	if (doc == NULL || cdi_check_doc(doc, &err) == -1) {
		json_decref(doc);
		cdi_note(notes, size, path, err.text);
		return 0;
	}
	return json_array_append_new(c->docs,
	    json_pack("{s:s%, s:o}", "dir", path,
		(size_t)(strrchr(path, '/') - path), "doc", doc));
}

/* One that is broken does not stop the others. */
static int
cdi_read_docs(struct cdi *c, const char *text, size_t len, char *notes,
    size_t size)
{
	const char *at = text, *end = text + len;

	while (at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		CLEANUP_FREE char *line =
		    eol == NULL ? NULL : strndup(at, (size_t)(eol - at));
		char *rest;
		size_t n;

		if (line == NULL)
			return -1;
		at = eol + 1;
		if (strncmp(line, "! ", 2) == 0) {
			cdi_note(notes, size, line + 2, "not read");
			continue;
		}
		n = strtoul(line, &rest, 10);
		if (rest[0] != ' ' || strchr(rest, '/') == NULL ||
		    n >= (size_t)(end - at) ||
		    cdi_read_doc(c, rest + 1, at, n, notes, size) == -1)
			return -1;
		at += n + 1;
	}
	return 0;
}

/* ---- devices ---- */

static json_t *
cdi_doc_device(const json_t *doc, const char *name, size_t sep)
{
	const char *kind = json_string_value(json_object_get(doc, "kind"));
	json_t *v;
	size_t i;

	if (strlen(kind) != sep || strncmp(kind, name, sep) != 0)
		return NULL;
	json_array_foreach(json_object_get(doc, "devices"), i, v) {
		if (strcmp(json_string_value(json_object_get(v, "name")),
			name + sep + 1) == 0)
			return v;
	}
	return NULL;
}

/* The first directory that has it; two files of that may not both. */
static int
cdi_find_one(const struct cdi *c, const char *name, json_t **doc,
    json_t **device, struct cerr *err)
{
	const char *dir = NULL;
	size_t i, sep = 0;
	json_t *v;

	(void)cdi_name_valid(name, &sep);
	*device = NULL;
	json_array_foreach(c->docs, i, v) {
		const char *d = json_string_value(json_object_get(v, "dir"));
		json_t *in = json_object_get(v, "doc");
		json_t *found = cdi_doc_device(in, name, sep);

		if (found == NULL || (dir != NULL && strcmp(d, dir) != 0))
			continue;
		if (dir != NULL)
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "CDI: two files in %s describe %.256s", dir, name);
		dir = d;
		*doc = in;
		*device = found;
	}
	return 0;
}

static int
cdi_add_edits(struct cdi *c, json_t *from)
{
	json_t *edits = json_object_get(from, "containerEdits");

	return edits == NULL ? 0 : json_array_append(c->edits, edits);
}

static bool
cdi_used(const json_t *list, const json_t *doc)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v) {
		if (v == doc)
			return true;
	}
	return false;
}

/* What a file says for all of its devices comes before the first of them. */
static int
cdi_collect(struct cdi *c, json_t *used, const char *notes, struct cerr *err)
{
	json_t *v, *doc = NULL, *device;
	size_t i;

	json_array_foreach(c->wanted, i, v) {
		const char *name = json_string_value(v);

		if (cdi_find_one(c, name, &doc, &device, err) == -1)
			return -1;
		if (device == NULL)
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "CDI: no file describes %.256s%s", name, notes);
		if ((!cdi_used(used, doc) &&
			(cdi_add_edits(c, doc) == -1 ||
			    json_array_append(used, doc) == -1)) ||
		    cdi_add_edits(c, device) == -1)
			return cerr_errno(err, "CDI devices");
	}
	return 0;
}

/* ---- nodes ---- */

static int
cdi_node_read(struct cdi_node *n, const json_t *what, struct cerr *err)
{
	const char *path, *host, *type;
	uint64_t major, minor;

	if (json_want_str(what, "path", true, &path, err) == -1 ||
	    json_want_str(what, "hostPath", false, &host, err) == -1 ||
	    json_want_str(what, "type", false, &type, err) == -1 ||
	    json_want_size(what, "major", false, &major, err) == -1 ||
	    json_want_size(what, "minor", false, &minor, err) == -1 ||
	    policy_check_path("CDI: path", path, err) == -1 ||
	    policy_clean_path("CDI: hostPath", host[0] != '\0' ? host : path,
		n->host, err) == -1)
		return -1;
	if (strlen(type) > 1 || (type[0] != '\0' && !strchr("bcup", type[0])))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "CDI: %.256s: type \"%.8s\"", path, type);
	n->what = what;
	n->known =
	    type[0] == 'p' || (type[0] != '\0' && (major != 0 || minor != 0));
	return 0;
}

static int
cdi_nodes(struct cdi *c, struct cerr *err)
{
	json_t *edits, *v;
	size_t i, k;

	c->nodes = calloc(CDI_NODES_MAX, sizeof(*c->nodes));
	if (c->nodes == NULL)
		return cerr_errno(err, "CDI devices");
	json_array_foreach(c->edits, i, edits) {
		json_array_foreach(json_object_get(edits, "deviceNodes"), k,
		    v) {
			if (c->nnodes == CDI_NODES_MAX)
				return cerr_set(err, CERR_FAILED_PRECONDITION,
				    "CDI: too many device nodes");
			if (cdi_node_read(&c->nodes[c->nnodes], v, err) == -1)
				return -1;
			c->nnodes++;
		}
	}
	return 0;
}

int
cdi_find(struct cdi *c, const char *text, size_t len, struct cerr *err)
{
	char notes[512] = "";
	json_t *used = json_array();
	int ret = -1;

	c->docs = json_array();
	c->edits = json_array();
	if (used == NULL || c->docs == NULL || c->edits == NULL)
		(void)cerr_errno(err, "CDI devices");
	else if (cdi_read_docs(c, text, len, notes, sizeof(notes)) == -1)
		(void)cerr_set(err, CERR_INTERNAL, "CDI: list of files");
	else if (cdi_collect(c, used, notes, err) == 0)
		ret = cdi_nodes(c, err);
	json_decref(used);
	/* What a file says wrong is not the client's fault. */
	if (ret == -1 && err->code == CERR_INVALID_ARGUMENT)
		err->code = CERR_FAILED_PRECONDITION;
	return ret;
}
