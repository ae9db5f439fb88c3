#ifndef CRIOD_PARENT_RELOAD_H
#define CRIOD_PARENT_RELOAD_H

struct parent;

/*
 * SIGHUP: reads the configuration anew.  Everything that can fail is done
 * beside the old one first; then all is changed, or nothing.
 */
void reload(struct parent *p);

#endif
