/* An image's config and its user. */
#include <stdlib.h>

#include "imaged/imgconf.h"
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cerr err;
	struct imgconf *c;
	char name[64];
	uint32_t uid;

	json_init();
	c = imgconf_parse(data, size, &err);
	if (c != NULL)
		(void)imgconf_user_parse(c->user, &uid, name, sizeof(name));
	imgconf_free(c);
	return 0;
}
