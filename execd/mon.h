#ifndef CRIOD_EXECD_MON_H
#define CRIOD_EXECD_MON_H

/* The links to monitors, which outlive this process. */

struct cerr;
struct ctr;
struct link_call;

/*
 * Connects to the container's monitor.  Tries again for a moment if it is
 * busy; a container without monitor is killed and reported as ended with an
 * unknown code.
 */
void mon_connect(struct ctr *c);
/* Reads the exit record that the monitor may have left; calls ctr_ended. */
void mon_read_end(struct ctr *c);
/* Kills a container whose monitor is gone, once the launcher is there. */
void mon_bury(struct ctr *c);
/* Forgets the link. */
void mon_close(struct ctr *c);

/* Gives the monitor a new log (takes fd); answers call. */
void mon_log(struct ctr *c, int fd, struct link_call *call);

#endif
