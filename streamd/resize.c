#include "lib/json.h"
#include "streamd/resize.h"

static int
resize_member(const json_t *j, const char *key, uint16_t *value)
{
	uint64_t n;

	if (json_want_size(j, key, true, &n, NULL) == -1 || n > UINT16_MAX)
		return -1;
	*value = (uint16_t)n;
	return 0;
}

static int
resize_parse(const struct resize *r, struct resize_size *size)
{
	json_t *j =
	    json_read_bounded("resize", r->text, r->len, sizeof(r->text), NULL);
	int result = -1;

	if (j != NULL && resize_member(j, "Width", &size->columns) == 0 &&
	    resize_member(j, "Height", &size->rows) == 0)
		result = 0;
	json_decref(j);
	return result;
}

/* They are flat objects: each ends with the first brace. */
bool
resize_take(struct resize *r, const char *text, size_t len,
    struct resize_size *size)
{
	bool some = false;

	for (size_t i = 0; i < len && !r->bad; i++) {
		if (r->len == sizeof(r->text)) {
			r->bad = true;
			break;
		}
		r->text[r->len++] = text[i];
		if (text[i] != '}')
			continue;
		if (resize_parse(r, size) == -1)
			r->bad = true;
		else
			some = true;
		r->len = 0;
	}
	return some;
}
