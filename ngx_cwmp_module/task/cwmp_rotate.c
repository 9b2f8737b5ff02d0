/*
 * RotateCredentials: passwords of its own for a device, set by one
 * SetParameterValues.  They are no part of the task: whoever sends it makes
 * them when its turn has come, and sees to it that they are good from now on,
 * beside those that the device has.
 */

#include <string.h>

#include "cwmp_build.h"


/* below the object, in the order of cwmp_credentials_t */
static const char  *cwmp_rotate_names[CWMP_CREDENTIALS] = {
    "Username", "Password", "ConnectionRequestUsername",
    "ConnectionRequestPassword"
};


static cwmp_rc_t
cwmp_rotate_value(cwmp_build_t *b, const char *name, const cwmp_str_t *value,
    cwmp_node_t *row)
{
    char        *object, *path;
    const char  *type;

    object = cwmp_build_copy(b, &b->order->credentials->object);
    path = object ? cwmp_build_path(b, object, "", name) : NULL;

    row->given = 1;
    row->nitems = 2;
    row->items = path ? cwmp_build_nodes(b, 2) : NULL;

    if (row->items == NULL) {
        return b->rc;
    }

    cwmp_node_text(&row->items[0], path);

    type = cwmp_value_type_name(CWMP_V_STRING);

    row->items[1].given = 1;
    row->items[1].type.data = (unsigned char *) type;
    row->items[1].type.len = strlen(type);

    return cwmp_build_canonical(b, CWMP_V_STRING, name,
                                (const char *) value->data, value->len,
                                &row->items[1].text);
}


/* the RPC, or that it lacks them */

cwmp_rc_t
cwmp_rotate(cwmp_build_t *b, const cwmp_rpc_t *rpc)
{
    char                      *key;
    size_t                     i;
    cwmp_node_t               *args;
    const cwmp_credentials_t  *c = b->order->credentials;

    (void) rpc;

    if (c == NULL) {
        b->out->credentials = 1;
        return CWMP_OK;
    }

    key = cwmp_build_copy(b, &b->order->key);
    args = key ? cwmp_build_rpc(b, "SetParameterValues", CWMP_CREDENTIALS)
               : NULL;

    if (args == NULL) {
        return b->rc;
    }

    cwmp_node_text(&args[1], key);
    args[0].nitems = CWMP_CREDENTIALS;

    for (i = 0; i < CWMP_CREDENTIALS; i++) {
        if (cwmp_rotate_value(b, cwmp_rotate_names[i], &c->values[i],
                              &args[0].items[i])
            != CWMP_OK)
        {
            return b->rc;
        }
    }

    return CWMP_OK;
}
