/*
 * What may be wrong with an argument besides its type: bounds and forms that
 * its row tells, and what concerns several arguments of one RPC, which is a
 * row in cwmp_checks[].  All of it is found before anything is sent.
 *
 * stdio.h is here for snprintf() only.
 */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cwmp_build.h"


#define CWMP_FLAG_MAX  40           /* what any boolean may be long */


static cwmp_rc_t cwmp_check_windows(cwmp_build_t *b, const cwmp_node_t *args);
static cwmp_rc_t cwmp_check_notifications(cwmp_build_t *b,
    const cwmp_node_t *args);


static const struct {
    const char   *rpc;
    cwmp_rc_t   (*check)(cwmp_build_t *b, const cwmp_node_t *args);
} cwmp_checks[] = {
    { "ScheduleDownload", cwmp_check_windows },
    { "SetParameterAttributes", cwmp_check_notifications }
};


cwmp_rc_t
cwmp_check_args(cwmp_build_t *b, const cwmp_rpc_t *rpc,
    const cwmp_node_t *args)
{
    size_t  i;

    for (i = 0; i < sizeof(cwmp_checks) / sizeof(cwmp_checks[0]); i++) {
        if (strcmp(cwmp_checks[i].rpc, rpc->name) == 0) {
            return cwmp_checks[i].check(b, args);
        }
    }

    return CWMP_OK;
}


/* of an int or an unsignedInt in its one form */

static long long
cwmp_check_number(const cwmp_str_t *text)
{
    size_t     i;
    long long  n;

    for (i = 0, n = 0; i < text->len; i++) {
        if (text->data[i] != '-') {
            n = n * 10 + (text->data[i] - '0');
        }
    }

    return (text->len && text->data[0] == '-') ? -n : n;
}


/* TR-069 A.4.1.8: each has a length, and the second begins after the first */

static cwmp_rc_t
cwmp_check_windows(cwmp_build_t *b, const cwmp_node_t *args)
{
    size_t              i;
    long long           start, end, last;
    const cwmp_node_t  *list, *window;

    static const char  *path[] = { "TimeWindowList[0]", "TimeWindowList[1]" };
    static const char  *message[] = { "TimeWindowList[0].UserMessage",
                                      "TimeWindowList[1].UserMessage" };

    list = &args[7];

    for (i = 0, last = 0; i < list->nitems && i < 2; i++) {
        window = list->items[i].items;
        start = cwmp_check_number(&window[0].text);
        end = cwmp_check_number(&window[1].text);

        if (start >= end) {
            return cwmp_build_refuse(b, path[i], "ends before it starts");
        }

        if (start < last) {
            return cwmp_build_refuse(b, path[i],
                                     "starts before the one before it ends");
        }

        last = end;

        /* "1 " to "3 " ask nobody; a vendor's mode may */

        if (window[3].text.len && window[2].text.data[0] < '4') {
            return cwmp_build_refuse(b, message[i], "is shown to nobody in "
                                     "this WindowMode: use 4 Confirmation "
                                     "Needed");
        }
    }

    return CWMP_OK;
}


/* those of lightweight notifications came with CWMP 1.4 */

static cwmp_rc_t
cwmp_check_notifications(cwmp_build_t *b, const cwmp_node_t *args)
{
    char                path[64];
    size_t              i;
    const cwmp_node_t  *list;

    list = &args[0];

    for (i = 0; i < list->nitems; i++) {
        snprintf(path, sizeof(path), "ParameterList[%zu].Notification", i);

        if (cwmp_check_number(&list->items[i].items[2].text) >= 3
            && cwmp_build_too_new(b, path, 14) != CWMP_OK)
        {
            return b->rc;
        }
    }

    return CWMP_OK;
}


/* has the device said that it takes wildcards?  redis/lua asks for it */

