#include <stdio.h>
#include <string.h>

#include "lib/json.h"

#include "imaged/payload.h"

static int
payload_fail(const char *why, struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "what the signature says is not valid: %s", why);
}

/* An object with exactly these members. */
static int
payload_only(const json_t *obj, const char *const *names, size_t n,
    struct cerr *err)
{
	if (!json_is_object(obj) || json_object_size(obj) != n)
		return payload_fail("unknown or missing members", err);
	for (size_t i = 0; i < n; i++) {
		if (json_object_get(obj, names[i]) == NULL)
			return payload_fail("a member is missing", err);
	}
	return 0;
}

/* The only member of an object, a string. */
static int
payload_single(const json_t *obj, const char *name, const char **value,
    struct cerr *err)
{
	if (payload_only(obj, &name, 1, err) == -1)
		return -1;
	*value = json_string_value(json_object_get(obj, name));
	return *value != NULL ? 0 : payload_fail("a member is not text", err);
}

/* cosign writes null when there is nothing. */
static int
payload_optional(const json_t *obj, struct cerr *err)
{
	const json_t *creator = json_object_get(obj, "creator");
	const json_t *timestamp = json_object_get(obj, "timestamp");

	if (json_is_null(obj))
		return 0;
	if (!json_is_object(obj))
		return payload_fail("optional is not an object", err);
	if ((creator != NULL && !json_is_string(creator)) ||
	    (timestamp != NULL && !json_is_integer(timestamp)))
		return payload_fail("creator or timestamp", err);
	return 0;
}

static int
payload_critical(const json_t *obj, const char *type, struct payload *p,
    struct cerr *err)
{
	static const char *const names[] = { "type", "image", "identity" };
	const char *have, *digest, *reference;

	if (payload_only(obj, names, 3, err) == -1)
		return -1;
	have = json_string_value(json_object_get(obj, "type"));
	if (have == NULL || strcmp(have, type) != 0)
		return payload_fail("of another type", err);
	if (payload_single(json_object_get(obj, "image"),
		"docker-manifest-digest", &digest, err) == -1 ||
	    payload_single(json_object_get(obj, "identity"), "docker-reference",
		&reference, err) == -1)
		return -1;
	if (!digest_is_sha256(digest))
		return payload_fail("the digest", err);
	if (strlen(reference) >= sizeof(p->reference))
		return payload_fail("the reference is too long", err);
	(void)snprintf(p->digest, sizeof(p->digest), "%s", digest);
	(void)snprintf(p->reference, sizeof(p->reference), "%s", reference);
	return 0;
}

int
payload_parse(const void *buf, size_t len, const char *type, struct payload *p,
    struct cerr *err)
{
	static const char *const names[] = { "critical", "optional" };
	json_t *doc =
	    json_read_bounded("a signature", buf, len, PAYLOAD_MAX, err);
	int rc;

	if (doc == NULL)
		return -1;
	rc = payload_only(doc, names, 2, err);
	if (rc == 0)
		rc = payload_optional(json_object_get(doc, "optional"), err);
	if (rc == 0)
		rc = payload_critical(json_object_get(doc, "critical"), type, p,
		    err);
	json_decref(doc);
	return rc;
}

/* ---- statements ---- */

/* The subject with the digest that is looked for, or the first. */
static const json_t *
payload_subject(const json_t *list, const char *digest)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const char *hex = json_string_value(
		    json_object_get(json_object_get(one, "digest"), "sha256"));

		if (hex != NULL && strcmp(hex, digest + DIGEST_PREFIX_LEN) == 0)
			return one;
	}
	return json_array_get(list, 0);
}

static int
payload_claim(const json_t *subject, struct payload *p, struct cerr *err)
{
	const json_t *name = json_object_get(subject, "name");
	const char *hex = json_string_value(
	    json_object_get(json_object_get(subject, "digest"), "sha256"));

	if (hex == NULL || strlen(hex) != DIGEST_HEX_LEN)
		return payload_fail("no sha256 digest", err);
	if ((name != NULL && !json_is_string(name)) ||
	    json_string_length(name) >= sizeof(p->reference))
		return payload_fail("the name", err);
	(void)snprintf(p->digest, sizeof(p->digest), DIGEST_PREFIX "%s", hex);
	(void)snprintf(p->reference, sizeof(p->reference), "%s",
	    name == NULL ? "" : json_string_value(name));
	return digest_is_sha256(p->digest) ? 0
					   : payload_fail("the digest", err);
}

int
payload_statement(const void *buf, size_t len, const char *digest,
    struct payload *p, struct cerr *err)
{
	json_t *doc =
	    json_read_bounded("a signature", buf, len, PAYLOAD_MAX, err);
	const char *type, *predicate;
	int rc;

	if (doc == NULL)
		return -1;
	type = json_string_value(json_object_get(doc, "_type"));
	predicate = json_string_value(json_object_get(doc, "predicateType"));
	if (type == NULL || strcmp(type, PAYLOAD_STATEMENT) != 0 ||
	    predicate == NULL || strcmp(predicate, PAYLOAD_PREDICATE) != 0)
		rc = payload_fail("of another type", err);
	else
		rc = payload_claim(
		    payload_subject(json_object_get(doc, "subject"), digest), p,
		    err);
	json_decref(doc);
	return rc;
}
