#include <stddef.h>
#include <string.h>

#include "netd/plugin.h"

static const char plugin_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789._-";

static const struct {
	const char *name;
	bool has_pod;
} plugin_commands[] = {
	{ "ADD", true },
	{ "DEL", true },
	{ "CHECK", true },
	{ "GC", false },
	{ "STATUS", false },
	{ "VERSION", false },
};

#define PLUGIN_NCOMMANDS (sizeof(plugin_commands) / sizeof(plugin_commands[0]))

static bool
plugin_word_valid(const char *s, size_t max)
{
	size_t n = strspn(s, plugin_letters);

	return n >= 1 && n <= max && s[n] == '\0' && strcmp(s, ".") != 0 &&
	       strcmp(s, "..") != 0;
}

bool
plugin_name_valid(const char *s)
{
	return plugin_word_valid(s, PLUGIN_NAME_MAX);
}

bool
plugin_ifname_valid(const char *s)
{
	return plugin_word_valid(s, PLUGIN_IFNAME_MAX);
}

bool
plugin_args_valid(const char *s)
{
	size_t n = 0;

	for (; s[n] != '\0'; n++) {
		if (s[n] <= ' ' || s[n] >= 0x7f)
			return false;
	}
	return n <= PLUGIN_ARGS_MAX;
}

bool
plugin_command_valid(const char *s)
{
	for (size_t i = 0; i < PLUGIN_NCOMMANDS; i++) {
		if (strcmp(plugin_commands[i].name, s) == 0)
			return true;
	}
	return false;
}

bool
plugin_command_has_pod(const char *s)
{
	for (size_t i = 0; i < PLUGIN_NCOMMANDS; i++) {
		if (strcmp(plugin_commands[i].name, s) == 0)
			return plugin_commands[i].has_pod;
	}
	return false;
}
