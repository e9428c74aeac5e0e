/* Prints the self-description of a library. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    void *library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_LOCAL);
    const char *(*config)(void) = NULL;
    if (library != NULL)
        *(void **)&config = dlsym(library, "nyash_plugin_config");
    if (config == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    fputs(config(), stdout);
    return dlclose(library); /* without an init: the text is freed all the same */
}
