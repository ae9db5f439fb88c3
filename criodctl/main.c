#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "lib/log.h"

#define CRIODCTL_SOCKET "/run/criod/control.sock"

static const struct {
	const char *words[2];
	int (*fn)(struct ctl *, int, char **);
	const char *usage;
} commands[] = {
	{ { "status", NULL }, status_main, "status" },
	{ { "image", "list" }, image_list_main, "image list [-q] [PATTERN]" },
	{ { "image", "inspect" }, image_inspect_main,
	    "image inspect IMAGE ..." },
	{ { "image", "pull" }, image_pull_main, "image pull [-q] IMAGE ..." },
	{ { "image", "remove" }, image_remove_main, "image remove IMAGE ..." },
	{ { "image", "prune" }, image_prune_main,
	    "image prune [-an] [PATTERN]" },
	{ { "image", "verify" }, image_verify_main,
	    "image verify [-q] [IMAGE ...]" },
	{ { "image", "repair" }, image_repair_main,
	    "image repair [-q] [IMAGE ...]" },
	{ { "image", "import" }, image_import_main,
	    "image import [-t REFERENCE] PATH" },
	{ { "image", "export" }, image_export_main,
	    "image export [-f docker|layout|oci] PATH IMAGE ..." },
	{ { "pod", "remove" }, pod_remove_main, "pod remove -a | POD ..." },
	{ { "privileges", NULL }, privileges_main, "privileges [-jv]" },
	{ { "wipe", NULL }, wipe_main, "wipe [-i]" },
	{ { "run", NULL }, run_main, "run [-H] IMAGE [COMMAND [ARG ...]]" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void __attribute__((noreturn)) usage(void)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(stderr, "%s criodctl [-s SOCKET] %s\n",
		    i == 0 ? "usage:" : "      ", commands[i].usage);
	exit(2);
}

/* How many of argv's words name the command; 0 if they do not. */
static int
match(size_t i, int argc, char **argv)
{
	int words = commands[i].words[1] == NULL ? 1 : 2;

	if (argc < words)
		return 0;
	for (int w = 0; w < words; w++) {
		if (strcmp(argv[w], commands[i].words[w]) != 0)
			return 0;
	}
	return words;
}

int
main(int argc, char **argv)
{
	const char *path = CRIODCTL_SOCKET;
	struct ctl *ctl;
	struct cerr err;
	int c, rc;

	log_init("criodctl");
	while ((c = getopt(argc, argv, "+s:V")) != -1) {
		switch (c) {
		case 's':
			path = optarg;
			break;
		case 'V':
			puts("criodctl " CRIOD_VERSION);
			return 0;
		default:
			usage();
		}
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; i < NCOMMANDS; i++) {
		int words = match(i, argc, argv);

		if (words == 0)
			continue;
		if (ctl_connect(path, &ctl, &err) == -1)
			errx(1, "%s", err.text);
		optind = 1;
		rc = commands[i].fn(ctl, argc - words + 1, argv + words - 1);
		ctl_free(ctl);
		if (rc == 2)
			fprintf(stderr, "usage: criodctl [-s SOCKET] %s\n",
			    commands[i].usage);
		return rc;
	}
	usage();
}
