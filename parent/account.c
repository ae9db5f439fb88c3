#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>

#include "parent/account.h"
#include "parent/conf_valid.h"

static const char *const account_names[ACCOUNT_COUNT] = {
	[ACCOUNT_ROOT] = "root",
	[ACCOUNT_FRONT] = "_criod",
	[ACCOUNT_STREAM] = "_criostream",
	[ACCOUNT_IMAGE] = "_crioimage",
	[ACCOUNT_NET] = "_crionet",
	[ACCOUNT_EXEC] = "_crioexec",
	[ACCOUNT_MON] = "_criomon",
	[ACCOUNT_NRI] = "_crionri",
	[ACCOUNT_AUDIT] = "_crioaudit",
	[ACCOUNT_KEEP] = "_criokeep",
};

static int
account_load_one(struct account_ids *ids, const char *name, struct cerr *err)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "no account %s: run contrib/add-users, or "
		    "systemd-sysusers with criod's sysusers.d file",
		    name);
	ids->uid = pw->pw_uid;
	ids->gid = pw->pw_gid;
	if (ids->uid == 0 || ids->gid == 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "account %s has root's user or group number", name);
	return 0;
}

int
account_load(struct account_ids ids[ACCOUNT_COUNT], struct cerr *err)
{
	ids[ACCOUNT_ROOT] = (struct account_ids){ 0, 0 };
	for (size_t i = ACCOUNT_ROOT + 1; i < ACCOUNT_COUNT; i++) {
		if (account_load_one(&ids[i], account_names[i], err) == -1)
			return -1;
		for (size_t j = 0; j < i; j++) {
			if (ids[i].uid == ids[j].uid ||
			    ids[i].gid == ids[j].gid)
				return cerr_set(err, CERR_FAILED_PRECONDITION,
				    "accounts %s and %s share a number",
				    account_names[i], account_names[j]);
		}
	}
	return 0;
}

int
account_user(const char *name, uid_t *uid, struct cerr *err)
{
	const struct passwd *pw;

	if (conf_valid_number(name, 10, 0, INT_MAX, uid) == 0)
		return 0;
	pw = getpwnam(name);
	if (pw == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "no user \"%s\"",
		    name);
	*uid = pw->pw_uid;
	return 0;
}

int
account_group(const char *name, gid_t *gid, struct cerr *err)
{
	const struct group *gr;

	if (conf_valid_number(name, 10, 0, INT_MAX, gid) == 0)
		return 0;
	gr = getgrnam(name);
	if (gr == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "no group \"%s\"",
		    name);
	*gid = gr->gr_gid;
	return 0;
}
