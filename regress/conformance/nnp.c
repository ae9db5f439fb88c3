/* What the set-uid image of the no_new_privs specs runs. */
#include <stdio.h>
#include <unistd.h>

int
main(void)
{
	(void)printf("Effective uid: %u\n", geteuid());
	return 0;
}
