#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"

static int
base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* One character; -1 if it may not stand there. */
static int
base64_put(struct base64 *b, uint8_t c)
{
	int value = base64_value(c);

	if (c == '=') {
		if (b->n < 2)
			return -1;
		b->pad++;
		value = 0;
	} else if (value == -1 || b->pad > 0)
		return -1;
	b->bits = b->bits << 6 | (uint32_t)value;
	b->n++;
	return 0;
}

ssize_t
base64_decode(struct base64 *b, const uint8_t *in, size_t len, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (b->n == 0 && b->pad > 0)
			return -1;
		if (base64_put(b, in[i]) == -1)
			return -1;
		if (b->n < 4)
			continue;
		for (unsigned int k = 0; k < 3 - b->pad; k++)
			out[n++] = (uint8_t)(b->bits >> (16 - 8 * k));
		b->n = 0;
		b->bits = 0;
	}
	return (ssize_t)n;
}

int
base64_end(struct base64 *b)
{
	int result = b->n == 0 ? 0 : -1;

	memset(b, 0, sizeof(*b));
	return result;
}

uint8_t *
base64_decode_all(const char *text, size_t len, size_t *n)
{
	struct base64 b = { 0 };
	uint8_t *p = malloc(len + 1);
	ssize_t got;

	if (p == NULL)
		return NULL;
	got = base64_decode(&b, (const uint8_t *)text, len, p);
	if (got <= 0 || base64_end(&b) == -1) {
		free(p);
		return NULL;
	}
	p[got] = '\0';
	*n = (size_t)got;
	return p;
}
