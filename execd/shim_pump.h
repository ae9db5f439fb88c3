#ifndef CRIOD_EXECD_SHIM_PUMP_H
#define CRIOD_EXECD_SHIM_PUMP_H

/* The life of the process that shim_proxy.c leaves: see execd/shim.h. */

struct shim;
struct shim_io;

/* What it has open, beside 0 to 2. */
enum pump_fd {
	PUMP_FD_SHIM = 3,
	PUMP_FD_READY, /* one byte, PUMP_READY, then closed */
	PUMP_FD_IN,    /* FIFOs; those that are not used are closed */
	PUMP_FD_OUT,
	PUMP_FD_ERR,
	PUMP_FD_COUNT,
};

#define PUMP_READY '+'

void pump_signals(void);

/*
 * Carries bytes until what it stands for has ended, and ends as that did:
 * its exit code, 128 and the signal, or 255 if the shim is gone.
 */
void pump_run(struct shim *s, const char *id, const char *exec,
    const struct shim_io *io) __attribute__((noreturn));

#endif
