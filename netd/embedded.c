#include <jansson.h>

#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "netd/conf.h"
#include "netd/embedded.h"

#define EMBEDDED_NAME	"criod"
#define EMBEDDED_BRIDGE "criod0"

struct conf *
embedded_make(const char *subnet, struct cerr *err)
{
	const char *any = strchr(subnet, ':') != NULL ? "::/0" : "0.0.0.0/0";
	json_t *doc;

	json_init();
	/*
	 * No CHECK: portmap before 1.5 (Debian 12 has 1.1.1) fails it for
	 * every pod that has host ports and no IPv6 address.
	 */
	doc = json_pack("{s:s, s:s, s:b, s:["
			"{s:s, s:s, s:b, s:b, s:b,"
			" s:{s:s, s:[[{s:s}]], s:[{s:s}]}},"
			"{s:s, s:b, s:{s:b}}]}",
	    "cniVersion", "1.0.0", "name", EMBEDDED_NAME,
	    "disableCheck", 1, "plugins", /**/
	    "type", "bridge", "bridge", EMBEDDED_BRIDGE, "isGateway", 1,
	    "ipMasq", 1, "hairpinMode", 1, /**/
	    "ipam", "type", "host-local", "ranges", "subnet", subnet, "routes",
	    "dst", any, /**/
	    "type", "portmap", "snat", 1, "capabilities", "portMappings", 1);
	if (doc == NULL)
		fatalx("json_pack");
	return conf_from_json("embedded network", doc, err);
}
