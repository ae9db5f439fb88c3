#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "netd/quantity.h"

#define QUANTITY_DIGITS_MAX 18

static const struct {
	const char *suffix;
	uint64_t base;
	int power; /* negative: divides */
} quantity_units[] = {
	{ "n", 1000, -3 },
	{ "u", 1000, -2 },
	{ "m", 1000, -1 },
	{ "", 1000, 0 },
	{ "k", 1000, 1 },
	{ "M", 1000, 2 },
	{ "G", 1000, 3 },
	{ "T", 1000, 4 },
	{ "P", 1000, 5 },
	{ "E", 1000, 6 },
	{ "Ki", 1024, 1 },
	{ "Mi", 1024, 2 },
	{ "Gi", 1024, 3 },
	{ "Ti", 1024, 4 },
	{ "Pi", 1024, 5 },
	{ "Ei", 1024, 6 },
};

/* value * base^power; what does not fit is -1, what does not divide rounds. */
static int
quantity_scale(unsigned __int128 *value, uint64_t base, int power)
{
	for (; power > 0; power--) {
		*value *= base;
		if (*value >> 96 != 0)
			return -1;
	}
	for (; power < 0; power++)
		*value = (*value + base - 1) / base;
	return 0;
}

/* "123.45": the digits as a number, and how many were behind the point. */
static const char *
quantity_digits(const char *s, unsigned __int128 *value, int *behind)
{
	int digits = 0;
	bool point = false;

	*value = 0;
	*behind = 0;
	for (; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		if (++digits > QUANTITY_DIGITS_MAX)
			return NULL;
		*value = *value * 10 + (unsigned int)(*s - '0');
		*behind += point;
	}
	return digits > 0 ? s : NULL;
}

static int
quantity_exponent(const char *s, int *power)
{
	char *end;
	long n = strtol(s + 1, &end, 10);

	if ((*s != 'e' && *s != 'E') || end == s + 1 || *end != '\0' ||
	    n < -18 || n > 18)
		return -1;
	*power = (int)n;
	return 0;
}

static int
quantity_unit(const char *s, uint64_t *base, int *power)
{
	for (size_t i = 0;
	     i < sizeof(quantity_units) / sizeof(quantity_units[0]); i++) {
		if (strcmp(quantity_units[i].suffix, s) == 0) {
			*base = quantity_units[i].base;
			*power = quantity_units[i].power;
			return 0;
		}
	}
	*base = 10;
	return quantity_exponent(s, power);
}

int
quantity_parse(const char *s, uint64_t *value)
{
	unsigned __int128 v;
	uint64_t base;
	int behind, power;

	if (*s == '+')
		s++;
	s = quantity_digits(s, &v, &behind);
	if (s == NULL || quantity_unit(s, &base, &power) == -1)
		return -1;
	/* Up before down, so that "1.5k" loses nothing. */
	if (quantity_scale(&v, base, power > 0 ? power : 0) == -1 ||
	    quantity_scale(&v, 10, -behind) == -1 ||
	    quantity_scale(&v, base, power < 0 ? power : 0) == -1 ||
	    v > INT64_MAX)
		return -1;
	*value = (uint64_t)v;
	return 0;
}
