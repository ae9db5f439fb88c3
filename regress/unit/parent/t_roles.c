#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imsg/msg.h"
#include "proto/msg.pb-c.h"
#include "parent/conf.h"
#include "parent/host.h"
#include "parent/listeners.h"
#include "parent/plan.h"
#include "parent/reader.h"
#include "parent/roles.h"
#include "parent/trust.h"

static struct account_ids ids[ACCOUNT_COUNT];
static struct host host = { .cgroup2 = true,
	.apparmor = true,
	.bounding = 0x1ff,
	.oom_score_adj_min = -500 };

/* Signature policies are of the host and read by a program of ours. */
int
trust_read(Criod__BootImaged *b, const struct plan_facts *f, struct cerr *err)
{
	(void)b;
	(void)f;
	(void)err;
	return 0;
}

/* So is what registries.conf says. */
int
reader_ask(const struct plan_facts *f, const char *kind, const char *text,
    size_t len, char **answer, char **lines, struct cerr *err)
{
	(void)f;
	(void)err;
	assert_string_equal(kind, "registries");
	assert_non_null(text);
	assert_true(len > 0);
	*answer = *lines = NULL;
	return 0;
}

char *
reader_line(char **lines)
{
	return strsep(lines, "\n");
}

static struct conf *
some_conf(void)
{
	struct conf *c = conf_new();
	struct conf_runtime *r;
	struct conf_host h = { .cgroup = CONF_CGROUP_CGROUPFS,
		.cni_plugins = "/usr/lib/cni" };
	struct cerr err;

	TAILQ_INIT(&h.runtimes);
	assert_non_null(
	    conf_add_runtime(c, "crun", "/usr/bin/crun", false, &err));
	r = conf_add_runtime(c, "runc", "/usr/bin/runc", true, &err);
	assert_int_equal(conf_runtime_type(r, "gvisor", &err), 0);
	assert_int_equal(conf_runtime_argument(r, "-x", &err), 0);
	assert_int_equal(conf_add_word(c, CONF_CNI_PATH, "/var/x", &err), 0);
	assert_int_equal(conf_fill(c, &h, &err), 0);
	for (unsigned int i = 1; i < ACCOUNT_COUNT; i++)
		ids[i] = (struct account_ids){ 900 + i, 800 + i };
	return c;
}

static struct plan_facts
some_facts(const struct conf *c)
{
	return (struct plan_facts){ c, &host, ids, 2, 0 };
}

/* A link has two ends, and no helper has one to itself. */
static void
test_links_mutual(void **state)
{
	(void)state;
	for (size_t i = 0; i < roles_count; i++) {
		unsigned int self = roles_table[i].role;

		assert_int_equal(roles_table[i].links & self, 0);
		for (unsigned int bit = 1; bit <= ROLE_CTL; bit <<= 1) {
			const struct roles_info *peer = roles_find(bit);

			if ((roles_table[i].links & bit) == 0)
				continue;
			assert_non_null(peer);
			assert_int_equal(peer->links & self, self);
		}
	}
}

static void
test_table(void **state)
{
	(void)state;
	assert_int_equal(roles_table[0].role, ROLE_FRONT);
	for (size_t i = 0; i < roles_count; i++) {
		const struct roles_info *r = &roles_table[i];

		assert_ptr_equal(roles_find(r->role), r);
		assert_string_equal(r->program, role_name(r->role));
		/* BOOT or arguments; launchers alone are root. */
		assert_true((r->boot == NULL) != (r->args == NULL));
		assert_true((r->account == ACCOUNT_ROOT) == (r->boot == NULL));
		assert_true((r->root == DIRS_NONE) == (r->boot == NULL));
		assert_int_equal(r->umask,
		    r->account == ACCOUNT_ROOT ? 022 : 077);
	}
	assert_null(roles_find(ROLE_UNPACK));
	assert_null(roles_find(ROLE_PARENT));
	assert_null(roles_find(0));
	assert_null(roles_find(ROLE_FRONT | ROLE_STREAMD));
}

/* Every type that the table gives the parent to send has a taker. */
static void
test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < roles_count; i++) {
		const struct roles_info *r = &roles_table[i];

		if (r->listeners != 0)
			assert_true(msg_info(MSG_LISTENER)->to & r->role);
		if (r->files != 0) {
			assert_true(msg_info(MSG_FILE)->to & r->role);
			/* streamd gets its own again at a reload only. */
			assert_true((msg_info(MSG_SCAN)->from & r->role) != 0 ||
				    r->role == ROLE_STREAMD);
		}
	}
	assert_int_equal(LISTENER_CRI, CRIOD__LISTENER__KIND__CRI);
	assert_int_equal(LISTENER_CONTROL, CRIOD__LISTENER__KIND__CONTROL);
	assert_int_equal(LISTENER_STREAM, CRIOD__LISTENER__KIND__STREAM);
}

