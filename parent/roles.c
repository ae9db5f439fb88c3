#include "proto/msg.pb-c.h"
#include "parent/boot.h"
#include "parent/conf.h"
#include "parent/listeners.h"
#include "parent/roles.h"

static bool
roles_want_nrid(const struct conf *c)
{
	return c->nri;
}

static bool
roles_want_scribe(const struct conf *c)
{
	return c->audit;
}

#define ROLES_UMASK	  077 /* nothing of a helper's is for others */
#define ROLES_UMASK_USUAL 022 /* containers and plugins expect it */

const struct roles_info roles_table[] = {
	{
	    .role = ROLE_FRONT,
	    .program = "front",
	    .account = ACCOUNT_FRONT,
	    .root = DIRS_FRONT,
	    .links = ROLE_STREAMD | ROLE_IMAGED | ROLE_NETD | ROLE_EXECD |
		     ROLE_NRID | ROLE_SCRIBE | ROLE_KEEPER,
	    .listeners =
		ROLES_LISTENER(LISTENER_CRI) | ROLES_LISTENER(LISTENER_CONTROL),
	    .umask = ROLES_UMASK,
	    .boot = boot_front,
	},
	{
	    .role = ROLE_STREAMD,
	    .program = "streamd",
	    .account = ACCOUNT_STREAM,
	    .root = DIRS_EMPTY,
	    .links = ROLE_FRONT | ROLE_EXECD | ROLE_SCRIBE,
	    .listeners = ROLES_LISTENER(LISTENER_STREAM) |
			 ROLES_LISTENER(LISTENER_METRICS),
	    .files = ROLES_FILE(CRIOD__FILE__KIND__STREAM_CERT) |
		     ROLES_FILE(CRIOD__FILE__KIND__STREAM_KEY) |
		     ROLES_FILE(CRIOD__FILE__KIND__STREAM_CA),
	    .umask = ROLES_UMASK,
	    .boot = boot_streamd,
	},
	{
	    .role = ROLE_IMAGED,
	    .program = "imaged",
	    .account = ACCOUNT_IMAGE,
	    .root = DIRS_IMAGE,
	    .links = ROLE_FRONT | ROLE_EXECD | ROLE_SCRIBE,
	    .files = ROLES_FILE(CRIOD__FILE__KIND__RESOLV_CONF) |
		     ROLES_FILE(CRIOD__FILE__KIND__HOSTS) |
		     ROLES_FILE(CRIOD__FILE__KIND__CA_BUNDLE),
	    .umask = ROLES_UMASK,
	    .boot = boot_imaged,
	},
	{
	    .role = ROLE_NETD,
	    .program = "netd",
	    .account = ACCOUNT_NET,
	    .root = DIRS_NETWORK,
	    .links = ROLE_FRONT | ROLE_NETLAUNCH | ROLE_SCRIBE,
	    .files = ROLES_FILE(CRIOD__FILE__KIND__CNI_CONF),
	    .umask = ROLES_UMASK,
	    .boot = boot_netd,
	},
	{
	    .role = ROLE_NETLAUNCH,
	    .program = "netlaunch",
	    .account = ACCOUNT_ROOT,
	    .links = ROLE_NETD,
	    .umask = ROLES_UMASK_USUAL,
	    .args = boot_netlaunch_args,
	},
	{
	    .role = ROLE_EXECD,
	    .program = "execd",
	    .account = ACCOUNT_EXEC,
	    .root = DIRS_BUNDLE,
	    .links = ROLE_FRONT | ROLE_STREAMD | ROLE_IMAGED | ROLE_EXECLAUNCH |
		     ROLE_NRID | ROLE_SCRIBE,
	    .umask = ROLES_UMASK,
	    .boot = boot_execd,
	},
	{
	    .role = ROLE_EXECLAUNCH,
	    .program = "execlaunch",
	    .account = ACCOUNT_ROOT,
	    .links = ROLE_EXECD,
	    .umask = ROLES_UMASK_USUAL,
	    .args = boot_execlaunch_args,
	},
	{
	    .role = ROLE_NRID,
	    .program = "nrid",
	    .account = ACCOUNT_NRI,
	    .root = DIRS_EMPTY,
	    .links = ROLE_FRONT | ROLE_EXECD,
	    .listeners = ROLES_LISTENER(LISTENER_NRI),
	    .umask = ROLES_UMASK,
	    .boot = boot_nrid,
	    .wanted = roles_want_nrid,
	},
	{
	    .role = ROLE_SCRIBE,
	    .program = "scribe",
	    .account = ACCOUNT_AUDIT,
	    .root = DIRS_EMPTY,
	    .links = ROLE_FRONT | ROLE_STREAMD | ROLE_IMAGED | ROLE_NETD |
		     ROLE_EXECD,
	    .umask = ROLES_UMASK,
	    .boot = boot_nothing,
	    .wanted = roles_want_scribe,
	},
	{
	    .role = ROLE_KEEPER,
	    .program = "keeper",
	    .account = ACCOUNT_KEEP,
	    .root = DIRS_RECORD,
	    .links = ROLE_FRONT,
	    .umask = ROLES_UMASK,
	    .boot = boot_nothing,
	},
};

const size_t roles_count = sizeof(roles_table) / sizeof(roles_table[0]);

const struct roles_info roles_unpack = {
	.role = ROLE_UNPACK,
	.program = "unpack",
	.account = ACCOUNT_IMAGE,
	.links = ROLE_IMAGED,
	.umask = ROLES_UMASK,
	.args = boot_unpack_args,
};

const struct roles_info roles_pack = {
	.role = ROLE_PACK,
	.program = "pack",
	.account = ACCOUNT_IMAGE,
	.links = ROLE_IMAGED,
	.umask = ROLES_UMASK,
	.args = boot_unpack_args,
};

const struct roles_info roles_sigcheck = {
	.role = ROLE_SIGCHECK,
	.program = "sigcheck",
	.account = ACCOUNT_IMAGE,
	.root = DIRS_EMPTY,
	.links = ROLE_IMAGED,
	.umask = ROLES_UMASK,
	.args = boot_unpack_args,
};

const struct roles_info roles_shelf = {
	.role = ROLE_SHELF,
	.program = "shelf",
	.account = ACCOUNT_IMAGE,
	.links = ROLE_IMAGED,
	.umask = ROLES_UMASK,
	.args = boot_unpack_args,
};

const struct roles_info *
roles_find(unsigned int role)
{
	for (size_t i = 0; i < roles_count; i++) {
		if ((unsigned int)roles_table[i].role == role)
			return &roles_table[i];
	}
	return NULL;
}
