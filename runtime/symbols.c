/*
 * symbols.c - names out of the dynamic linker, or out of the file.
 *
 * The file is read piece by piece, not mapped: one that is replaced in place
 * while we look would end us with SIGBUS.  It may hold anything, so each place
 * in it is only asked for; a read that comes back short ends the search.  Nothing
 * is allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/symbols.h"

#include "runtime/memory.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SYMBOLS = 21 }; /* read at once: half a KiB */

static bool
read_at(int fd, uint64_t offset, void *to, size_t bytes)
{
    return offset <= INT64_MAX &&
           pread(fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

/* The section of a kind; or the one of a number, if the kind is SHT_NULL. */
static bool
find_section(int fd, const ElfW(Ehdr) * header, uint32_t kind, uint32_t number,
             ElfW(Shdr) * out)
{
    for (uint32_t i = 0; i < header->e_shnum; i++) {
        if (!read_at(fd, header->e_shoff + i * sizeof(*out), out,
                     sizeof(*out))) {
            return false;
        }
        if (kind == SHT_NULL ? i == number : out->sh_type == kind) {
            return true;
        }
    }
    return false;
}

static bool
covers(const ElfW(Sym) * symbol, uintptr_t at)
{
    // The type is in the low four bits, in both classes of files.
    return (symbol->st_info & 0xf) == STT_FUNC && symbol->st_value <= at &&
           at - symbol->st_value < symbol->st_size;
}

static bool
find_symbol(int fd, const ElfW(Shdr) * table, uintptr_t at, ElfW(Sym) * out)
{
    ElfW(Sym) some[SYMBOLS];
    uint64_t count = table->sh_size / sizeof(some[0]);
    for (uint64_t from = 0; from < count; from += SYMBOLS) {
        uint64_t now = count - from < SYMBOLS ? count - from : SYMBOLS;
        if (!read_at(fd, table->sh_offset + from * sizeof(some[0]), some,
                     (size_t)now * sizeof(some[0]))) {
            return false;
        }
        for (uint64_t i = 0; i < now; i++) {
            if (covers(&some[i], at)) {
                *out = some[i];
                return true;
            }
        }
    }
    return false;
}

static bool
is_elf_of_ours(const ElfW(Ehdr) * header)
{
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == ELFCLASS64 &&
           header->e_shentsize == sizeof(ElfW(Shdr));
}

static void
look_in_file(int fd, struct coact__symbol *out)
{
    ElfW(Ehdr) header;
    ElfW(Shdr) table;
    ElfW(Shdr) strings;
    ElfW(Sym) symbol;
    if (!read_at(fd, 0, &header, sizeof(header)) || !is_elf_of_ours(&header) ||
        !find_section(fd, &header, SHT_SYMTAB, 0, &table) ||
        !find_symbol(fd, &table, out->into_file, &symbol) ||
        !find_section(fd, &header, SHT_NULL, table.sh_link, &strings)) {
        return;
    }
    // The name may be the file's last bytes, so a short read is as good.
    uint64_t at = strings.sh_offset + symbol.st_name;
    ssize_t got = at > INT64_MAX
                      ? -1
                      : pread(fd, out->name, sizeof(out->name) - 1, (off_t)at);
    out->name[got < 0 ? 0 : got] = '\0';
    out->into_name = out->into_file - symbol.st_value;
}

static const char *
last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

void
coact__symbols_find(uintptr_t address, struct coact__symbol *out)
{
    *out = (struct coact__symbol){.into_name = 0};
    Dl_info info;
    struct link_map *map = NULL;
    if (dladdr1((const void *)address, &info, (void **)&map, RTLD_DL_LINKMAP) ==
            0 ||
        map == NULL) {
        return;
    }
    snprintf(out->file, sizeof(out->file), "%s",
             last_part(info.dli_fname != NULL ? info.dli_fname : ""));
    out->into_file = address - map->l_addr;
    if (info.dli_sname != NULL) {
        snprintf(out->name, sizeof(out->name), "%s", info.dli_sname);
        out->into_name = address - (uintptr_t)info.dli_saddr;
        return;
    }
    // The program has no name in the map; the one that it was started by may
    // mean another file by now.
    const char *path = map->l_name[0] != '\0' ? map->l_name : "/proc/self/exe";
    int fd = coact__fails() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        look_in_file(fd, out);
        (void)close(fd);
    }
}
