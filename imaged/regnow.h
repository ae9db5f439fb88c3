#ifndef CRIOD_IMAGED_REGNOW_H
#define CRIOD_IMAGED_REGNOW_H

/*
 * Directories of certificates and of hosts.toml change while criod runs: each
 * pull has what they say when it begins.
 */

#include "lib/cerr.h"

struct Criod__BootImaged;
struct link;
struct regconf;
struct regnow;
struct regnow_ask;

/* Borrows both; never NULL. */
struct regnow *regnow_new(struct link *parent,
    const struct Criod__BootImaged *boot);

/* Without what directories say: what names are, that is. */
const struct regconf *regnow_base(const struct regnow *rn);

/* conf is borrowed for now; or err is set. */
typedef void (
    *regnow_fn)(void *arg, struct regconf *conf, const struct cerr *err);

/* fn is called once, from the loop, unless cancelled. */
struct regnow_ask *regnow_start(struct regnow *rn, regnow_fn fn, void *arg);
void regnow_cancel(struct regnow_ask *a); /* NULL is fine */

#endif
