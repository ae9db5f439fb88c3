#include <linux/capability.h>

#include <string.h>
#include <strings.h>

#include "execd/caps.h"
#include "lib/capname.h"

uint64_t
caps_default(void)
{
	return CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_DAC_OVERRIDE) |
	       CAPS_BIT(CAP_FSETID) | CAPS_BIT(CAP_FOWNER) |
	       CAPS_BIT(CAP_SETGID) | CAPS_BIT(CAP_SETUID) |
	       CAPS_BIT(CAP_SETPCAP) | CAPS_BIT(CAP_NET_BIND_SERVICE) |
	       CAPS_BIT(CAP_KILL);
}

/* Collects names; ALL sets *all instead. */
static int
caps_collect(char *const *names, size_t n, const char *field, uint64_t *set,
    bool *all, struct cerr *err)
{
	int cap;

	*set = 0;
	*all = false;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(names[i], "ALL") == 0) {
			*all = true;
			continue;
		}
		cap = capname_number(names[i]);
		if (cap == -1)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "%s: no capability is called %.64s", field,
			    names[i]);
		*set |= CAPS_BIT(cap);
	}
	return 0;
}

static int
caps_available(uint64_t want, uint64_t bounding, struct cerr *err)
{
	for (unsigned int i = 0; i < capname_count(); i++) {
		if (want & ~bounding & CAPS_BIT(i))
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "%s is not among this daemon's own capabilities",
			    capname_name(i));
	}
	return 0;
}

int
caps_resolve(const struct caps_in *in, struct caps *out, struct cerr *err)
{
	uint64_t add, drop, ambient;
	bool add_all, drop_all, ambient_all;

	if (caps_collect(in->add, in->nadd, "add_capabilities", &add, &add_all,
		err) == -1 ||
	    caps_collect(in->drop, in->ndrop, "drop_capabilities", &drop,
		&drop_all, err) == -1 ||
	    caps_collect(in->ambient, in->nambient, "add_ambient_capabilities",
		&ambient, &ambient_all, err) == -1)
		return -1;
	*out = (struct caps){ .permitted = in->bounding };
	if (in->privileged)
		return 0;
	if (caps_available(add | ambient, in->bounding, err) == -1)
		return -1;
	if (drop_all)
		out->permitted = 0;
	else if (!add_all)
		out->permitted = caps_default() & in->bounding;
	if (ambient_all)
		ambient = in->bounding;
	out->permitted |= add | ambient;
	out->permitted &= ~drop;
	out->ambient = ambient & ~drop;
	return 0;
}
