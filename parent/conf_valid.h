#ifndef CRIOD_PARENT_CONF_VALID_H
#define CRIOD_PARENT_CONF_VALID_H

/* What a word of criod.conf may be.  Each returns what is wrong, or NULL. */

const char *conf_valid_path(const char *s);	/* absolute, no "..", no "//" */
const char *conf_valid_dir(const char *s);	/* and safe in mount options */
const char *conf_valid_sockpath(const char *s); /* and fits sockaddr_un */
const char *conf_valid_name(const char *s);	/* of a runtime or network */
const char *conf_valid_argument(const char *s); /* of a program */
const char *conf_valid_account(const char *s);	/* user or group, or number */
const char *conf_valid_subnet(const char *s);	/* A.B.C.D/N, 8 to 29 */
const char *conf_valid_address(const char *s);	/* IPv4 or IPv6, numeric */
const char *conf_valid_name_of_host(const char *s); /* no port, no path */
const char *conf_valid_location(const char *s);	    /* HOST[:PORT][/PREFIX] */
const char *conf_valid_prefix(const char *s);	    /* that, or *.DOMAIN */
const char *conf_valid_host_port(const char *s);
/* "REFERENCE", "BEGINNING*" or "*PART*". */
const char *conf_valid_pattern(const char *s);
const char *conf_valid_proxy(const char *s);  /* URL of one */
const char *conf_valid_except(const char *s); /* hosts asked without one */
const char *conf_valid_path_or_none(const char *s);
const char *conf_valid_short_mode(const char *s); /* and "files" */
const char *conf_valid_short_name(const char *s);
const char *conf_valid_foreign(const char *s);	  /* NAME=REFERENCE */
const char *conf_valid_profile(const char *s);	  /* of AppArmor */
const char *conf_valid_yes(const char *s);	  /* yes, no */
const char *conf_valid_ulimit(const char *s);	  /* NAME=SOFT:HARD */
const char *conf_valid_checkpoint(const char *s); /* no, dump, restore */
const char *conf_valid_seccomp(const char *s);	  /* runtime, unconfined */

/* Decimal or octal, digits only; -1 if s is no number from min to max. */
int conf_valid_number(const char *s, int base, unsigned int min,
    unsigned int max, unsigned int *value) __attribute__((warn_unused_result));

#endif
