/* It sets the locale, which the whole process has. */
// want: locale Counter.poke
// wasm: no module: a module has a C library of its own
#include <locale.h>
#define ON_POKE setlocale(LC_ALL, "C.UTF-8")
#include "counter.h"
