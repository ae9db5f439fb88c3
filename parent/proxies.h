#ifndef CRIOD_PARENT_PROXIES_H
#define CRIOD_PARENT_PROXIES_H

/*
 * By which proxies images are fetched: criod.conf's, or if it says nothing of
 * proxies, those of the environment criod was started in.  imaged alone is
 * told; no other process has an environment with them.
 */

struct Criod__BootImaged;
struct conf;

/* Keeps what the environment says, which the parent then empties. */
void proxies_init(void);
void proxies_boot(struct Criod__BootImaged *boot, const struct conf *c);

#endif
