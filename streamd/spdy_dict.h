#ifndef CRIOD_STREAMD_SPDY_DICT_H
#define CRIOD_STREAMD_SPDY_DICT_H

/* What header compression starts with: SPDY/3.1, section 2.6.10.1. */

#define SPDY_DICT_LEN 1423

extern const char spdy_dict[SPDY_DICT_LEN + 1];

#endif
