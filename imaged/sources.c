#include <stdbool.h>
#include <string.h>

#include "lib/json.h"
#include "lib/yamljson.h"

#include "imaged/sources.h"

typedef void (*sources_fn)(void *arg, const struct sources_section *s);

static const char *const sources_no_integers[] = { NULL };

/* Comments alone are a file that says nothing. */
static bool
sources_empty(const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end) {
		if (*p == '#')
			while (p < end && *p != '\n')
				p++;
		else if (strchr(" \t\r\n", *p) == NULL || *p == '\0')
			return false;
		else
			p++;
	}
	return true;
}

/* It goes to the parent as a line with tabs between. */
static bool
sources_plain(const char *s)
{
	return strlen(s) <= SOURCES_TEXT_MAX && strpbrk(s, "\t\r\n") == NULL;
}

static bool
sources_url(const char *s)
{
	return strncmp(s, "http://", 7) == 0 ||
	       strncmp(s, "https://", 8) == 0 || strncmp(s, "file:///", 8) == 0;
}

static int
sources_lookaside(json_t *obj, const char **url, struct cerr *err)
{
	if (json_want_str(obj, "lookaside", false, url, err) == -1)
		return -1;
	if (**url == '\0' &&
	    json_want_str(obj, "sigstore", false, url, err) == -1)
		return -1;
	if (**url != '\0' && (!sources_url(*url) || !sources_plain(*url)))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "lookaside is not an http, https or file URL");
	return 0;
}

static int
sources_attachments(json_t *obj, enum sources_use *use, struct cerr *err)
{
	const char *text;

	if (json_want_str(obj, "use-sigstore-attachments", false, &text, err) ==
	    -1)
		return -1;
	if (*text == '\0')
		*use = SOURCES_UNSET;
	else if (strcmp(text, "true") == 0)
		*use = SOURCES_YES;
	else if (strcmp(text, "false") == 0)
		*use = SOURCES_NO;
	else
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "use-sigstore-attachments is neither true nor false");
	return 0;
}

static int
sources_section(const char *scope, json_t *obj, sources_fn fn, void *arg,
    struct cerr *err)
{
	struct sources_section s = { .scope = scope };

	if (json_is_null(obj))
		return 0;
	if (!json_is_object(obj) || !sources_plain(scope))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "\"%.256s\" is not a mapping", scope);
	if (sources_lookaside(obj, &s.lookaside, err) == -1 ||
	    sources_attachments(obj, &s.attachments, err) == -1)
		return -1;
	fn(arg, &s);
	return 0;
}

static int
sources_take(json_t *doc, sources_fn fn, void *arg, struct cerr *err)
{
	json_t *docker, *fallback, *one;
	const char *scope;

	if (json_want(doc, "default-docker", JSON_OBJECT, false, &fallback,
		err) == -1 ||
	    json_want(doc, "docker", JSON_OBJECT, false, &docker, err) == -1)
		return -1;
	if (fallback != NULL &&
	    sources_section("", fallback, fn, arg, err) == -1)
		return -1;
	json_object_foreach(docker, scope, one) {
		if (*scope == '\0')
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "a scope without a name");
		if (sources_section(scope, one, fn, arg, err) == -1)
			return -1;
	}
	return 0;
}

int
sources_read(const char *text, size_t len, sources_fn fn, void *arg,
    struct cerr *err)
{
	json_t *doc;
	int rc;

	if (sources_empty(text, len))
		return 0;
	doc = yamljson_read(text, len, SOURCES_MAX, sources_no_integers, err);
	if (doc == NULL)
		return -1;
	rc = sources_take(doc, fn, arg, err);
	json_decref(doc);
	return rc;
}
