#ifndef CRIOD_EXECD_UPDATE_FILE_H
#define CRIOD_EXECD_UPDATE_FILE_H

/*
 * What the second file of L_CTR_UPDATE holds: values for files of the
 * container's cgroup, in the order in which they are written.
 */

#define UPDATE_FILE_SIZE  96
#define UPDATE_VALUE_SIZE 928
#define UPDATE_FILES_MAX  256

struct update_file {
	char name[UPDATE_FILE_SIZE];   /* "hugetlb.2MB.max"; ends with NUL */
	char value[UPDATE_VALUE_SIZE]; /* likewise */
};

#endif