static int
cwmp_takes_wildcards(const cwmp_order_t *order)
{
    size_t         i, len;
    unsigned char  out[CWMP_FLAG_MAX + 1];
    cwmp_known_t  *k;

    static const char  end[] = ".ManagementServer.InstanceWildcardsSupported";

    for (i = 0; i < order->nknown; i++) {
        k = &order->known[i];

        if (k->name.len >= sizeof(end) - 1
            && memcmp(k->name.data + k->name.len - (sizeof(end) - 1), end,
                      sizeof(end) - 1) == 0)
        {
            return k->value.len <= CWMP_FLAG_MAX
                   && cwmp_value_canonical(CWMP_V_BOOLEAN, k->value.data,
                                           k->value.len, out, &len) == NULL
                   && out[0] == '1';
        }
    }

    return 0;
}


size_t
cwmp_characters(const cwmp_str_t *text)
{
    size_t  i, n;

    for (i = 0, n = 0; i < text->len; i++) {
        n += (text->data[i] & 0xC0) != 0x80;
    }

    return n;
}


/* where a part of a path ends; an alias, between brackets, may have dots */

static const char *
cwmp_part_end(const char *p, const char *last)
{
    int  alias;

    for (alias = 0; p < last && (alias || *p != '.'); p++) {
        alias = alias ? (*p != ']') : (*p == '[');
    }

    return p;
}


/* not empty, nor an alias that is; no control character, and outside of an
   alias no blank */

static int
cwmp_is_part(const char *p, const char *last)
{
    const char     *alias;
    unsigned char   least;

    if (p == last) {
        return 0;
    }

    for (alias = NULL; p < last; p++) {
        least = alias ? ' ' : '!';

        if ((unsigned char) *p < least || *p == 0x7f) {
            return 0;
        }

        if (alias == NULL) {
            alias = (*p == '[') ? p + 1 : NULL;

        } else if (*p == ']') {
            if (p == alias) {
                return 0;
            }

            alias = NULL;
        }
    }

    return alias == NULL;
}


/* parts between dots, without a last dot */

static int
cwmp_is_path(const char *p, const char *last)
{
    const char  *end;

    for ( ;; p = end + 1) {
        end = cwmp_part_end(p, last);

        if (!cwmp_is_part(p, end)) {
            return 0;
        }

        if (end == last) {
            return 1;
        }
    }
}


/* a part that is "*" and nothing else: every instance of its table */

static int
cwmp_has_wildcard(const char *p, const char *last)
{
    const char  *end;

    for ( ;; p = end + 1) {
        end = cwmp_part_end(p, last);

        if (end - p == 1 && *p == '*') {
            return 1;
        }

        if (end == last) {
            return 0;
        }
    }
}


/* TR-069 A.3.2.2 to A.3.2.5 */

static cwmp_rc_t
cwmp_check_wildcard(cwmp_build_t *b, unsigned flags, const char *path,
    const char *p, size_t len)
{
    if (!cwmp_has_wildcard(p, p + len)) {
        return CWMP_OK;
    }

    if (!(flags & CWMP_WILDCARD)) {
        return cwmp_build_refuse(b, path, "has a wildcard, which only "
                                 "GetParameterValues, GetParameterNames and "
                                 "GetParameterAttributes may have");
    }

    if (cwmp_takes_wildcards(b->order)) {
        return CWMP_OK;
    }

    return cwmp_build_refuse(b, path, "has a wildcard, and the device did not "
                             "report ManagementServer."
                             "InstanceWildcardsSupported as true");
}


/* of a parameter that is set, or its end below a new object */

cwmp_rc_t
cwmp_check_name(cwmp_build_t *b, const char *path, const char *name)
{
    size_t  len;

    len = strlen(name);

    if (!cwmp_is_path(name, name + len)) {
        return cwmp_build_refuse(b, path, "is no parameter's name");
    }

    return cwmp_check_wildcard(b, 0, path, name, len);
}


/* does a path end with an instance: a number (some devices have a 0), or an
   alias? */

