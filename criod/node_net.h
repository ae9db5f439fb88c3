#ifndef CRIOD_CRIOD_NODE_NET_H
#define CRIOD_CRIOD_NODE_NET_H

/*
 * How the network is.  netd is asked anew with each Status, which does not wait
 * for a netd (or a plugin) that is slow: then its last word counts, until
 * the question's own time is over.
 */

#include <stdbool.h>

#include "lib/cerr.h"

struct front;
struct node_net;

struct node_net_word {
	bool ready;
	char reason[64], message[CERR_TEXT_MAX];
};

typedef void (*node_net_fn)(void *arg, const struct node_net_word *word);

struct node_net *node_net_new(struct front *front);
/* fn is called soon, perhaps at once. */
void node_net_ask(struct node_net *net, node_net_fn fn, void *arg);
/* arg's fn is not called any more. */
void node_net_forget(struct node_net *net, const void *arg);

#endif
