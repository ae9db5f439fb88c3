#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "imaged/address.h"

struct address_net {
	uint8_t net[16];
	unsigned int bits;
	enum address_near near;
};

static const struct address_net address_nets4[] = {
	{ { 0 }, 8, ADDRESS_SELF },
	{ { 127 }, 8, ADDRESS_SELF },
	{ { 169, 254 }, 16, ADDRESS_LINK },
	{ { 100, 100, 100, 200 }, 32, ADDRESS_LINK }, /* Alibaba's metadata */
	{ { 168, 63, 129, 16 }, 32, ADDRESS_LINK },   /* Azure's */
	{ { 192, 0, 0, 192 }, 32, ADDRESS_LINK },     /* Oracle's */
	{ { 224 }, 4, ADDRESS_NONE },
	{ { 255, 255, 255, 255 }, 32, ADDRESS_NONE },
};

static const struct address_net address_nets6[] = {
	{ { 0 }, 128, ADDRESS_SELF },
	{ { [15] = 1 }, 128, ADDRESS_SELF },
	{ { 0xfe, 0x80 }, 10, ADDRESS_LINK },
	/* Amazon's metadata, Google's */
	{ { 0xfd, 0, 0x0e, 0xc2 }, 32, ADDRESS_LINK },
	{ { 0xfd, 0x20, 0, 0xce }, 32, ADDRESS_LINK },
	{ { 0xff }, 8, ADDRESS_NONE },
};

/* Under which the last four bytes are an IPv4 address. */
static const uint8_t address_mapped[][12] = {
	{ [10] = 0xff, [11] = 0xff }, { 0, 0x64, 0xff, 0x9b }, /* NAT64 */
};

static bool
address_within(const uint8_t *a, const struct address_net *n)
{
	size_t whole = n->bits / 8;
	unsigned int rest = n->bits % 8;

	if (memcmp(a, n->net, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ n->net[whole]) >> (8 - rest)) == 0;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum address_near
address_find(const uint8_t *a, const struct address_net *nets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (address_within(a, &nets[i]))
			return nets[i].near;
	}
	return ADDRESS_ELSEWHERE;
}

static enum address_near
address_of_v4(const void *a)
{
	return address_find(a, address_nets4, COUNT(address_nets4));
}

static enum address_near
address_of_v6(const void *a)
{
	const uint8_t *bytes = a;

	for (size_t i = 0; i < COUNT(address_mapped); i++) {
		if (memcmp(bytes, address_mapped[i], 12) == 0)
			return address_of_v4(bytes + 12);
	}
	return address_find(bytes, address_nets6, COUNT(address_nets6));
}

enum address_near
address_of_sockaddr(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		return address_of_v4(&in.sin_addr);
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		return address_of_v6(&in6.sin6_addr);
	}
	return ADDRESS_NONE;
}

enum address_near
address_of_host(const char *host)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t a[16];
	size_t len = strlen(host);

	if (host[0] == '[' && len > 2)
		(void)snprintf(text, sizeof(text), "%.*s", (int)len - 2,
		    host + 1);
	else
		(void)snprintf(text, sizeof(text), "%s", host);
	if (inet_pton(AF_INET, text, a) == 1)
		return address_of_v4(a);
	return inet_pton(AF_INET6, text, a) == 1 ? address_of_v6(a)
						 : ADDRESS_ELSEWHERE;
}
