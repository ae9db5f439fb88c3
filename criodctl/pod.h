#ifndef CRIOD_CRIODCTL_POD_H
#define CRIOD_CRIODCTL_POD_H

#include <stdbool.h>

struct ctl;

/* Stops and removes a pod; failures are printed.  -1 if any. */
int pod_remove(struct ctl *ctl, char *id);
/* All of them; say: print the id of each that is gone. */
int pod_remove_all(struct ctl *ctl, bool say);

#endif
