#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/json.h"
#include "lib/log.h"

#include "imaged/sigatomic.h"
#include "imaged/sigset.h"

#define SIGATOMIC_VERSION 2
#define SIGATOMIC_TYPE	  "atomic"

static int
sigatomic_put(struct sigset *set, const char *digest, const char *content,
    struct cerr *err)
{
	size_t len = strlen(content);
	uint8_t *buf = malloc(len + 1);
	struct base64 b = { 0 };
	struct sig *sig;
	ssize_t n;
	int rc = -1;

	if (buf == NULL)
		fatal("sigatomic: malloc");
	n = base64_decode(&b, (const uint8_t *)content, len, buf);
	if (n <= 0 || base64_end(&b) == -1)
		(void)cerr_set(err, CERR_DATA_LOSS,
		    "a signature of the registry's is not base64");
	else if ((sig = sigset_add(set, SIG_SIMPLE, digest, err)) != NULL)
		rc = sigset_put(set, sig, SIG_BODY, buf, (size_t)n, err);
	free(buf);
	return rc;
}

static int
sigatomic_one(const json_t *one, const char *digest, struct sigset *set,
    struct cerr *err)
{
	const char *type, *content;
	uint64_t version;

	if (json_want_size(one, "version", false, &version, err) == -1 ||
	    json_want_str(one, "type", false, &type, err) == -1)
		return -1;
	if (version != SIGATOMIC_VERSION || strcmp(type, SIGATOMIC_TYPE) != 0)
		return 0;
	if (json_want_str(one, "content", true, &content, err) == -1)
		return -1;
	return sigatomic_put(set, digest, content, err);
}

int
sigatomic_parse(const void *buf, size_t len, const char *digest,
    struct sigset *set, struct cerr *err)
{
	json_t *doc = json_read_bounded("the registry's list of signatures",
	    buf, len, SIGATOMIC_MAX, err);
	json_t *list, *one;
	size_t i;
	int rc;

	if (doc == NULL)
		return -1;
	rc = json_want(doc, "signatures", JSON_ARRAY, false, &list, err);
	json_array_foreach(list, i, one) {
		if (rc == 0)
			rc = sigatomic_one(one, digest, set, err);
	}
	json_decref(doc);
	return rc;
}
