#ifndef CRIOD_IMAGED_NEWS_H
#define CRIOD_IMAGED_NEWS_H

/*
 * Tells the front what images there are (IMG_NEWS), so that it can answer
 * lists while this process waits for a disk.
 */

struct link;
struct news;
struct store;

/* Borrows front.  Nothing is told before news_begin.  Never NULL. */
struct news *news_new(struct link *front);
/* The front's link got its socket: everything.  Borrows store. */
void news_begin(struct news *n, struct store *store);
/* A store_def.changed: what is not told yet, before any answer that follows. */
void news_changed(void *news);

#endif