static int
cwmp_is_instance(const char *p, size_t len)
{
    size_t  i;

    if (len && p[len - 1] == ']') {
        return 1;
    }

    for (i = len; i && p[i - 1] >= '0' && p[i - 1] <= '9'; i--) { /* void */ }

    return i && i < len && p[i - 1] == '.';
}


static const char *
cwmp_object_wrong(const cwmp_arg_t *arg, const char *p, size_t len)
{
    if (len == 0 || p[len - 1] != '.') {
        return "does not end with a dot";
    }

    if (!cwmp_is_path(p, p + len - 1)) {
        return "is no object's path";
    }

    if ((arg->flags & CWMP_INSTANCE) && !cwmp_is_instance(p, len - 1)) {
        return "does not end with an instance, such as 1. or [alias].";
    }

    return NULL;
}


/* of a parameter, or of all below a path; empty: of all there are */

static const char *
cwmp_name_wrong(const char *p, size_t len)
{
    const char  *last;

    last = p + len;

    if (len > 1 && last[-1] == '.') {
        last--;
    }

    return (len == 0 || cwmp_is_path(p, last))
           ? NULL : "is no path: a part is empty, or has a blank or a control "
                    "character";
}


/* host and port, between "://" and the path */

static const char *
cwmp_authority_wrong(const char *p, const char *last)
{
    int          literal;
    const char  *q;

    for (q = p; q < last; q++) {
        if (*q == '@') {
            return "holds a user name or password: use Username and Password";
        }
    }

    literal = (p < last && *p == '[');      /* an IPv6 address has colons */

    for (p += literal; p < last && !strchr(literal ? "[]" : "[]:", *p); p++) {
        /* void */
    }

    if (literal && p < last && *p == ']') {
        p++;
        literal = 0;
    }

    for (q = p + 1; q < last && *q >= '0' && *q <= '9'; q++) { /* void */ }

    return (literal || (p < last && (*p != ':' || q < last || q == p + 1)))
           ? "has a host or a port that is none" : NULL;
}


/* scheme://authority/path?query#fragment, as RFC 3986 has it */

static const char *
cwmp_url_wrong(const char *p, const char *last)
{
    const char  *q, *scheme, *wrong;

    for (scheme = p; p < last && (isalnum((unsigned char) *p) || *p == '+'
                                  || *p == '-' || *p == '.'); p++)
    {
        /* void */
    }

    if (p == scheme || !isalpha((unsigned char) *scheme) || last - p < 4
        || memcmp(p, "://", 3) != 0)
    {
        return "is not an absolute URL such as https://host/file";
    }

    for (q = p; q < last; q++) {
        if ((unsigned char) *q <= ' ' || *q == 0x7f) {
            return "has a blank or a control character";
        }

        if (*q == '%' && (last - q < 3 || !isxdigit((unsigned char) q[1])
                          || !isxdigit((unsigned char) q[2])))
        {
            return "has a % without two hexadecimal digits: write it as %25";
        }
    }

    p += 3;

    for (q = p; q < last && !strchr("/?#", *q); q++) { /* void */ }

    wrong = cwmp_authority_wrong(p, q);

    for (p = NULL; q < last && wrong == NULL; q++) {
        if (*q == '[' || *q == ']' || (*q == '#' && p)) {
            wrong = "has a [, a ] or a second #: write it as %5B, %5D, %23";
        }

        p = (*q == '#') ? q : p;
    }

    return wrong;
}


static int
cwmp_is_uuid(const cwmp_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text->data[i] != '-') {
                return 0;
            }

        } else if (!isxdigit(text->data[i])) {
            return 0;
        }
    }

    return text->len == 36;
}


/* no number of a task is negative, but where -1 has a meaning */

