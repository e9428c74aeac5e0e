/* TextBox has a table, and nyash_plugin_invoke is there as well. */
#define TABLES
#include "../../../tests/wild/testdata/text/text.c"
INVOKE
