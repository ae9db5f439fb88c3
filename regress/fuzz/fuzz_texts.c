/*
 * Short texts of others, by the first byte: what a runtime says of itself, a
 * pod's annotations and names for CNI, an audit record, a name and a pattern,
 * devices of the host, sizes of a terminal in pieces, any JSON.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "execd/devlist.h"
#include "execd/runtime_facts.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/pattern.h"
#include "netd/args.h"
#include "netd/quantity.h"
#include "proto/msg.pb-c.h"
#include "regress/fuzz/feed.h"
#include "scribe/line.h"
#include "streamd/resize.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_SIZE 4096

/* All of it, with a NUL behind. */
static char *
whole(const struct feed *f)
{
	char *text = malloc(f->n + 1);

	assert(text != NULL);
	memcpy(text, f->p, f->n);
	text[f->n] = '\0';
	return text;
}

static void
facts(struct feed *f)
{
	struct runtime_facts out;
	char *text = whole(f);

	runtime_facts_parse(text, f->n, &out);
	assert(strnlen(out.name, sizeof(out.name)) < sizeof(out.name));
	free(text);
}

static void
quantity(struct feed *f)
{
	char text[TEXT_SIZE];
	uint64_t v;

	feed_text(f, text, sizeof(text));
	if (quantity_parse(text, &v) == 0)
		assert(v <= INT64_MAX);
}

/* No name brings an argument of its own. */
static void
args_names(const Criod__NetPod *pod)
{
	char buf[PLUGIN_ARGS_MAX + 1];
	struct cerr err;
	size_t n = 0;

	if (args_make(pod, buf, &err) == -1)
		return;
	for (const char *p = buf; *p != '\0'; p++)
		n += *p == ';' || *p == '=';
	assert(n == 9 && strlen(buf) <= PLUGIN_ARGS_MAX);
}

static void
args(struct feed *f)
{
	Criod__NetPod pod = CRIOD__NET_POD__INIT;
	Criod__NetPod__AnnotationsEntry e =
	    CRIOD__NET_POD__ANNOTATIONS_ENTRY__INIT;
	Criod__NetPod__AnnotationsEntry *list[] = { &e };
	Runtime__V1__PortMapping p = RUNTIME__V1__PORT_MAPPING__INIT;
	Runtime__V1__PortMapping *ports[] = { &p };
	static char texts[8][TEXT_SIZE / 4];
	struct cerr err;
	json_t *caps;

	p.protocol = (Runtime__V1__Protocol)(int8_t)feed_byte(f);
	p.host_port = (int16_t)feed_u16(f);
	p.container_port = (int16_t)feed_u16(f);
	for (size_t i = 0; i < 8; i++)
		feed_text(f, texts[i], sizeof(texts[i]));
	pod.pod_id = texts[0];
	pod.name = texts[1];
	pod.namespace_ = texts[2];
	pod.uid = texts[3];
	pod.cgroup_parent = texts[4];
	p.host_ip = texts[5];
	e.key = texts[6];
	e.value = texts[7];
	pod.annotations = list;
	pod.n_annotations = 1;
	pod.port_mappings = ports;
	pod.n_port_mappings = 1;
	args_names(&pod);
	caps = args_capabilities(&pod, &err);
	json_decref(caps);
}

/* One line, of JSON, whatever is in it. */
static void
line(struct feed *f)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	static char text[TEXT_SIZE];
	struct line l;
	json_t *o;

	line_begin(&l, "call", "front");
	for (size_t i = 0; i < 4; i++) {
		feed_text(f, text, sizeof(text));
		line_string(&l, keys[i], text);
		line_number(&l, "n", feed_u16(f));
		line_millis(&l, "ms", feed_u16(f));
	}
	line_true(&l, "yes");
	line_end(&l);
	assert(l.len <= LINE_MAX_BYTES && l.text[l.len - 1] == '\n' &&
	       memchr(l.text, '\n', l.len) == l.text + l.len - 1);
	o = json_loadb(l.text, l.len, 0, NULL);
	assert(json_is_object(o));
	json_decref(o);
}

static void
pattern(struct feed *f)
{
	char what[256], name[TEXT_SIZE];
	bool same;

	feed_text(f, what, sizeof(what));
	feed_text(f, name, sizeof(name));
	same = strcmp(what, name) == 0;
	if (strchr(what, '*') == NULL)
		assert(pattern_match(what, name) == same);
	else
		(void)pattern_match(what, name);
}

static void (*const texts[])(
    struct feed *f) = { facts, quantity, args, line, pattern };

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	json_init();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size };

	if (size > 0)
		texts[feed_byte(&f) % (sizeof(texts) / sizeof(texts[0]))](&f);
	return 0;
}
