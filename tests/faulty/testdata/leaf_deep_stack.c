/* A leaf method takes 200 KiB of stack. */
// want: leaf-stack Counter.poke
// wasm: crash Counter.poke: the stack of a module is smaller than that
#define CONFIG BOX_TEXT METHODS_TEXT_OF("leaf = true, ")
#define ON_POKE use_stack()
__attribute__((noinline)) static void use_stack(void) {
    volatile char large[200 << 10];
    for (unsigned i = 0; i < sizeof large; i += 1024) large[i] = 1;
}
#include "counter.h"
