#include <sys/random.h>

#include <stdint.h>
#include <string.h>

#include "lib/id.h"
#include "lib/log.h"

static const char id_digits[] = "0123456789abcdef";

void
id_new(char id[ID_SIZE])
{
	uint8_t raw[ID_LEN / 2];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		fatal("getrandom");
	for (size_t i = 0; i < sizeof(raw); i++) {
		id[2 * i] = id_digits[raw[i] >> 4];
		id[2 * i + 1] = id_digits[raw[i] & 15];
	}
	id[ID_LEN] = '\0';
}

bool
id_prefix_valid(const char *s)
{
	size_t n = strspn(s, id_digits);

	return n >= 1 && n <= ID_LEN && s[n] == '\0';
}

bool
id_valid(const char *s)
{
	return id_prefix_valid(s) && strlen(s) == ID_LEN;
}
