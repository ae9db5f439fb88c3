#ifndef CRIOD_IMSG_WIRE_H
#define CRIOD_IMSG_WIRE_H

/*
 * One message on a SOCK_SEQPACKET socket: a 16-byte header, little-endian,
 * field by field:
 *
 *	u16 type, u16 flags, u32 id, u16 descriptors, u16 zero, u32 length
 *
 * then the payload, or, with WIRE_SPILLED, nothing: the payload is then in
 * the sealed memfd that travels as the last descriptor.
 */

#include <stddef.h>
#include <stdint.h>

#define WIRE_PACKET_MAX (16 * 1024)
#define WIRE_HEADER	16
#define WIRE_INLINE_MAX (WIRE_PACKET_MAX - WIRE_HEADER)
#define WIRE_FDS_MAX	4 /* the spill included */

struct wire_msg {
	unsigned int type;
	uint32_t id; /* of the request; 0: one-way */
	uint8_t *data;
	size_t len;
	int fds[WIRE_FDS_MAX];
	size_t nfds;
};

/*
 * Sends m whole.  Borrows everything.  0, or -1 with errno; EAGAIN on a
 * non-blocking socket that is full.  Payloads over WIRE_INLINE_MAX are put in
 * a memfd for the time of the call.
 */
int wire_send(int sock, const struct wire_msg *m)
    __attribute__((warn_unused_result));

/*
 * Receives one message into *m, which then owns data and descriptors (see
 * wire_clear).  max bounds a spilled payload.  1; 0 at end of file; -1 with
 * errno (nothing is then owned): EBADMSG for anything malformed, EMFILE or
 * ENOMEM if this process has no descriptor or memory for it.  Of such a
 * message type and id are known, and it is gone.
 */
int wire_recv(int sock, struct wire_msg *m, size_t max)
    __attribute__((warn_unused_result));

/* Frees data, closes the descriptors that are not -1, zeroes *m. */
void wire_clear(struct wire_msg *m);

#endif
