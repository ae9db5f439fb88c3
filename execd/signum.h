#ifndef CRIOD_EXECD_SIGNUM_H
#define CRIOD_EXECD_SIGNUM_H

/* "SIGTERM", "TERM", "15", "SIGRTMIN+3": the Linux number; SIGTERM for
 * anything else, and for the empty string. */
int signum_parse(const char *s);

#endif
