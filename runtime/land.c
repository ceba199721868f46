/*
 * land.c - a survey of the process's code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/land.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

/* The linker makes them where the section is: in what was linked with the
   static library.  Elsewhere they are NULL. */
#define FROM_LINKER __attribute__((weak, visibility("hidden")))
FROM_LINKER extern const char coact__text_start[] __asm__("__start_coact_text");
FROM_LINKER extern const char coact__text_stop[] __asm__("__stop_coact_text");

static bool
is_in(const struct coact__range *range, uintptr_t at)
{
    return at >= range->from && at < range->to;
}

/* From a module's first executable byte to its last. */
static struct coact__range
code_of(const struct dl_phdr_info *module)
{
    struct coact__range code = {UINTPTR_MAX, 0};
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &module->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            uintptr_t from = module->dlpi_addr + part->p_vaddr;
            uintptr_t to = from + part->p_memsz;
            code.from = from < code.from ? from : code.from;
            code.to = to > code.to ? to : code.to;
        }
    }
    return code;
}

static bool
is_c_library(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    return strncmp(name, "libc.so", 7) == 0 ||
           strncmp(name, "libc.musl", 9) == 0 ||
           strncmp(name, "ld-musl", 7) == 0;
}

struct survey {
    struct coact__land *land;
    bool has_program;
    bool has_c_library;
};

/* One module; the program is the first. */
static int
visit(struct dl_phdr_info *module, size_t bytes, void *arg)
{
    (void)bytes;
    struct survey *survey = arg;
    struct coact__range code = code_of(module);
    if (!survey->has_program) {
        survey->has_program = true;
        survey->land->program = code;
    }
    if (is_in(&code, (uintptr_t)coact__land_survey)) {
        survey->land->ours = code;
    }
    if (is_c_library(module->dlpi_name)) {
        survey->has_c_library = true;
    }
    return 0;
}

int
coact__land_survey(struct coact__land *land)
{
    struct survey survey = {.land = land};
    *land = (struct coact__land){0};
    (void)dl_iterate_phdr(visit, &survey);
    if (coact__text_start != NULL) {
        land->ours = (struct coact__range){(uintptr_t)coact__text_start,
                                           (uintptr_t)coact__text_stop};
    }
    bool is_ours_known = is_in(&land->ours, (uintptr_t)coact__land_survey) &&
                         (land->ours.from != land->program.from ||
                          land->ours.to != land->program.to);
    return survey.has_c_library && is_ours_known ? 0 : -ENOTSUP;
}

/* The module that an address lies in; an empty range if that cannot be known
   here and now. */
static struct coact__range
module_of(uintptr_t at)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE
    struct dl_find_object found;
    if (_dl_find_object((void *)at, &found) == 0) {
        return (struct coact__range){(uintptr_t)found.dlfo_map_start,
                                     (uintptr_t)found.dlfo_map_end};
    }
#endif
    (void)at;
    return (struct coact__range){0};
}

enum coact__owner
coact__land_owner(const struct coact__land *land, uintptr_t pc,
                  uintptr_t native)
{
    if (is_in(&land->ours, pc)) {
        return COACT__OWNER_COACT;
    }
    if (is_in(&land->program, pc)) {
        return COACT__OWNER_USER;
    }
    struct coact__range plugin = module_of(native);
    return is_in(&plugin, pc) ? COACT__OWNER_USER : COACT__OWNER_OTHER;
}
