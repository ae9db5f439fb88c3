#include "criod/front.h"
#include "imsg/link.h"

int
front_need(const struct link *link, struct cerr *err)
{
	if (link_attached(link))
		return 0;
	return cerr_set(err, CERR_UNAVAILABLE, "%s is not running",
	    role_name(link_peer(link)));
}
