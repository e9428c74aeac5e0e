/* Decodes and encodes what standard input says, with the reader and the writer
 * of nyash.h; sdk_test.go has the format. C99 and C++17. */
#include "nyash.h"

#include <inttypes.h>

#define LINE (4 << 20)

static const char *const kinds[] = {"ok",   "version",  "truncated", "tag",       "reserved_tag", "reserved_byte",
                                    "size", "trailing", "utf8",      "too_large", "too_many"};

static void *memory(size_t size)
{
    void *p = malloc(size == 0 ? 1 : size);
    if (p == NULL)
        abort();
    return p;
}

static void print_hex(const uint8_t *data, size_t size)
{
    size_t i;
    for (i = 0; i < size; i++)
        printf("%02x", data[i]);
}

/* A block of exactly the size, for valgrind to watch its end. */
static uint8_t *parse_hex(const char *text, size_t *size)
{
    size_t i;
    uint8_t *data;
    *size = strlen(text) / 2;
    data = (uint8_t *)memory(*size);
    for (i = 0; i < *size; i++) {
        const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        data[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return data;
}

static void print_value(const NyashValue *v)
{
    int ignored;
    float f = nyash_value_f32(v);
    double d = nyash_value_f64(v);
    uint32_t f_bits;
    uint64_t d_bits;
    memcpy(&f_bits, &f, sizeof f_bits);
    memcpy(&d_bits, &d, sizeof d_bits);
    printf(" %s", nyash_tag_name(v->tag, &ignored));
    switch (v->tag) {
    case NYASH_TAG_BOOL:
        printf(" %d", nyash_value_bool(v));
        break;
    case NYASH_TAG_I32:
        printf(" %" PRId32, nyash_value_i32(v));
        break;
    case NYASH_TAG_I64:
        printf(" %" PRId64, nyash_value_i64(v));
        break;
    case NYASH_TAG_F32:
        printf(" %08" PRIx32, f_bits);
        break;
    case NYASH_TAG_F64:
        printf(" %016" PRIx64, d_bits);
        break;
    case NYASH_TAG_STRING:
        printf(" x");
        print_hex((const uint8_t *)nyash_value_string(v).data, nyash_value_string(v).size);
        break;
    case NYASH_TAG_BYTES:
        printf(" x");
        print_hex(nyash_value_bytes(v).data, nyash_value_bytes(v).size);
        break;
    case NYASH_TAG_HANDLE:
        printf(" %" PRIu32 " %" PRIu32, nyash_value_type(v), nyash_value_instance(v));
        break;
    case NYASH_TAG_BLOB:
        printf(" %" PRIu64 " %" PRIu64, nyash_get_u64(v->data), nyash_get_u64(v->data + 8));
        break;
    }
}

static void decode(const char *hex)
{
    size_t size;
    uint8_t *data = parse_hex(hex, &size);
    NyashReader r, again;
    NyashValue v;
    int more = nyash_reader_open(&r, data, size);
    if (more == 0)
        for (again = r; (more = nyash_reader_next(&again, &v)) > 0;) {
        }
    if (more < 0) {
        const NyashReader *bad = r.error != NYASH_TLV_OK ? &r : &again;
        printf("%s %lu", kinds[bad->error], (unsigned long)bad->offset);
    } else {
        printf("ok");
        while (nyash_reader_next(&r, &v) > 0)
            print_value(&v);
    }
    free(data);
}

/* Writes the values that the line has. */
static void write_values(NyashWriter *w, char *line)
{
    static const char space[] = " \n";
    char *tag;
    for (tag = strtok(line, space); tag != NULL; tag = strtok(NULL, space)) {
        uint64_t bits;
        uint32_t bits32;
        double d;
        float f;
        uint8_t *data;
        size_t size;
        char *value = strcmp(tag, "void") == 0 ? NULL : strtok(NULL, space);
        if (value == NULL) {
            nyash_write_void(w);
        } else if (strcmp(tag, "bool") == 0) {
            nyash_write_bool(w, value[0] == '1' ? 7 : 0);
        } else if (strcmp(tag, "i32") == 0) {
            nyash_write_i32(w, (int32_t)strtol(value, NULL, 10));
        } else if (strcmp(tag, "i64") == 0) {
            nyash_write_i64(w, strtoll(value, NULL, 10));
        } else if (strcmp(tag, "f32") == 0) {
            bits32 = (uint32_t)strtoul(value, NULL, 16);
            memcpy(&f, &bits32, sizeof f);
            nyash_write_f32(w, f);
        } else if (strcmp(tag, "f64") == 0) {
            bits = strtoull(value, NULL, 16);
            memcpy(&d, &bits, sizeof d);
            nyash_write_f64(w, d);
        } else if (strcmp(tag, "handle") == 0) {
            uint32_t type = (uint32_t)strtoul(value, NULL, 10);
            nyash_write_handle(w, type, (uint32_t)strtoul(strtok(NULL, space), NULL, 10));
        } else if (strcmp(tag, "blob") == 0) {
            bits = strtoull(value, NULL, 10);
            nyash_write_blob(w, bits, strtoull(strtok(NULL, space), NULL, 10));
        } else {
            data = parse_hex(value + 1, &size);
            if (strcmp(tag, "string") == 0)
                nyash_write_string(w, (const char *)data, size);
            else
                nyash_write_bytes(w, data, size);
            free(data);
        }
    }
}

/* Encodes twice: without memory, to learn the size, and with just that much. */
static void encode(const char *values)
{
    char *copy = (char *)memory(strlen(values) + 1);
    NyashWriter w;
    size_t size;
    uint8_t *data;
    nyash_writer_open(&w, NULL, 0);
    write_values(&w, strcpy(copy, values));
    size = w.size;
    data = (uint8_t *)memory(size);
    nyash_writer_open(&w, data, size);
    write_values(&w, strcpy(copy, values));
    if (w.size != size)
        abort();
    if (w.error != NYASH_TLV_OK) {
        printf("%s", kinds[w.error]);
    } else {
        print_hex(data, size);
    }
    free(data);
    free(copy);
}

int main(void)
{
    char *line = (char *)memory(LINE);
    while (fgets(line, LINE, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "decode ", 7) == 0)
            decode(line + 7);
        else
            encode(line + 7);
        putchar('\n');
    }
    free(line);
    return 0;
}
