/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation
 *
 * glibc raises its threshold for blocks of their own up to 32 MB as such blocks are
 * freed: a list of 60,000 changes then lies in the heap below what stays, and the heap
 * never shrinks. With the threshold fixed, large blocks are mapped, and grow in place.
 *
 * A third of the code that is mapped after the start is TLS's, which libmicrohttpd brings
 * and natd never calls. Read-only pages of files come back when they are touched.
 */

#include "natd/common/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_BLOCK (64 * 1024)

void memory_setup(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BLOCK);
	mallopt(M_TOP_PAD, LARGE_BLOCK);
}

/* What relocation wrote to is in segments that may be written: those stay. */
static int forget_code(struct dl_phdr_info *object, size_t size, void *userdata)
{
	const uintptr_t page = (uintptr_t)getpagesize();

	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;
		uintptr_t end = start + segment->p_filesz;

		if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
			continue;
		start &= ~(page - 1);
		end &= ~(page - 1);
		if (start < end)
			madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void memory_started(void)
{
	dl_iterate_phdr(forget_code, NULL);
	memory_trim();
}

void memory_trim(void)
{
	malloc_trim(0);
}
