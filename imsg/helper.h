#ifndef CRIOD_IMSG_HELPER_H
#define CRIOD_IMSG_HELPER_H

/*
 * What every helper's main() does the same way: find descriptors 0 to 3 and
 * nothing else, take BOOT on descriptor 3, confine itself, take links,
 * listeners and files until START, say READY, and run until STOP or the
 * parent's end.  Launchers and unpack take no BOOT: their few facts come as
 * arguments, which only the parent writes.
 */

#include <sys/types.h>

#include <stddef.h>

#include "imsg/link.h"

struct codec_pb;
struct confine;
struct event_base;
struct Criod__Boot;

#define HELPER_PARENT_FD 3

struct helper;

struct helper_def {
	enum role role;
	const struct codec_pb *pb; /* NULL in launchers and unpack */
	const struct confine *confine;
	/* Peers other than the parent; links are made before BOOT. */
	const struct link_def *links;
	size_t nlinks;
	/* The parent's messages beside BOOT, START, LINK and STOP. */
	const struct link_handler *handlers;
	size_t nhandlers;
	/*
	 * After confinement, before READY: the place to open what the role
	 * needs in its root.  boot is borrowed and lives as long as the
	 * process.  May be NULL.  Failure is fatal to the role.
	 */
	int (
	    *boot)(void *ctx, const struct Criod__Boot *boot, struct cerr *err);
	/* START came: links are attached.  May be NULL. */
	void (*start)(void *ctx);
	/* STOP came or the parent is gone; then the process exits. */
	void (*stop)(void *ctx);
	/* A link got its socket (at start or after the peer's restart). */
	void (*attached)(void *ctx, enum role peer);
};

/*
 * Borrows def and ctx; makes base and links.  Fatal unless exactly
 * descriptors 0 to last_fd are open (3, or more for unpack).
 */
struct helper *helper_new(const struct helper_def *def, void *ctx, int last_fd);

/*
 * Confines the process (see confine_enter; takes rootfd, -1 for none), calls
 * def->boot and runs the loop.  boot is NULL where no BOOT is taken.
 */
void helper_run(struct helper *h, const struct Criod__Boot *boot, int rootfd,
    uid_t uid, gid_t gid) __attribute__((noreturn));

/*
 * For roles that take protobuf (imsg/helper_boot.c): reads BOOT, blocking,
 * before anything else may arrive; sets the log up; then helper_run with what
 * BOOT says.
 */
void helper_boot_run(struct helper *h) __attribute__((noreturn));
enum role helper_role(const struct helper *h);

struct event_base *helper_base(struct helper *h);
/* The link to a peer of def->links, or to ROLE_PARENT.  Never NULL. */
struct link *helper_link(struct helper *h, enum role peer);

/*
 * For link_def.lost: tells the parent of a breach, and, if the peer has not
 * been given back after a while, of that.  ctx must begin with a
 * struct helper * (the convention of all roles: "struct imaged { struct
 * helper *helper; ... }").
 */
void helper_link_lost(void *ctx, struct link *link, const char *breach);

#endif
