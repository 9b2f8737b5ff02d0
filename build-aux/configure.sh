#!/bin/bash
#
# configure.sh NGINX_SRC OBJ --add-[dynamic-]module [CFLAGS [LDFLAGS]]
#
# nginx's configure for this module, with OBJ as the builddir, against Debian's
# nginx-dev or any nginx source tree.  Quiet unless it fails: OBJ/configure.log.
# From the environment: CC, and NGINX_FLAGS, more options for nginx's configure.

set -eu

root=$(realpath "$(dirname "$0")/..")
mkdir -p "$2"
obj=$(realpath "$2")
cflags=${4-}
ldflags=${5-}

# nginx's configure wants to run where it is
cd "$1" 2>/dev/null || { echo "NGINX_SRC=$1: there is no nginx" >&2; exit 1; }

if [ -f conf_flags ]; then

    # nginx-dev: what Debian's binary was built with, or it refuses the module

    . ./conf_flags
    cflags="$(dpkg-buildflags --get CFLAGS) $(dpkg-buildflags --get CPPFLAGS) \
            -fPIC $cflags"
    ldflags="$(dpkg-buildflags --get LDFLAGS) -fPIC $ldflags"

else
    NGX_CONF_FLAGS=(
        --error-log-path=stderr --with-compat --with-debug --with-threads
        --with-http_ssl_module --with-http_v2_module
        --with-http_realip_module --with-http_auth_request_module
        --with-http_stub_status_module --with-http_slice_module
    )

    # an old nginx has warnings with a new OpenSSL; ours get -Werror back
    cflags="-Wno-error $cflags"

    # before 1.21.5 nginx knows PCRE1 only, which newer systems do not have
    version=$(sed -n 's/^#define nginx_version *//p' src/core/nginx.h)

    if [ "$version" -lt 1021005 ] && ! command -v pcre-config > /dev/null; then
        echo "nginx of that age needs PCRE1 for its rewrite module: left out" >&2
        NGX_CONF_FLAGS+=(--without-http_rewrite_module)
    fi
fi

configure=./configure
[ -f $configure ] || configure=auto/configure

if ! sh $configure "${NGX_CONF_FLAGS[@]}" --builddir="$obj" \
        --with-cc="${CC:-cc}" \
        --with-cc-opt="$cflags" --with-ld-opt="$ldflags" \
        "$3=$root" ${NGINX_FLAGS-} > "$obj/configure.log" 2>&1
then
    tail -20 "$obj/configure.log" >&2
    exit 1
fi
