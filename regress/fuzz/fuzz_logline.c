#include <stdlib.h>
#include <string.h>

#include "execd/monitor_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The pieces are the text, whole and in order, each of a legal size. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_piece p;
	size_t done = 0, n;

	if (size == 0)
		return 0;
	for (size_t part = data[0] * 64U; done < size; part = size) {
		size_t len = part < size ? part : size;

		while (done < len && (n = line_cut(data + done, len - done,
					  len == size, &p)) != 0) {
			if (p.text != data + done || p.len != n ||
			    n > LINE_MAX_TEXT + 1 ||
			    p.has_nl != (p.text[n - 1] == '\n') ||
			    (p.has_nl && !p.full) ||
			    (n > 1 && memchr(p.text, '\n', n - 1) != NULL))
				abort();
			done += n;
		}
		if (len == size && done != size)
			abort();
	}
	return 0;
}
