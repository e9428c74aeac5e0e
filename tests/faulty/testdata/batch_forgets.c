/* A batch makes its calls and does not say what came of them. */
// want: batch-wrong Counter.add
// want: batch-wrong Counter.echo
// want: batch-wrong Counter.get
// want: batch-wrong Counter.poke
// want: batch-wrong Counter.set
// wasm: nothing: hosts make the calls of a module one by one
#include "counter.h"

size_t nyash_plugin_invoke_batch(NyashCall *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        NyashCall c = calls[i];
        c.code = nyash_plugin_invoke(c.type_id, c.method_id, c.instance_id, c.args, c.args_len, c.result, &c.result_len);
    }
    return count;
}
