#!/bin/sh
#
# embed.sh redis/lua/*.lua > ngx_cwmp_lua.h
#
# The function library, its parts joined in this order, as a C array, so that
# the module carries the one it was written for, and the version the library
# states.

set -eu

version=$(cat "$@" | sed -n 's/^local VERSION = \([0-9][0-9]*\).*/\1/p')

case $version in
    ''|*[!0-9]*)
        echo "$*: not one line \"local VERSION = N\"" >&2
        exit 1
    ;;
esac

echo "/* made of redis/lua by build-aux/embed.sh */"
echo
echo "#define NGX_CWMP_LUA_VERSION  $version"
echo
echo "static const unsigned char  ngx_cwmp_lua[] = {"
cat "$@" | od -An -v -tx1 | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
echo "};"
