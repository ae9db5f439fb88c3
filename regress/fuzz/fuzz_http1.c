/* Whatever is taken must lie inside the buffer and say one thing only. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "streamd/http1.h"

static void
inside(struct http1_slice s, const char *buf, size_t len)
{
	assert(s.p >= buf && s.p + s.len <= buf + len);
	assert(memchr(s.p, '\n', s.len) == NULL || s.len == 0);
	assert(memchr(s.p, '\0', s.len) == NULL || s.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1_request r, again;
	char *buf = malloc(size + 1);

	memcpy(buf, data, size);
	if (http1_parse(buf, size, &r) == HTTP1_OK) {
		inside(r.method, buf, r.len);
		inside(r.path, buf, r.len);
		inside(r.query, buf, r.len);
		for (size_t i = 0; i < r.nfields; i++) {
			inside(r.fields[i].name, buf, r.len);
			inside(r.fields[i].value, buf, r.len);
		}
		(void)http1_keep_alive(&r);
		assert(r.len <= size && r.len <= HTTP1_HEAD_MAX);
		assert(http1_parse(buf, r.len, &again) == HTTP1_OK);
		assert(http1_parse(buf, r.len - 1, &again) == HTTP1_MORE);
	}
	free(buf);
	return 0;
}
