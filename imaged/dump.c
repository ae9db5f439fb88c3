#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/dump.h"
#include "lib/fdio.h"

struct dump_out {
	int fd, error;
	uint64_t len;
	uint8_t buf[64 * 1024];
	size_t nbuf;
};

struct dump_out *
dump_out_new(int fd)
{
	struct dump_out *d = calloc(1, sizeof(*d));

	if (d != NULL)
		d->fd = fd;
	return d;
}

static void
dump_out_flush(struct dump_out *d)
{
	if (d->error == 0 && fdio_write_all(d->fd, d->buf, d->nbuf) == -1)
		d->error = errno;
	d->nbuf = 0;
}

static void
dump_out_raw(struct dump_out *d, const void *p, size_t len)
{
	const uint8_t *from = p;

	d->len += len;
	if (d->len > DUMP_MAX && d->error == 0)
		d->error = EFBIG;
	while (len > 0 && d->error == 0) {
		size_t n = sizeof(d->buf) - d->nbuf;

		if (n > len)
			n = len;
		memcpy(d->buf + d->nbuf, from, n);
		d->nbuf += n;
		from += n;
		len -= n;
		if (d->nbuf == sizeof(d->buf))
			dump_out_flush(d);
	}
}

void
dump_out_number(struct dump_out *d, uint64_t v)
{
	uint8_t b[8];

	for (unsigned int i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> 8 * i);
	dump_out_raw(d, b, sizeof(b));
}

void
dump_out_bytes(struct dump_out *d, const void *p, size_t len)
{
	dump_out_number(d, len);
	dump_out_raw(d, p, len);
}

void
dump_out_text(struct dump_out *d, const char *s)
{
	dump_out_bytes(d, s, strlen(s));
}

int
dump_out_end(struct dump_out *d, uint64_t *len)
{
	int error;

	dump_out_flush(d);
	*len = d->len;
	error = d->error;
	free(d);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* ---- reading ---- */

void
dump_in_begin(struct dump_in *d, int fd, uint64_t len)
{
	memset(d, 0, sizeof(*d));
	d->fd = fd;
	d->len = len;
	d->bad = len > DUMP_MAX;
}

/* The next bytes; zeros once something is wrong. */
static void
dump_in_raw(struct dump_in *d, uint8_t *out, size_t len)
{
	memset(out, 0, len);
	if (d->bad || len > d->len - d->at) {
		d->bad = true;
		return;
	}
	while (len > 0) {
		uint64_t in = d->at - d->buf_at;
		size_t n;

		if (d->at < d->buf_at || in >= d->nbuf) {
			ssize_t got =
			    pread(d->fd, d->buf, sizeof(d->buf), (off_t)d->at);

			if (got <= 0) {
				d->bad = true;
				return;
			}
			d->buf_at = d->at;
			d->nbuf = (size_t)got;
			in = 0;
		}
		n = d->nbuf - (size_t)in;
		if (n > len)
			n = len;
		memcpy(out, d->buf + in, n);
		d->at += n;
		out += n;
		len -= n;
	}
}

uint64_t
dump_in_number(struct dump_in *d, uint64_t max)
{
	uint8_t b[8];
	uint64_t v = 0;

	dump_in_raw(d, b, sizeof(b));
	for (unsigned int i = 0; i < 8; i++)
		v |= (uint64_t)b[i] << 8 * i;
	if (v > max)
		d->bad = true;
	return d->bad ? 0 : v;
}

void
dump_in_text(struct dump_in *d, char *out, size_t size)
{
	size_t len = (size_t)dump_in_number(d, size - 1);

	dump_in_raw(d, (uint8_t *)out, len);
	out[len] = '\0';
	if (strlen(out) != len)
		d->bad = true;
}

uint64_t
dump_in_skip(struct dump_in *d, uint64_t max, uint64_t *at)
{
	uint64_t len = dump_in_number(d, max);

	*at = d->at;
	if (d->bad || len > d->len - d->at) {
		d->bad = true;
		return 0;
	}
	d->at += len;
	return len;
}

bool
dump_in_good(const struct dump_in *d)
{
	return !d->bad && d->at == d->len;
}
