#ifndef CRIOD_PARENT_WATCH_H
#define CRIOD_PARENT_WATCH_H

/*
 * Asks every helper, each WATCH_PERIOD_MS, whether it is there.  One that has
 * not answered by the next time is named in the log and in a metric; after
 * WATCH_KILL_MS it is killed and started again, which costs no pod anything.
 * The service manager's watchdog hears of the parent as long as the front
 * answers; its interval shortens the period.
 */

struct parent;
struct watch;

/* Fatal without memory. */
struct watch *watch_new(struct parent *parent);
void watch_free(struct watch *w);

#endif