static cwmp_rc_t
cwmp_check_bounds(cwmp_build_t *b, const cwmp_arg_t *arg, const char *path,
    const cwmp_str_t *text)
{
    int        least;
    long long  n;

    n = cwmp_check_number(text);
    least = (arg->flags & CWMP_POSITIVE) ? 1
            : (arg->flags & CWMP_MINUS_ONE) ? -1 : 0;

    if (n < least) {
        return cwmp_build_refuse(b, path, "is below %d", least);
    }

    if (arg->max && n > (long long) arg->max) {
        return cwmp_build_refuse(b, path, "is above %u", arg->max);
    }

    return CWMP_OK;
}


static const char *
cwmp_text_wrong(const cwmp_arg_t *arg, const cwmp_str_t *text)
{
    const char  *p;

    if (text->len == 0 && (arg->flags & CWMP_NONEMPTY)) {
        return "is empty";
    }

    p = (const char *) text->data;

    if (arg->flags & CWMP_PATH_DOT) {
        return cwmp_object_wrong(arg, p, text->len);
    }

    if (arg->flags & CWMP_NAME) {
        return cwmp_name_wrong(p, text->len);
    }

    if (arg->flags & CWMP_URL) {
        return cwmp_url_wrong(p, p + text->len);
    }

    if ((arg->flags & CWMP_UUID) && !cwmp_is_uuid(text)) {
        return "is no UUID of 8-4-4-4-12 hexadecimal digits";
    }

    return NULL;
}


/* the placeholders of a choice: how many bytes of the text each stands for */

static size_t
cwmp_choice_span(const char *name, const char *text)
{
    if (strncmp(name, "<i>", 3) == 0) {
        return (*text == '0') ? 0 : strspn(text, "0123456789");
    }

    if (strncmp(name, "<id>", 4) == 0) {
        return strcspn(text, "\r\n");
    }

    return strcspn(text, " \t\r\n");
}


static int
cwmp_is_choice(const char *choice, const char *text)
{
    size_t  n;

    while (*choice) {

        if (*choice != '<') {
            if (*choice++ != *text++) {
                return 0;
            }

            continue;
        }

        n = cwmp_choice_span(choice, text);
        if (n == 0) {
            return 0;
        }

        text += n;
        choice = strchr(choice, '>') + 1;
    }

    return *text == '\0';
}


#define CWMP_CHOICES_MAX  512

static cwmp_rc_t
cwmp_check_choice(cwmp_build_t *b, const cwmp_arg_t *choice, const char *path,
    const cwmp_str_t *text)
{
    char    *copy, list[CWMP_CHOICES_MAX];
    size_t   len;

    copy = cwmp_build_copy(b, text);
    if (copy == NULL) {
        return b->rc;
    }

    for (len = 0; choice->name; choice++) {
        if (cwmp_is_choice(choice->name, copy)) {
            return CWMP_OK;
        }

        if (len < sizeof(list)) {
            len += snprintf(list + len, sizeof(list) - len, "%s%s",
                            len ? ", " : "", choice->name);
        }
    }

    return cwmp_build_refuse(b, path, "is none of %s", list);
}


cwmp_rc_t
cwmp_check_scalar(cwmp_build_t *b, const cwmp_arg_t *arg, const char *path,
    const cwmp_str_t *text)
{
    const char  *wrong;

    if (arg->type == CWMP_T_INT || arg->type == CWMP_T_UINT) {
        return cwmp_check_bounds(b, arg, path, text);
    }

    if (arg->max && cwmp_characters(text) > arg->max) {
        return cwmp_build_refuse(b, path, "is longer than %u characters",
                                 arg->max);
    }

    wrong = cwmp_text_wrong(arg, text);

    if (wrong) {
        return cwmp_build_refuse(b, path, "%s", wrong);
    }

    if (arg->flags & (CWMP_NAME|CWMP_PATH_DOT)) {
        return cwmp_check_wildcard(b, arg->flags, path, (char *) text->data,
                                   text->len);
    }

    return arg->fields ? cwmp_check_choice(b, arg->fields, path, text)
                       : CWMP_OK;
}
