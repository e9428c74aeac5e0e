/* Results of the plugins here, and text of arguments; for their headers, after what a fault
 * replaces. */

/* What a fault replaces. */
#ifndef ENOUGH_ROOM
#define ENOUGH_ROOM(need, room) ((need) <= (room))
#endif
#ifndef ANSWERED
#define ANSWERED(need) (need)
#endif
#ifndef ASKED
#define ASKED(need) (need)
#endif

struct reply {
    uint8_t *at;
    size_t *length;
};

/* Whether a result fits; if not, *length says what is needed. */
static bool fits(struct reply r, size_t payload) {
    size_t need = 8 + payload;
    if (ENOUGH_ROOM(need, *r.length)) return true;
    *r.length = ASKED(need);
    return false;
}

static int32_t reply(struct reply r, int tag, const void *data, size_t size) {
    if (size > NYASH_TLV_MAX_PAYLOAD) return NYASH_E_PLUGIN;
    if (!fits(r, size)) return NYASH_E_SHORT_BUFFER;
    memcpy(r.at, "\1\0\1\0", 4);
    r.at[4] = (uint8_t)tag;
    r.at[5] = 0;
    r.at[6] = (uint8_t)size;
    r.at[7] = (uint8_t)(size >> 8);
    if (size > 0) memcpy(r.at + 8, data, size);
    *r.length = ANSWERED(8 + size);
    return NYASH_OK;
}

static int32_t nothing(struct reply r) {
    *r.length = 0;
    return NYASH_OK;
}

__attribute__((unused)) static int32_t reply_i64(struct reply r, int64_t n) { return reply(r, NYASH_TAG_I64, &n, sizeof n); }

__attribute__((unused)) static bool utf8(const uint8_t *s, size_t n) {
    for (size_t i = 0; i < n;) {
        size_t more = s[i] < 0x80 ? 0 : s[i] >= 0xc2 && s[i] <= 0xdf ? 1 : s[i] >= 0xe0 && s[i] <= 0xef ? 2 : s[i] >= 0xf0 && s[i] <= 0xf4 ? 3 : 4;
        if (more == 4 || i + more >= n + (more == 0)) return false;
        uint8_t low = s[i] == 0xe0 ? 0xa0 : s[i] == 0xf0 ? 0x90 : 0x80, high = s[i] == 0xed ? 0x9f : s[i] == 0xf4 ? 0x8f : 0xbf;
        for (size_t k = 1; k <= more; k++) {
            if (s[i + k] < low || s[i + k] > high) return false;
            low = 0x80, high = 0xbf;
        }
        i += more + 1;
    }
    return true;
}
