/* The container's output into its log. */
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "execd/monitor.h"

#define LOG_BATCH 64 /* lines a write */

/* Lines that go out in one write: prefix, text and sometimes a newline. */
struct log_batch {
	struct iovec iov[3 * LOG_BATCH];
	int niov;
	size_t lines, bytes;
	char prefix[2][LINE_PREFIX_SIZE]; /* P, F */
};

int64_t
monitor_wall_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

bool
monitor_log_usable(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && (flags & O_APPEND) != 0 &&
	       (flags & O_ACCMODE) != O_RDONLY && fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode));
}

static void
log_add(struct log_batch *b, const void *data, size_t len)
{
	struct iovec *v = &b->iov[b->niov++];

	memcpy(&v->iov_base, &data, sizeof(data));
	v->iov_len = len;
	b->bytes += len;
}

static void
log_add_line(struct log_batch *b, const struct line_piece *p)
{
	log_add(b, b->prefix[p->full], LINE_PREFIX_SIZE - 1);
	log_add(b, p->text, p->len);
	if (!p->has_nl)
		log_add(b, "\n", 1);
	b->lines++;
}

/* How many of the n bytes written belong to whole lines; *lines counts them. */
static size_t
log_whole(const struct log_batch *b, size_t n, size_t *lines)
{
	size_t seen = 0, whole = 0;

	*lines = 0;
	for (int i = 0; i < b->niov; i++) {
		const struct iovec *v = &b->iov[i];

		seen += v->iov_len;
		if (seen > n)
			break;
		if (((const char *)v->iov_base)[v->iov_len - 1] == '\n') {
			whole = seen;
			(*lines)++;
		}
	}
	return whole;
}

/*
 * A full disk: what was written of a torn line is taken back, and lost lines
 * are counted.  The container goes on either way.
 */
static void
log_torn(struct monitor *m, const struct log_batch *b, size_t n)
{
	size_t lines = 0, whole = log_whole(b, n, &lines);
	off_t end = lseek(m->log_fd, 0, SEEK_END);

	m->log_lost += b->lines - lines;
	if (n > whole && end != -1 &&
	    ftruncate(m->log_fd, end - (off_t)(n - whole)) == -1)
		m->log_lost++;
}

static void
log_flush(struct monitor *m, struct log_batch *b)
{
	ssize_t n;

	if (b->niov == 0)
		return;
	do
		n = writev(m->log_fd, b->iov, b->niov);
	while (n == -1 && errno == EINTR);
	if (n != (ssize_t)b->bytes)
		log_torn(m, b, n == -1 ? 0 : (size_t)n);
	b->niov = 0;
	b->lines = b->bytes = 0;
}

static void
log_lines(struct monitor *m, struct monitor_stream *s, bool end)
{
	struct log_batch b;
	struct line_piece p;
	size_t done = 0, n;
	int64_t now = monitor_wall_ns();

	b.niov = 0;
	b.lines = b.bytes = 0;
	line_prefix(b.prefix[0], now, s->name, false);
	line_prefix(b.prefix[1], now, s->name, true);
	while ((n = line_cut(s->buf + done, s->len - done, end, &p)) != 0) {
		log_add_line(&b, &p);
		done += n;
		if (b.lines == LOG_BATCH)
			log_flush(m, &b);
	}
	log_flush(m, &b);
	s->len -= done;
	memmove(s->buf, s->buf + done, s->len);
}

/* EIO: no process has the terminal open any more. */
void
monitor_log_read(struct monitor *m, struct monitor_stream *s, bool end)
{
	ssize_t n = read(s->fd, s->buf + s->len, sizeof(s->buf) - s->len);

	if (n == -1 && errno != EIO && !end)
		return;
	if (n > 0) {
		monitor_attach_output(m, s, s->buf + s->len, (size_t)n);
		s->len += (size_t)n;
	}
	log_lines(m, s, n <= 0);
	if (n <= 0) {
		(void)close(s->fd);
		s->fd = -1;
	}
}
