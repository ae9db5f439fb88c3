#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct auth_challenge c;
	char url[AUTH_URL_SIZE];
	struct cerr err;
	char *token;

	if (auth_challenge_parse((const char *)data, len, &c) == 0 &&
	    auth_token_url(&c, "repository:x:pull", url) == 0 &&
	    strlen(url) >= sizeof(url))
		abort();
	if (auth_token_parse(data, len, &token, &err) == 0)
		auth_wipe(token);
	return 0;
}
