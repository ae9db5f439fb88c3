#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "execd/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* USER, NUL, passwd, NUL, group. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *s = (const char *)data;
	const char *end = len > 0 ? memchr(s, '\0', len) : NULL;
	const char *half;
	struct user_in in = { .username = "" };
	struct user u;
	struct cerr err;

	if (end == NULL)
		return 0;
	in.image = s;
	in.passwd.buf = end + 1;
	in.passwd.len = len - (size_t)(end + 1 - s);
	half = memchr(in.passwd.buf, '\0', in.passwd.len);
	in.group.buf = half != NULL ? half + 1 : in.passwd.buf;
	in.group.len = half != NULL
			   ? in.passwd.len - (size_t)(half + 1 - in.passwd.buf)
			   : in.passwd.len;
	if (user_resolve(&in, &u, &err) == 0)
		user_clear(&u);
	return 0;
}
