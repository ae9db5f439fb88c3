#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "execd/cdi.h"
#include "lib/fdio.h"

#define CDI_PREFIX   "cdi.k8s.io/"
#define CDI_NAME_MAX 1024

/* Letters and digits at both ends; also in between. */
static bool
cdi_name_part(const char *s, size_t n, const char *also)
{
	if (n == 0 || !isalnum((unsigned char)s[0]) ||
	    !isalnum((unsigned char)s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && strchr(also, s[i]) == NULL)
			return false;
	}
	return true;
}

bool
cdi_name_valid(const char *name, size_t *sep)
{
	const char *slash = strchr(name, '/');
	const char *eq = slash == NULL ? NULL : strchr(slash, '=');

	if (eq == NULL || strlen(name) > CDI_NAME_MAX)
		return false;
	if (sep != NULL)
		*sep = (size_t)(eq - name);
	return isalpha((unsigned char)name[0]) &&
	       isalpha((unsigned char)slash[1]) &&
	       cdi_name_part(name, (size_t)(slash - name), "_-.") &&
	       cdi_name_part(slash + 1, (size_t)(eq - slash - 1), "_-.") &&
	       cdi_name_part(eq + 1, strlen(eq + 1), "_-.:");
}

static int
cdi_want(struct cdi *c, const char *name, size_t len, struct cerr *err)
{
	CLEANUP_FREE char *one = strndup(name, len);
	json_t *v;
	size_t i;

	if (one == NULL)
		return cerr_errno(err, "CDI devices");
	if (!cdi_name_valid(one, NULL))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "CDI: \"%.128s\" is not VENDOR/CLASS=NAME", one);
	json_array_foreach(c->wanted, i, v) {
		if (strcmp(json_string_value(v), one) == 0)
			return 0;
	}
	if (json_array_size(c->wanted) == CDI_WANTED_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "CDI: more than %d devices", CDI_WANTED_MAX);
	return json_array_append_new(c->wanted, json_string(one)) == -1
		   ? cerr_errno(err, "CDI devices")
		   : 0;
}

/* "NAME,NAME" */
static int
cdi_want_list(struct cdi *c, const char *text, struct cerr *err)
{
	size_t n;

	for (;; text += n + 1) {
		n = strcspn(text, ",");
		if (cdi_want(c, text, n, err) == -1)
			return -1;
		if (text[n] == '\0')
			return 0;
	}
}

int
cdi_wanted(struct cdi *c, const Runtime__V1__ContainerConfig *config,
    struct cerr *err)
{
	*c = (struct cdi){ .wanted = json_array() };
	if (c->wanted == NULL)
		return cerr_errno(err, "CDI devices");
	for (size_t i = 0; i < config->n_cdi_devices; i++) {
		const char *name = config->cdi_devices[i]->name;

		if (cdi_want(c, name, strlen(name), err) == -1)
			return -1;
	}
	for (size_t i = 0; i < config->n_annotations; i++) {
		if (strncmp(config->annotations[i]->key, CDI_PREFIX,
			strlen(CDI_PREFIX)) == 0 &&
		    cdi_want_list(c, config->annotations[i]->value, err) == -1)
			return -1;
	}
	return 0;
}
