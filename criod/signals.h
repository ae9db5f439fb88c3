#ifndef CRIOD_CRIOD_SIGNALS_H
#define CRIOD_CRIOD_SIGNALS_H

/* The CRI numbers signals by name, in an order of its own. */

/* The Linux number of a CRI Signal; 0 for RUNTIME_DEFAULT and unknown ones. */
int signals_to_linux(int cri);
/* The reverse; 0 (RUNTIME_DEFAULT) if the CRI has no name for it. */
int signals_to_cri(int linux_number);

#endif
