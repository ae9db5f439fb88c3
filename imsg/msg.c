#include "imsg/fixed.h"
#include "imsg/msg.h"
#include "imsg/wire.h"

#define BOOT MSG_STATE_BOOT
#define RUN  MSG_STATE_RUN
#define ANY  MSG_STATE_ANY

#define F(name)		 &fixed_desc_##name
#define P(package, name) NULL

static const struct msg_info msg_infos[] = {
#define MSG(n, from, to, st, codec, max, fmin, fmax, reply)                    \
	[MSG_##n] = { #n, from, to, st, codec, max, fmin, fmax, MSG_##reply },
#include "imsg/msg_table.h"
#undef MSG
};

static const struct {
	enum role role;
	const char *name;
} msg_roles[] = {
	{ ROLE_PARENT, "parent" },
	{ ROLE_FRONT, "front" },
	{ ROLE_STREAMD, "streamd" },
	{ ROLE_IMAGED, "imaged" },
	{ ROLE_UNPACK, "unpack" },
	{ ROLE_NETD, "netd" },
	{ ROLE_NETLAUNCH, "netlaunch" },
	{ ROLE_EXECD, "execd" },
	{ ROLE_EXECLAUNCH, "execlaunch" },
	{ ROLE_MONITOR, "monitor" },
	{ ROLE_CTL, "criodctl" },
	{ ROLE_NRID, "nrid" },
	{ ROLE_PACK, "pack" },
	{ ROLE_SCRIBE, "scribe" },
	{ ROLE_SIGCHECK, "sigcheck" },
	{ ROLE_KEEPER, "keeper" },
	{ ROLE_SHELF, "shelf" },
};

const char *
role_name(enum role role)
{
	for (size_t i = 0; i < sizeof(msg_roles) / sizeof(msg_roles[0]); i++) {
		if (msg_roles[i].role == role)
			return msg_roles[i].name;
	}
	return "unknown";
}

const struct msg_info *
msg_info(unsigned int type)
{
	if (type == MSG_NONE || type >= MSG_COUNT)
		return NULL;
	return &msg_infos[type];
}

bool
msg_answers(enum msg_type request, enum msg_type answer)
{
	const struct msg_info *info = msg_info(request);

	if (info == NULL || info->reply == MSG_NONE)
		return false;
	return answer == info->reply || answer == MSG_ERROR ||
	       answer == MSG_FAIL;
}

const char *
msg_check(const struct wire_msg *m, enum role from, enum role to,
    enum msg_state state)
{
	const struct msg_info *info = msg_info(m->type);

	if (info == NULL)
		return "unknown type";
	if ((info->from & from) == 0)
		return "sender may not send this";
	if ((info->to & to) == 0)
		return "not for this process";
	if ((info->state & state) == 0)
		return "not in this state";
	if (m->len > info->max)
		return "too long";
	if (info->fixed != NULL && m->len != fixed_size(info->fixed))
		return "wrong length";
	if (m->nfds < info->fds_min || m->nfds > info->fds_max)
		return "wrong number of descriptors";
	return NULL;
}
