#include <sys/mman.h>

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/trim.h"

/* A segment that is not written is what its file holds. */
static int
trim_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = *(const uintptr_t *)arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t start, end;
		void *at;

		if (ph->p_type != PT_LOAD || (ph->p_flags & PF_W) != 0)
			continue;
		start = info->dlpi_addr + ph->p_vaddr;
		end = (start + ph->p_memsz + page - 1) & ~(page - 1);
		start &= ~(page - 1);
		at = (void *)start; /* cppcheck-suppress intToPointerCast */
		(void)madvise(at, end - start, MADV_DONTNEED);
	}
	return 0;
}

void
trim_memory(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)malloc_trim(0);
	(void)dl_iterate_phdr(trim_object, &page);
}
