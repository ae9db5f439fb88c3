#include <string.h>

#include "regress/fuzz/feed.h"

uint8_t
feed_byte(struct feed *f)
{
	if (f->n == 0)
		return 0;
	f->n--;
	return *f->p++;
}

uint16_t
feed_u16(struct feed *f)
{
	uint8_t low = feed_byte(f);

	return (uint16_t)(low | feed_byte(f) << 8);
}

size_t
feed_bytes(struct feed *f, size_t n, const uint8_t **p)
{
	if (n > f->n)
		n = f->n;
	*p = f->p;
	f->p += n;
	f->n -= n;
	return n;
}

void
feed_text(struct feed *f, char *out, size_t size)
{
	const uint8_t *p;
	size_t n = strnlen((const char *)f->p, f->n < size ? f->n : size - 1);

	n = feed_bytes(f, n, &p);
	memcpy(out, p, n);
	out[n] = '\0';
	if (f->n > 0 && *f->p == '\0')
		(void)feed_byte(f);
}
