# Sourced by nginx's auto/make, after its own rules.  Ours: the function
# library as a C array, and warnings for our files alone (as variables of
# their objects: nginx's own sources are not ours to warn about, and a
# warning must come after nginx's flags to count).

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/ngx_cwmp_lua.h:	$ngx_addon_dir/embed.sh \\
		`echo $ngx_addon_dir/../redis/lua/*.lua`
	sh \$^ > \$@.tmp
	mv \$@.tmp \$@

END

ngx_cwmp_warn="-Wall -Wextra -Wno-unused-parameter -Werror"

case "$NGX_CC_OPT" in
    *-fsanitize=*)      # gcc warns of what is not there: see other builds
        ngx_cwmp_warn=-w
    ;;
esac

for ngx_src in $ngx_cwmp_srcs
do
    ngx_obj=`basename \`dirname $ngx_src\``/`basename $ngx_src .c`

    cat << END                                                >> $NGX_MAKEFILE
$NGX_OBJS/addon/$ngx_obj.$ngx_objext: \\
		CFLAGS += $ngx_cwmp_warn
END
done
