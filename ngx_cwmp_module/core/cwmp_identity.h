/*
 * Who a device is: ID as TR-069 builds user names (A6 3.4.4), and the session
 * cookie that leads any node to the device and proves the session.  Pure.
 */

#ifndef CWMP_IDENTITY_H
#define CWMP_IDENTITY_H

#include "cwmp_types.h"

#define CWMP_OUI_MAX     6
#define CWMP_ID_MAX      256        /* bytes of an ID; more are refused */
#define CWMP_TOKEN_LEN   22         /* 128 bits in base64url, no padding */
#define CWMP_COOKIE_NAME "cwmp"


/*
 * ID = OUI-ProductClass-SerialNumber, or OUI-SerialNumber when ProductClass
 * is empty; in each part every byte outside [A-Za-z0-9_] is written %XX (upper
 * case hex); OUI is folded to upper case.  REFUSED with *reason set when OUI
 * or SerialNumber is empty, OUI over 6 characters, a part over 64 characters,
 * or the ID over CWMP_ID_MAX bytes.
 */
cwmp_rc_t cwmp_identity(cwmp_arena_t *arena, const cwmp_str_t *oui,
    const cwmp_str_t *class, const cwmp_str_t *serial, cwmp_str_t *id,
    const char **reason);

/* some write an OUI as the beginning of a MAC address, or all of one (D20):
   then oui becomes its six digits, else it stays; six must live as long */
void cwmp_identity_oui(cwmp_str_t *oui, unsigned char six[CWMP_OUI_MAX]);

/*
 * Does a name, as people and CPEs write it, mean this device?  The OUI and the
 * digits of %XX in either case; a name that ends in '*' means all whose ID
 * begins so, but at least an OUI and its '-'.
 */
int cwmp_identity_means(const cwmp_str_t *name, const cwmp_str_t *id);

/* the one ID that a name means, into id, of CWMP_ID_MAX bytes, and its length;
   0: it means none, or many.  name may be in id */
size_t cwmp_identity_of(const cwmp_str_t *name, unsigned char *id);

/* is this an ID that cwmp_identity() could have built? (charset, length) */
int cwmp_identity_valid(const unsigned char *p, size_t len);


/* 16 random bytes to CWMP_TOKEN_LEN characters of base64url */
void cwmp_token_encode(const unsigned char random[16], unsigned char *token);

/*
 * "cwmp=TOKEN.ID; Path=/" into the arena: the value of Set-Cookie.
 */
cwmp_rc_t cwmp_cookie_write(cwmp_arena_t *arena, const cwmp_str_t *token,
    const cwmp_str_t *id, cwmp_str_t *cookie);

/*
 * Finds our cookie in the value of a Cookie header, among foreign ones,
 * separated by ';' or ',', the value perhaps quoted, attributes ("Path=/")
 * perhaps sent back, in any order, blanks anywhere around (field deviations
 * D5, D43).  token and id point into the header.  1 if found and well-formed,
 * else 0.  When several of our name are there the last
 * well-formed one counts.
 */
int cwmp_cookie_parse(const unsigned char *p, size_t len, cwmp_str_t *token,
    cwmp_str_t *id);

#endif
