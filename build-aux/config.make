# Sourced by nginx's auto/make, after its own rules.  Ours: the function
# library as a C array, and warnings for our files alone (as variables of
# their objects: nginx's own sources are not ours to warn about, and a
# warning must come after nginx's flags to count).

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/ngx_cwmp_lua.h:	$ngx_addon_dir/../redis/cwmp.lua \\
		$ngx_addon_dir/embed.sh
	sh $ngx_addon_dir/embed.sh $ngx_addon_dir/../redis/cwmp.lua > \$@.tmp
	mv \$@.tmp \$@

END

case "$NGX_CC_OPT" in
    *-fsanitize=*)  ngx_cwmp_werror=-Wno-error ;;   # gcc is wrong at times
    *)              ngx_cwmp_werror=-Werror ;;
esac

for ngx_src in $ngx_cwmp_srcs
do
    ngx_obj=`basename \`dirname $ngx_src\``/`basename $ngx_src .c`

    cat << END                                                >> $NGX_MAKEFILE
$NGX_OBJS/addon/$ngx_obj.$ngx_objext: \\
		CFLAGS += -Wall -Wextra -Wno-unused-parameter $ngx_cwmp_werror
END
done
