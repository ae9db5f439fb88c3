#include <jansson.h>

#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "netd/conf.h"
#include "netd/embedded.h"

#define EMBEDDED_NAME	"criod"
#define EMBEDDED_BRIDGE "criod0"

static json_t *
embedded_bridge(const char *subnet)
{
	const char *any = strchr(subnet, ':') != NULL ? "::/0" : "0.0.0.0/0";
	json_t *ipam = json_pack("{s:s,s:[[{s:s}]],s:[{s:s}]}", "type",
	    "host-local", "ranges", "subnet", subnet, "routes", "dst", any);

	return json_pack("{s:s,s:s,s:b,s:b,s:b,s:o}", "type", "bridge",
	    "bridge", EMBEDDED_BRIDGE, "isGateway", 1, "ipMasq", 1,
	    "hairpinMode", 1, "ipam", ipam);
}

static json_t *
embedded_portmap(void)
{
	return json_pack("{s:s,s:b,s:{s:b}}", "type", "portmap", "snat", 1,
	    "capabilities", "portMappings", 1);
}

/*
 * No CHECK: portmap before 1.5 (Debian 12 has 1.1.1) fails it for every pod
 * that has host ports and no IPv6 address.
 */
struct conf *
embedded_make(const char *subnet, struct cerr *err)
{
	json_t *doc;

	json_init();
	doc = json_pack("{s:s,s:s,s:b,s:[o,o]}", "cniVersion", "1.0.0", "name",
	    EMBEDDED_NAME, "disableCheck", 1, "plugins",
	    embedded_bridge(subnet), embedded_portmap());
	if (doc == NULL)
		fatalx("json_pack");
	return conf_from_json("embedded network", doc, err);
}
