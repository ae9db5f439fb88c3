#include "imsg/codec.h"
#include "imsg/helper.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

void
helper_boot_run(struct helper *h)
{
	const Criod__Boot *boot;
	struct wire_msg w;
	const char *breach;
	int rootfd;

	if (wire_recv(HELPER_PARENT_FD, &w, msg_info(MSG_BOOT)->max) != 1)
		fatalx("no BOOT from the parent");
	breach = msg_check(&w, ROLE_PARENT, helper_role(h), MSG_STATE_BOOT);
	if (breach != NULL || w.type != MSG_BOOT)
		fatalx("BOOT: %s", breach != NULL ? breach : "other message");
	boot = codec_unpack(&codec_pb, MSG_BOOT, w.data, w.len);
	if (boot == NULL)
		fatalx("BOOT: malformed");
	rootfd = w.nfds == 1 ? w.fds[0] : -1;
	w.nfds = 0;
	wire_clear(&w);
	log_configure(boot->log_level, boot->log_format);
	helper_run(h, boot, rootfd, boot->uid, boot->gid);
}
