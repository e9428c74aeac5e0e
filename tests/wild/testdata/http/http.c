/* ServerBox, ClientBox, RequestBox and ResponseBox: a network of one process. A request
 * waits at the server of its port until that accepts and answers it.
 *
 * Integers are I32, and nothing else: the first host sent no others. */
#include "../wild.h"

enum { SERVER = 70, CLIENT, REQUEST, RESPONSE };

enum { START = 1, STOP, ACCEPT };                       /* of ServerBox */
enum { GET = 1, POST };                                 /* of ClientBox */
enum { PATH = 1, BODY, RESPOND };                       /* of RequestBox */
enum { SET_STATUS = 1, SET_HEADER, WRITE, STATUS, HEADER, READ }; /* of ResponseBox */

typedef struct Server {
    int32_t port; /* 0 while it is stopped */
} Server;

/* A request is a client's until a server has accepted it. */
typedef struct Request {
    int32_t port;
    bool accepted;
    uint32_t response; /* the client's; 0 once it has been answered */
    char *path, *body;
} Request;

typedef struct Response {
    bool waits; /* for a server */
    int32_t status;
    char *header, *value, *body; /* one header is enough here */
} Response;

static int32_t birth(Call *c)
{
    static const size_t sizes[] = {sizeof(Server), sizeof(int), sizeof(Request), sizeof(Response)};
    if (!takes(c, ""))
        return NYASH_E_INVALID_ARGS;
    if (!birth_fits(c))
        return NYASH_E_SHORT_BUFFER;
    uint32_t id = make(c->type, sizes[c->type - SERVER]);
    if (id == 0)
        return NYASH_E_OUT_OF_MEMORY;
    if (c->type == RESPONSE)
        ((Response *)find(RESPONSE, id))->status = 200;
    return answer_birth(c, id);
}

static void end(uint32_t type, uint32_t id)
{
    if (type == REQUEST) {
        Request *r = find(type, id);
        free(r->path);
        free(r->body);
    } else if (type == RESPONSE) {
        Response *r = find(type, id);
        free(r->header);
        free(r->value);
        free(r->body);
    }
    drop(id);
}

/* replace puts a copy of a value in a field. */
static bool replace(char **field, const Value *v)
{
    char *copy = copy_text(v);
    if (copy == NULL)
        return false;
    free(*field);
    *field = copy;
    return true;
}

static bool served(int32_t port)
{
    for (uint32_t id = 1; id <= instances.count; id++) {
        const Server *s = find(SERVER, id);
        if (s != NULL && s->port == port)
            return true;
    }
    return false;
}

static int32_t server(Call *c, Server *s)
{
    switch (c->method) {
    case START:
        if (!takes(c, "i"))
            return NYASH_E_INVALID_ARGS;
        int32_t port = (int32_t)integer(&c->args[0]);
        if (port < 1 || port > 65535)
            return answer_text(c, "a port is a number from 1 to 65535");
        if (served(port))
            return answer_text(c, "the port is taken");
        s->port = port;
        return answer_nothing();
    case STOP:
        if (!takes(c, ""))
            return NYASH_E_INVALID_ARGS;
        s->port = 0;
        return answer_nothing();
    case ACCEPT:
        if (!takes(c, ""))
            return NYASH_E_INVALID_ARGS;
        if (!fits(c, 40))
            return NYASH_E_SHORT_BUFFER;
        for (uint32_t id = 1; s->port != 0 && id <= instances.count; id++) {
            Request *r = find(REQUEST, id);
            if (r != NULL && !r->accepted && r->port == s->port) {
                r->accepted = true;
                return answer_handle(c, REQUEST, id);
            }
        }
        return answer_text(c, s->port == 0 ? "the server is not started" : "nobody waits");
    }
    return NYASH_E_INVALID_METHOD;
}

/* request is get(url) and post(url, body): it answers the response, which waits for a
 * server. A URL is mem://PORT/PATH. */
static int32_t request(Call *c)
{
    if (c->method != GET && c->method != POST)
        return NYASH_E_INVALID_METHOD;
    if (!takes(c, c->method == GET ? "s" : "sb"))
        return NYASH_E_INVALID_ARGS;
    if (!fits(c, 40))
        return NYASH_E_SHORT_BUFFER;
    char *url = copy_text(&c->args[0]);
    if (url == NULL)
        return NYASH_E_OUT_OF_MEMORY;
    int port = 0, at = 0;
    if (sscanf(url, "mem://%5d%n", &port, &at) != 1 || port < 1 || url[at] != '/') {
        free(url);
        return answer_text(c, "a url is mem://PORT/PATH");
    }
    if (!served(port)) {
        free(url);
        return answer_text(c, "connection refused");
    }
    uint32_t response = make(RESPONSE, sizeof(Response));
    uint32_t id = response == 0 ? 0 : make(REQUEST, sizeof(Request));
    Request *r = find(REQUEST, id);
    bool ok = r != NULL;
    if (ok) {
        *r = (Request){port, false, response, strdup(url + at), NULL};
        ok = r->path != NULL && (c->method == GET || replace(&r->body, &c->args[1]));
    }
    free(url);
    if (!ok) {
        if (r != NULL)
            end(REQUEST, id);
        if (response != 0)
            end(RESPONSE, response);
        return NYASH_E_OUT_OF_MEMORY;
    }
    ((Response *)find(RESPONSE, response))->waits = true;
    return answer_handle(c, RESPONSE, response);
}

