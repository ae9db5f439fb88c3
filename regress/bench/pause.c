/* The sandbox image's program for the runtime that needs one. */
#include <unistd.h>

int
main(void)
{
	for (;;)
		(void)pause();
}
