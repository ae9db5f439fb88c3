#ifndef CRIOD_CRIODCTL_CRIODCTL_H
#define CRIOD_CRIODCTL_CRIODCTL_H

/* The commands.  argv[0] is the command's last word.  Return exit codes. */

struct ctl;

int status_main(struct ctl *ctl, int argc, char **argv);
int image_list_main(struct ctl *ctl, int argc, char **argv);
int image_inspect_main(struct ctl *ctl, int argc, char **argv);
int image_pull_main(struct ctl *ctl, int argc, char **argv);
int image_remove_main(struct ctl *ctl, int argc, char **argv);
int image_prune_main(struct ctl *ctl, int argc, char **argv);
int image_verify_main(struct ctl *ctl, int argc, char **argv);
int image_repair_main(struct ctl *ctl, int argc, char **argv);
int image_import_main(struct ctl *ctl, int argc, char **argv);
int image_export_main(struct ctl *ctl, int argc, char **argv);
int pod_remove_main(struct ctl *ctl, int argc, char **argv);
int privileges_main(struct ctl *ctl, int argc, char **argv);
int wipe_main(struct ctl *ctl, int argc, char **argv);
int run_main(struct ctl *ctl, int argc, char **argv);

#endif
