#ifndef CRIOD_LIB_CAPNAME_H
#define CRIOD_LIB_CAPNAME_H

/* The names of capabilities. */

/* "CAP_NET_RAW", "net_raw": the number, or -1. */
int capname_number(const char *name);
/* "CAP_NET_RAW"; NULL if there is no such number. */
const char *capname_name(unsigned int cap);
/* One past the highest capability that this table knows. */
unsigned int capname_count(void);

#endif
