#include "lib/layerid.h"

/* FNV-1a, 64 bits. */
uint64_t
layerid_of_path(const char *path)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *path != '\0'; path++) {
		hash ^= (unsigned char)*path;
		hash *= UINT64_C(0x100000001b3);
	}
	return 1 + hash % LAYERID_STORES;
}