/* respond gives the client's response what the server's one holds. */
static int32_t respond(Call *c, Request *r)
{
    uint32_t type, id;
    handle(&c->args[0], &type, &id);
    Response *from = type == RESPONSE ? find(RESPONSE, id) : NULL;
    if (from == NULL)
        return NYASH_E_INVALID_HANDLE;
    if (r->response == 0)
        return fail(c, NYASH_E_PLUGIN, "it was answered already");
    Response *to = find(RESPONSE, r->response);
    r->response = 0;
    if (to == NULL || to == from) /* the client has gone */
        return answer_nothing();
    char **fields[] = {&to->header, &to->value, &to->body};
    const char *const values[] = {from->header, from->value, from->body};
    for (size_t i = 0; i < 3; i++) {
        free(*fields[i]);
        *fields[i] = values[i] == NULL ? NULL : strdup(values[i]);
    }
    to->status = from->status;
    to->waits = false;
    return answer_nothing();
}

static int32_t request_of_server(Call *c, Request *r)
{
    if (c->method > RESPOND)
        return NYASH_E_INVALID_METHOD;
    if (!takes(c, c->method == RESPOND ? "h" : ""))
        return NYASH_E_INVALID_ARGS;
    if (c->method == RESPOND)
        return respond(c, r);
    const char *text = c->method == PATH ? r->path : r->body;
    return answer_text(c, text == NULL ? "" : text);
}

static int32_t response(Call *c, Response *r)
{
    static const char *const takes_what[] = {[SET_STATUS] = "i", [SET_HEADER] = "ss", [WRITE] = "b", [STATUS] = "", [HEADER] = "s", [READ] = ""};
    if (c->method > READ)
        return NYASH_E_INVALID_METHOD;
    if (!takes(c, takes_what[c->method]))
        return NYASH_E_INVALID_ARGS;
    if (r->waits)
        return fail(c, NYASH_E_PLUGIN, "no server has answered yet");
    switch (c->method) {
    case SET_STATUS:
        r->status = (int32_t)integer(&c->args[0]);
        return answer_nothing();
    case SET_HEADER:
        return replace(&r->header, &c->args[0]) && replace(&r->value, &c->args[1]) ? NYASH_OK : NYASH_E_OUT_OF_MEMORY;
    case WRITE:
        if (!utf8(c->args[0].data, c->args[0].size))
            return NYASH_E_INVALID_UTF8;
        return replace(&r->body, &c->args[0]) ? NYASH_OK : NYASH_E_OUT_OF_MEMORY;
    case STATUS:
        return answer_i32(c, r->status);
    case HEADER: {
        bool same = r->header != NULL && strlen(r->header) == c->args[0].size && memcmp(r->header, c->args[0].data, c->args[0].size) == 0;
        return answer_text(c, same ? r->value : "");
    }
    }
    return answer_text(c, r->body == NULL ? "" : r->body);
}

static int32_t dispatch(Call *c)
{
    if (c->type < SERVER || c->type > RESPONSE)
        return NYASH_E_INVALID_TYPE;
    if (c->method == NYASH_METHOD_BIRTH)
        return birth(c);
    void *state = find(c->type, c->instance);
    if (state == NULL)
        return NYASH_E_INVALID_HANDLE;
    if (c->method == NYASH_METHOD_FINI)
        return end(c->type, c->instance), answer_nothing();
    switch (c->type) {
    case SERVER:
        return server(c, state);
    case CLIENT:
        return request(c);
    case REQUEST:
        return request_of_server(c, state);
    }
    return response(c, state);
}

static void end_all(void)
{
    for (uint32_t id = 1; id <= instances.count; id++)
        if (instances.all[id - 1].state != NULL)
            end(instances.all[id - 1].type, id);
}

#if defined(TABLES)
TABLE(ServerBox, SERVER, NULL)
TABLE(ClientBox, CLIENT, NULL)
TABLE(RequestBox, REQUEST, NULL)
TABLE(ResponseBox, RESPONSE, NULL)
#elif defined(INVOKE_ONLY)
INVOKE
#else
FOUR_SYMBOLS(SERVER, "ServerBox", 0, NULL)
#endif
