#ifndef CRIOD_EXECD_MONITOR_H
#define CRIOD_EXECD_MONITOR_H

/*
 * The monitor: one process a container, which outlives the daemon.  It runs
 * the OCI runtime's create, then gives up everything and owns the container's
 * standard output, its log, its end and the record of it.
 *
 * It is linked statically and keeps its pages clean: no heap, no stdio, no
 * buffer on the stack beyond a few KiB.
 */

#include <sys/types.h>

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execd/ctr_flags.h"
#include "execd/monitor_line.h"

struct pollfd;

/* What the launcher leaves open.  Everything above is closed. */
enum monitor_fd {
	MONITOR_FD_REPORT = 3,	/* SOCK_SEQPACKET to the launcher */
	MONITOR_FD_LOG = 4,	/* the log, O_APPEND; /dev/null if none */
	MONITOR_FD_BUNDLE = 5,	/* bundle directory */
	MONITOR_FD_EMPTY = 6,	/* the root to be */
	MONITOR_FD_SCRATCH = 7, /* root's directory for the console socket */
	MONITOR_FD_STDERR = 8,	/* descriptor 2 once confined, O_APPEND */
	MONITOR_FD_LAST = MONITOR_FD_STDERR,
};

/* argv[1...]; only the launcher writes them. */
enum monitor_arg {
	MONITOR_ARG_CTR = 1,
	MONITOR_ARG_BUNDLE,  /* path */
	MONITOR_ARG_RUNTIME, /* path */
	MONITOR_ARG_ROOT,    /* the runtime's --root */
	MONITOR_ARG_SYSTEMD, /* "1": --systemd-cgroup */
	MONITOR_ARG_PIDFILE, /* path, to be removed */
	MONITOR_ARG_FLAGS,   /* CTR_FLAG_* */
	MONITOR_ARG_OOM,     /* memory.events or memory.oom_control; path */
	MONITOR_ARG_IMAGES,  /* of CRIU's, path; "": a new container */
	MONITOR_ARG_UID,     /* to become */
	MONITOR_ARG_GID,
	MONITOR_ARG_EXEC_UID, /* who may connect */
	MONITOR_ARG_EXEC_GID,
	MONITOR_ARG_COUNT, /* those for the runtime follow, MONITOR_MORE_MAX */
};

#define MONITOR_MORE_MAX 28

/*
 * What goes over MONITOR_FD_REPORT, one byte and then text:
 *
 *	P<pid>	    the container exists; the launcher looks at it and says
 *	G	    go on: confine (from the launcher)
 *	C	    confined
 *	E<text>	    it did not work; the monitor ends
 *
 * End of file before G means that the launcher is gone or does not want the
 * container: the monitor kills it and ends.
 */
enum monitor_report {
	MONITOR_REPORT_PID = 'P',
	MONITOR_REPORT_GO = 'G',
	MONITOR_REPORT_CONFINED = 'C',
	MONITOR_REPORT_ERROR = 'E',
};

#define MONITOR_TEXT_MAX    4096 /* of the runtime's complaint */
#define MONITOR_CLIENTS_MAX 4
#define MONITOR_ATTACH_MAX  8
#define MONITOR_LOST_MS	    10000 /* between two words about lost lines */
#define MONITOR_DRAIN_MS    100 /* for output that somebody else still holds */

struct monitor_stream {
	int fd; /* -1 at its end */
	const char *name;
	size_t len; /* bytes of buf that are not written yet */
	uint8_t buf[LINE_MAX_TEXT + 64];
};

struct monitor_attach {
	int fd;		  /* -1: free */
	uint32_t streams; /* ATTACH_* that still flow */
};

struct monitor {
	/* arguments */
	char **argv;
	uint32_t flags;
	uid_t uid, exec_uid;
	gid_t gid, exec_gid;
	/* the container */
	pid_t pid;
	int pidfd;
	int runtime_out[2]; /* write ends of its standard output and error */
	int runtime_in;	    /* read end of its standard input, -1: null */
	int stdin_fd;	    /* our end of it, -1: none or closed */
	int console_listen;
	struct monitor_stream out, err;
	/* attach */
	struct monitor_attach attach[MONITOR_ATTACH_MAX];
	size_t in_at, in_len; /* of in_buf, not written yet */
	bool in_last;	      /* then close standard input */
	uint8_t in_buf[1 + ATTACH_DATA_MAX];
	int log_fd;
	uint64_t log_lost, log_told; /* lines that the log does not have */
	int64_t log_told_ms;
	int oom_fd;
	uint32_t oom_seen;
	/* how it ended */
	int exit_fd;
	bool exited;
	uint32_t exit_code;
	int64_t finished_at;
	/* execd */
	int listen_fd;
	int clients[MONITOR_CLIENTS_MAX]; /* -1: free */
	/* why a step failed */
	size_t text_len;
	char text[MONITOR_TEXT_MAX];
};

/* The steps before the loop: 0, or -1 with text set. */
int monitor_stdio(struct monitor *m);
int monitor_create(struct monitor *m);
int monitor_watch_oom(struct monitor *m);
int monitor_exit_file(struct monitor *m);
int monitor_listen(struct monitor *m);

/* Sets text to "what: NAME OF errno"; returns -1. */
int monitor_fail(struct monitor *m, const char *what);
void monitor_text(struct monitor *m, const char *s);
const char *monitor_number(char buf[12], uint32_t value);
/* Path below MONITOR_FD_SCRATCH of the console's socket. */
void monitor_console_name(const struct monitor *m, char *buf, size_t size,
    const char *before);

/* The loop: returns when the container has ended and its record is made. */
void monitor_run(struct monitor *m);

/* Reads what s has now and logs it; end: nothing will follow. */
void monitor_log_read(struct monitor *m, struct monitor_stream *s, bool end);
bool monitor_log_usable(int fd);
int64_t monitor_wall_ns(void);
/* Reads the count of OOM kills again; keeps the last if it is gone. */
void monitor_oom_read(struct monitor *m);
void monitor_exit_write(struct monitor *m);

/*
 * Takes fd, unless it returns why not (a constant string).  streams: ATTACH_*
 * of execd/ctr_flags.h.
 */
const char *monitor_attach_add(struct monitor *m, int fd, uint32_t streams);
/*
 * What the loop waits for: room in standard input, packets of clients (there
 * are MONITOR_ATTACH_MAX).
 */
void monitor_attach_fill(const struct monitor *m, struct pollfd *in,
    struct pollfd *clients);
void monitor_attach_write(struct monitor *m);
void monitor_attach_read(struct monitor *m, size_t i);
/* What s said, to those who want it. */
void monitor_attach_output(struct monitor *m, const struct monitor_stream *s,
    const uint8_t *data, size_t len);

void monitor_client_accept(struct monitor *m);
void monitor_client_read(struct monitor *m, size_t i);
void monitor_client_tell(struct monitor *m, size_t i);

#endif
