#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "streamd/status.h"

#define STATUS_TEXT_MAX 1536

static json_t *
status_exit(int32_t code, const char *message)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", code);
	return json_pack("{s:{},s:s,s:s,s:s,s:{s:[{s:s,s:s}]}}", "metadata",
	    "status", "Failure", "message", message, "reason",
	    "NonZeroExitCode", "details", "causes", "reason", "ExitCode",
	    "message", number);
}

static json_t *
status_error(const char *message)
{
	return json_pack("{s:{},s:s,s:s,s:s,s:{s:[{s:s}]},s:i}", "metadata",
	    "status", "Failure", "message", message, "reason", "InternalError",
	    "details", "causes", "message", message, "code", 500);
}

static char *
status_json(int32_t code, const char *why, const char *message)
{
	json_t *j;
	char *text;

	if (why != NULL) {
		j = status_error(message);
		if (j == NULL)
			j = status_error("the reason is not valid text");
	} else if (code != 0)
		j = status_exit(code, message);
	else
		j = json_pack("{s:{},s:s}", "metadata", "status", "Success");
	text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

/* Clients take a number of eight bits. */
static int32_t
status_code(int32_t code)
{
	return code < 0 || code > 255 ? 255 : code;
}

char *
status_text(unsigned int version, int32_t code, const char *why)
{
	char message[STATUS_TEXT_MAX] = "";

	code = status_code(code);
	if (why != NULL)
		(void)snprintf(message, sizeof(message),
		    "error executing command in container: %s", why);
	else if (code != 0)
		(void)snprintf(message, sizeof(message),
		    "command terminated with non-zero exit code: %d", code);
	return version >= 4 ? status_json(code, why, message) : strdup(message);
}
