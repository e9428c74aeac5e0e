/* Notes that are dumped and restored: blobs in both directions, which the tester damages. */
#include "../dump.h"
