/* Prints what the TypeBox table of a box resolves: typebox LIBRARY BOX METHOD... */
#include <dlfcn.h>
#include <stdio.h>

#include "nyash_plugin.h"

int main(int argc, char **argv) {
    char symbol[200];
    void *library = argc > 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL || snprintf(symbol, sizeof symbol, "nyash_typebox_%s", argv[2]) < 0) return 1;
    const NyashTypeBox *box = dlsym(library, symbol);
    if (box == NULL || box->abi_tag != NYASH_TYPEBOX_TAG || box->version != NYASH_TYPEBOX_VERSION ||
        box->struct_size != sizeof *box || box->capabilities != 0)
        return 2;
    for (int i = 3; i < argc; i++) printf("%s %u\n", argv[i], (unsigned)box->resolve(argv[i]));
    return 0;
}
