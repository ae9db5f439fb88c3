#ifndef CRIOD_LIB_ID_H
#define CRIOD_LIB_ID_H

/*
 * Pod sandbox and container ids: 64 lower-case hexadecimal digits from 256
 * random bits.  An id that passes id_valid is safe as a file name.
 */

#include <stdbool.h>
#include <stddef.h>

#define ID_LEN	64
#define ID_SIZE (ID_LEN + 1)

void id_new(char id[ID_SIZE]);
bool id_valid(const char *s);
/* True if s is 1 to ID_LEN hexadecimal digits: what a client may shorten. */
bool id_prefix_valid(const char *s);

#endif
