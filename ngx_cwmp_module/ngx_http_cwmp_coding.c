/*
 * What a POST's headers say of its body's bytes: Content-Encoding, and the
 * charset of Content-Type.  Must not know what comes of the body.
 */

#include "ngx_http_cwmp.h"


static ngx_int_t ngx_http_cwmp_coding_unknown(ngx_http_cwmp_ctx_t *ctx);


/*
 * What the body's bytes are.  A coding that we do not know is refused before
 * the body is read; nginx discards it and keeps the connection, so that the
 * CPE can send it again without.  Not NGX_OK: what the handler is to return.
 */

ngx_int_t
ngx_http_cwmp_coding(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_uint_t           i;
    cwmp_coding_t        coding, one;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    static ngx_str_t  name = ngx_string("Content-Encoding");

    r = ctx->request;
    coding = CWMP_CODING_NONE;

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        return NGX_OK;                      /* of nothing at all */
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len != name.len
                || ngx_strncasecmp(h[i].key.data, name.data, name.len) != 0)
            {
                continue;
            }

            one = cwmp_coding_parse(h[i].value.data, h[i].value.len);

            if (one != CWMP_CODING_NONE) {
                coding = (coding == CWMP_CODING_NONE) ? one
                                                      : CWMP_CODING_UNKNOWN;
            }
        }
    }

    if (coding == CWMP_CODING_NONE) {
        return NGX_OK;
    }

    if (coding == CWMP_CODING_UNKNOWN) {
        return ngx_http_cwmp_coding_unknown(ctx);
    }

    ctx->inflate = cwmp_inflate_create(&ctx->arena, coding,
                                       ctx->conf->max_envelope);

    return ctx->inflate ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_cwmp_coding_unknown(ngx_http_cwmp_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    static ngx_str_t  ours = ngx_string("gzip, deflate");

    r = ctx->request;

    ngx_http_cwmp_unwanted(r);

    if (ngx_http_cwmp_add_header(r, "Accept-Encoding", &ours) != NGX_OK
        || ngx_http_discard_request_body(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;
    ngx_http_cwmp_reply_error(ctx, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                              "Content-Encoding can be gzip or deflate, "
                              "one of them");
    return NGX_DONE;
}


/* Content-Type: text/xml; charset="utf-8" */

void
ngx_http_cwmp_charset(ngx_http_cwmp_ctx_t *ctx)
{
    u_char           *p, *last, *name;
    ngx_table_elt_t  *type;

    type = ctx->request->headers_in.content_type;

    if (type == NULL) {
        return;
    }

    last = type->value.data + type->value.len;
    p = ngx_strlcasestrn(type->value.data, last, (u_char *) "charset=", 7);

    if (p == NULL) {
        return;
    }

    for (p += 8; p < last && (*p == '"' || *p == '\'' || *p == ' '); p++) {
        /* void */
    }

    for (name = p; p < last && *p != '"' && *p != '\'' && *p != ';'
                   && *p != ' '; p++)
    {
        /* void */
    }

    cwmp_envelope_charset(ctx->envelope, name, p - name);
}


/* no 100 for a body that is not wanted: whether it comes all the same nobody
   knows, so no request can follow it */

void
ngx_http_cwmp_unwanted(ngx_http_request_t *r)
{
    if (r->headers_in.expect) {
        r->expect_tested = 1;
        r->keepalive = 0;
    }
}
