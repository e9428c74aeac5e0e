/* It needs a function that nobody has. */
// want: load-failed
// wasm: no module: the linker refuses what nobody defines
int nobody_defines_this(void);
#define ON_INIT nobody_defines_this()
#include "counter.h"
