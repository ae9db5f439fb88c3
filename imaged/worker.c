#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/unpack_pax.h"
#include "imaged/worker.h"
#include "imsg/codec.h"
#include "imsg/fixed.h"
#include "lib/confine.h"
#include "lib/failpoint.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define WORKER_ROOT_FD 4

struct worker_options {
	uint32_t uid, gid, level, format;
	const char *directory; /* of an additional store; NULL */
	const char *layer;     /* in there; NULL */
};

static int worker_recipe_fd = -1;

int
worker_recipe(void)
{
	return worker_recipe_fd;
}

/* ---- an additional store ---- */

/* Nothing below the store may be a link, or lead to another file system. */
static int
worker_open_beneath(int dir, const char *layer, const char *name, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_RDONLY | O_NOFOLLOW |
					O_NONBLOCK | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	char path[64];

	(void)snprintf(path, sizeof(path), "layer/%.24s/%s", layer, name);
	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* In place of the descriptor that the parent gave. */
static int
worker_open_store(const struct worker_options *o)
{
	int dir = open(o->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int fs;

	if (dir == -1)
		fatal("%s", o->directory);
	(void)close(WORKER_ROOT_FD);
	if (o->layer == NULL)
		return dir;
	fs = worker_open_beneath(dir, o->layer, "fs", O_DIRECTORY);
	worker_recipe_fd = worker_open_beneath(dir, o->layer, "recipe", 0);
	if (fs == -1 || worker_recipe_fd == -1 ||
	    fstat(worker_recipe_fd, &st) == -1 || !S_ISREG(st.st_mode))
		fatal("%s/layer/%s", o->directory, o->layer);
	(void)close(dir);
	return fs;
}

/* imaged says nothing more, so anything on the link means: stop. */
int
worker_check(void *arg, struct cerr *err)
{
	struct pollfd pfd = { WORKER_LINK_FD, POLLIN, 0 };

	(void)arg;
	if (poll(&pfd, 1, 0) == 0)
		return 0;
	return cerr_set(err, CERR_CANCELLED, "the work was called off");
}

static const struct worker_request *
worker_find(const struct worker *w, unsigned int type)
{
	for (size_t i = 0; i < w->nrequests; i++) {
		if ((unsigned int)w->requests[i].type == type)
			return &w->requests[i];
	}
	fatalx("message %u is not taken here", type);
}

static void
worker_answer(uint32_t id, enum msg_type type, const void *body)
{
	struct wire_msg m = { .type = type, .id = id };

	if (codec_pack(NULL, type, body, &m.data, &m.len) == -1)
		fatalx("answer");
	if (wire_send(WORKER_LINK_FD, &m) == -1)
		fatal("answer");
	wire_clear(&m);
}

/* The one request; its sender may also just go away. */
static void
worker_serve(const struct worker *w)
{
	_Alignas(8) uint8_t body[WORKER_BODY_MAX] = { 0 };
	const struct worker_request *r;
	struct wire_msg m;
	struct fixed_fail fail = { 0 };
	struct cerr err;
	const char *breach;
	int rc = wire_recv(WORKER_LINK_FD, &m, WIRE_INLINE_MAX);

	if (rc == 0)
		return;
	if (rc == -1)
		fatal("request");
	breach = msg_check(&m, ROLE_IMAGED, w->role, MSG_STATE_RUN);
	if (breach != NULL)
		fatalx("request: %s", breach);
	r = worker_find(w, m.type);
	if (r->fn(&m, body, &err) == 0) {
		worker_answer(m.id, r->answer, body);
	} else {
		log_debug("%s", err.text);
		fail.code = err.code;
		if (FIXED_SET_STR(fail.text, err.text) == -1)
			fatalx("text too long");
		worker_answer(m.id, MSG_FAIL, &fail);
	}
	wire_clear(&m);
}

static uint32_t
worker_number(const char *s)
{
	uint64_t v;

	if (pax_decimal(s, &v) == -1 || v > INT32_MAX)
		fatalx("not a number: %s", s);
	return (uint32_t)v;
}

static void
worker_options(struct worker_options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "u:g:v:w:d:n:")) != -1) {
		switch (c) {
		case 'u':
			o->uid = worker_number(optarg);
			break;
		case 'g':
			o->gid = worker_number(optarg);
			break;
		case 'v':
			o->level = worker_number(optarg);
			break;
		case 'w':
			o->format = worker_number(optarg);
			break;
		case 'd':
			o->directory = optarg;
			break;
		case 'n':
			(void)worker_number(optarg);
			o->layer = optarg;
			break;
		default:
			fatalx("usage: %s -u uid -g gid [-v level] [-w format] "
			       "[-d directory [-n layer]]",
			    argv[0]);
		}
	}
	if (optind != argc || o->level > LOG_LVL_DEBUG ||
	    o->format > LOG_FMT_JSON)
		fatalx("bad arguments");
}

void
worker_run(const struct worker *w, int argc, char **argv)
{
	struct worker_options o = { .level = LOG_LVL_INFO,
		.format = LOG_FMT_TEXT };
	struct cerr err;
	int root = WORKER_ROOT_FD;

	log_init(role_name(w->role));
	failpoint_init(role_name(w->role));
	worker_options(&o, argc, argv);
	log_configure((enum log_level)o.level, (enum log_format)o.format);
	if (fdio_expect_only(WORKER_ROOT_FD) == -1)
		fatalx("descriptors at start are not exactly 0 to %d",
		    WORKER_ROOT_FD);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)umask(0);
	if (o.directory != NULL)
		root = worker_open_store(&o);
	w->warm();
	if (confine_enter(w->confine, root, o.uid, o.gid, &err) == -1)
		fatalx("confinement: %s", err.text);
	worker_serve(w);
	/* Without what libraries do at the end: all of it goes. */
	_exit(0);
}
