#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/wire.h"
#include "lib/fdio.h"

#define WIRE_SPILLED 1

union wire_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
};

static void
wire_put(uint8_t *p, uint32_t value, size_t width)
{
	for (size_t i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t
wire_get(const uint8_t *p, size_t width)
{
	uint32_t value = 0;

	for (size_t i = 0; i < width; i++)
		value |= (uint32_t)p[i] << (8 * i);
	return value;
}

static int
wire_send_packet(int sock, const struct wire_msg *m, const int *fds,
    size_t nfds, bool spilled)
{
	uint8_t header[WIRE_HEADER] = { 0 };
	union wire_control control;
	struct iovec iov[2];
	struct msghdr mh;
	struct cmsghdr *cm;
	ssize_t n;

	wire_put(header, m->type, 2);
	wire_put(header + 2, spilled ? WIRE_SPILLED : 0, 2);
	wire_put(header + 4, m->id, 4);
	wire_put(header + 8, (uint32_t)nfds, 2);
	wire_put(header + 12, (uint32_t)m->len, 4);
	iov[0] = (struct iovec){ header, sizeof(header) };
	iov[1] = (struct iovec){ m->data, spilled ? 0 : m->len };
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = iov;
	mh.msg_iovlen = 2;
	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * nfds);
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

int
wire_send(int sock, const struct wire_msg *m)
{
	CLEANUP_FD int spill = -1;
	int fds[WIRE_FDS_MAX];
	size_t nfds = m->nfds;

	if (nfds > WIRE_FDS_MAX || m->len > UINT32_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(fds, m->fds, sizeof(int) * nfds);
	if (m->len <= WIRE_INLINE_MAX)
		return wire_send_packet(sock, m, fds, nfds, false);
	if (nfds == WIRE_FDS_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	spill = fdio_memfd_sealed("criod-msg", m->data, m->len);
	if (spill == -1)
		return -1;
	fds[nfds++] = spill;
	return wire_send_packet(sock, m, fds, nfds, true);
}

static void
wire_take_fds(struct msghdr *mh, struct wire_msg *m)
{
	struct cmsghdr *cm;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t bytes;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		bytes = cm->cmsg_len - CMSG_LEN(0);
		memcpy(m->fds, CMSG_DATA(cm), bytes);
		m->nfds = bytes / sizeof(int);
	}
}

/* The peer's doing. */
static int
wire_bad(void)
{
	errno = EBADMSG;
	return -1;
}

/* Replaces the inline payload by what the last descriptor holds. */
static int
wire_unspill(struct wire_msg *m, size_t len, size_t max)
{
	size_t got = 0;

	if (m->nfds == 0)
		return wire_bad();
	if (fdio_memfd_read(m->fds[m->nfds - 1], max, &m->data, &got) == -1)
		return errno == ENOMEM ? -1 : wire_bad();
	m->len = got;
	fdio_close(&m->fds[--m->nfds]);
	return got == len ? 0 : wire_bad();
}

/*
 * Truncated control data: the kernel dropped descriptors.  Those for which
 * there was room in the packet found none in this process.
 */
static int
wire_count_fds(const struct wire_msg *m, size_t want, bool cut)
{
	if (cut && want <= WIRE_FDS_MAX && want > m->nfds) {
		errno = EMFILE;
		return -1;
	}
	return cut || want != m->nfds ? wire_bad() : 0;
}

/* Reads the header; what does not agree with the packet is malformed. */
static int
wire_parse(const uint8_t *packet, size_t size, bool cut, struct wire_msg *m,
    size_t max)
{
	uint32_t flags, len;

	if (size < WIRE_HEADER)
		return wire_bad();
	m->type = wire_get(packet, 2);
	flags = wire_get(packet + 2, 2);
	m->id = wire_get(packet + 4, 4);
	len = wire_get(packet + 12, 4);
	if ((flags & ~(uint32_t)WIRE_SPILLED) != 0 ||
	    wire_get(packet + 10, 2) != 0 ||
	    (flags == 0 && (len != size - WIRE_HEADER || len > max)) ||
	    (flags != 0 && size != WIRE_HEADER))
		return wire_bad();
	if (wire_count_fds(m, wire_get(packet + 8, 2), cut) == -1)
		return -1;
	if (flags & WIRE_SPILLED)
		return wire_unspill(m, len, max);
	m->len = len;
	m->data = malloc(m->len + 1);
	if (m->data == NULL)
		return -1;
	memcpy(m->data, packet + WIRE_HEADER, m->len);
	m->data[m->len] = 0;
	return 0;
}

/* What is left of a message that cannot be taken: what it was. */
static int
wire_refuse(struct wire_msg *m, int error)
{
	unsigned int type = m->type;
	uint32_t id = m->id;

	wire_clear(m);
	m->type = type;
	m->id = id;
	errno = error;
	return -1;
}

/*
 * Nothing came: at the end of the file nothing will come any more, after a
 * packet of no bytes there is something, or nothing yet.
 */
static bool
wire_ended(int sock)
{
	uint8_t byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	return recvmsg(sock, &mh, MSG_PEEK | MSG_DONTWAIT) == 0;
}

int
wire_recv(int sock, struct wire_msg *m, size_t max)
{
	uint8_t packet[WIRE_PACKET_MAX];
	union wire_control control;
	struct iovec iov = { packet, sizeof(packet) };
	struct msghdr mh;
	ssize_t n;

	memset(m, 0, sizeof(*m));
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	mh.msg_control = control.buf;
	mh.msg_controllen = sizeof(control.buf);
	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	wire_take_fds(&mh, m);
	if (n == 0 && m->nfds == 0 && wire_ended(sock))
		return 0;
	if ((mh.msg_flags & MSG_TRUNC) != 0)
		return wire_refuse(m, EBADMSG);
	if (wire_parse(packet, (size_t)n, (mh.msg_flags & MSG_CTRUNC) != 0, m,
		max) == 0)
		return 1;
	return wire_refuse(m, errno);
}

void
wire_clear(struct wire_msg *m)
{
	for (size_t i = 0; i < m->nfds; i++)
		fdio_close(&m->fds[i]);
	if (m->data != NULL) /* it may carry a password */
		explicit_bzero(m->data, m->len);
	free(m->data);
	memset(m, 0, sizeof(*m));
}
