#ifndef CRIOD_IMAGED_ADDRESS_H
#define CRIOD_IMAGED_ADDRESS_H

/*
 * What an address is to this machine.  A registry may send a request on to
 * other hosts, but to those that only this machine can reach, or that tell it
 * secrets (its cloud's metadata), only if it is there itself.
 */

#include <stdbool.h>

struct sockaddr;

/* Bits. */
enum address_near {
	ADDRESS_ELSEWHERE = 0,
	ADDRESS_SELF = 1, /* loopback, unspecified */
	ADDRESS_LINK = 2, /* link-local, and what clouds use like it */
	ADDRESS_NONE = 4, /* multicast, broadcast: no host */
};

enum address_near address_of_sockaddr(const struct sockaddr *sa);
/* Of a URL's host, IPv6 in [] or bare; ELSEWHERE if it is a name. */
enum address_near address_of_host(const char *host);

#endif