static void
assert_args(const struct plan *p, const char *want)
{
	char line[1024] = "";

	for (size_t i = 0; i < p->args.argc; i++) {
		strcat(line, i == 0 ? "" : " ");
		strcat(line, p->args.argv[i]);
	}
	assert_null(p->args.argv[p->args.argc]);
	assert_string_equal(line, want);
}

static void
test_launcher_args(void **state)
{
	struct conf *c = some_conf();
	struct plan_facts f = some_facts(c);
	struct cerr err;
	struct plan *p = plan_new(roles_find(ROLE_EXECLAUNCH), &f, &err);

	(void)state;
	assert_string_equal(p->path, "/usr/libexec/criod/execlaunch");
	assert_args(p, "execlaunch -s /run/criod -i /var/lib/criod/image "
		       "-c /var/lib/criod/container -l /usr/libexec/criod "
		       "-m 906:806 -x 905:805 -A -r crun=/usr/bin/crun "
		       "-r runc=/usr/bin/runc -t gvisor -a -x "
		       "-p /var/lib/kubelet/seccomp -d /etc/cdi "
		       "-d /var/run/cdi -v 2 -w 0");
	plan_free(p);
	p = plan_new(roles_find(ROLE_NETLAUNCH), &f, &err);
	assert_args(p,
	    "netlaunch -s /run/criod -p /usr/lib/cni -b /var/x -v 2 -w 0");
	plan_free(p);
	p = plan_new(&roles_unpack, &f, &err);
	assert_args(p, "unpack -u 903 -g 803 -v 2 -w 0");
	assert_null(p->boot);
	plan_free(p);
	conf_free(c);
}

static void
test_execd_boot(void **state)
{
	struct conf *c = some_conf();
	struct plan_facts f = some_facts(c);
	struct cerr err;
	struct plan *p = plan_new(roles_find(ROLE_EXECD), &f, &err);
	Criod__BootExecd *b = p->boot->execd;

	(void)state;
	assert_int_equal(p->boot->uid, 905);
	assert_int_equal(p->boot->gid, 805);
	/* The launcher's order. */
	assert_int_equal(b->n_runtimes, 2);
	assert_string_equal(b->runtimes[0]->name, "crun");
	assert_string_equal(b->runtimes[1]->path, "/usr/bin/runc");
	assert_string_equal(b->default_runtime, "runc");
	assert_int_equal(b->cgroup_driver, 1);
	assert_string_equal(b->netns_directory, "/run/criod/ns");
	assert_true(b->cgroup2);
	assert_int_equal(b->bounding_caps, 0x1ff);
	assert_int_equal(b->oom_score_adj_min, -500);
	plan_free(p);
	conf_free(c);
}

static void
test_plan_equal(void **state)
{
	struct conf *c = some_conf();
	struct plan_facts f = some_facts(c);
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < roles_count; i++) {
		struct plan *a = plan_new(&roles_table[i], &f, &err), *b;

		b = plan_new(&roles_table[i], &f, &err);
		assert_true(plan_equal(a, b));
		plan_free(b);
		f.log_level = 3;
		b = plan_new(&roles_table[i], &f, &err);
		assert_false(plan_equal(a, b));
		f.log_level = 2;
		plan_free(a);
		plan_free(b);
	}
	conf_free(c);
}

static void
test_ca_missing(void **state)
{
	struct conf *c = some_conf();
	struct plan_facts f = some_facts(c);
	struct cerr err;
	struct conf_registry *r = conf_add_registry(c, "x.io", &err);

	(void)state;
	assert_int_equal(conf_registry_mirror(r, "m.io", true, CONF_WHEN_TAG,
			     &err),
	    0);
	assert_int_equal(conf_registry_ca(r, "/nonexistent", &err), 0);
	assert_null(plan_new(roles_find(ROLE_IMAGED), &f, &err));
	assert_non_null(strstr(err.text, "/nonexistent"));
	conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links_mutual),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_launcher_args),
		cmocka_unit_test(test_execd_boot),
		cmocka_unit_test(test_plan_equal),
		cmocka_unit_test(test_ca_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
