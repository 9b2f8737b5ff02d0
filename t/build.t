#!/usr/bin/perl
#
# What the build promises: a module that keeps its names to itself, floors
# that know nothing of those above, sources that no compiler warns about.

use strict;
use warnings;

use Cwd 'getcwd';
use File::Basename 'basename';
use File::Find;
use File::Temp 'tempdir';
use Test::More;

use lib 't/lib';
use CWMP::Daemon 'library_text';

my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
my $module = $ENV{TEST_NGINX_MODULE}
             || getcwd() . '/build/ngx_http_cwmp_module.so';
my $nchan = '/usr/lib/nginx/modules/ngx_nchan_module.so';


# the module's names

my @exported = sort map { (split)[-1] } `nm -D --defined-only $module`;
is_deeply(\@exported,
          [qw(ngx_module_names ngx_module_order ngx_modules)],
          'BUILD the module exports what nginx asks for, and no other name');

unlike(`readelf -d $module`, qr/NEEDED.*hiredis/,
       'BUILD hiredis is inside the module');

ok(index(slurp($module), library_text()) > 0,
   'BUILD the function library is inside the module, byte for byte');


# The floors: whose headers a folder's files may include.  redis/ keeps a pure
# part, cwmp_*, apart from its nginx part.

my @floors = (
    [datamodel => 'datamodel/*.[ch]',
     qw(datamodel)],
    [core => 'ngx_cwmp_module/core/*.[ch]',
     qw(ngx_cwmp_module/core)],
    [task => 'ngx_cwmp_module/task/*.[ch]',
     qw(ngx_cwmp_module/task ngx_cwmp_module/core datamodel)],
    ['pure part of redis' => 'redis/cwmp_*.[ch]',
     qw(redis ngx_cwmp_module/core datamodel)],
);

for my $floor (@floors) {
    my ($name, $files, @below) = @$floor;
    my @wrong;

    for my $file (glob $files) {
        my $text = slurp($file);

        while ($text =~ /^\s*#\s*include\s*([<"])([^>"]+)[>"]/mg) {
            my ($kind, $header) = ($1, $2);

            my $own = basename($header);
            my $here = grep { -e "$_/$own" } @below;

            push @wrong, "$file includes $header"
                if $own =~ /^ngx_|^nginx\.h$/
                || ($kind eq '"' && !$here)
                || ($header =~ /hiredis/ && $name !~ /redis/);
        }
    }

    is(join("\n", @wrong), '',
       "BUILD $name knows nothing of the floors above it");
}


# warnings are errors here, so that building is the test

delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};

for my $cc (qw(gcc clang)) {
    my $said = `make -s CC=$cc build unit 2>&1`;
    is($?, 0, "BUILD $cc has nothing to warn about") or diag($said);
}


# modules beside ours: nchan brings a hiredis of another version

SKIP: {
    skip("nchan is built for Debian's nginx", 2)
        unless $nginx eq '/usr/sbin/nginx';
    skip("no $nchan", 2) unless -e $nchan;

    for my $order ([$nchan, $module], [$module, $nchan]) {
        my ($good, $said) = nginx_t(@$order);
        ok($good, 'BUILD nginx loads ' . join ', then ', map basename($_),
                                         @$order)
            or diag($said);
    }
}


# nothing that holds on one machine only

my @paths;

find({ no_chdir => 1, wanted => sub {
    if (-d && m{^\./(?:\.git|build|run)$}) {
        $File::Find::prune = 1;
        return;
    }

    return unless -f && -T;

    my $text = slurp($_);
    push @paths, "$_: $1"
        while $text =~ m{(?<![\w.\}\)*])(/(?:home|work|Users)/\w\S*)}g;
} }, '.');

is(join("\n", @paths), '', "BUILD no file names a path of somebody's machine");

done_testing;


sub nginx_t {
    my $load = join '', map "load_module $_;\n", @_;
    my $dir = tempdir(CLEANUP => 1);
    mkdir "$dir/logs";

    my $temp = join '', map "    ${_}_temp_path $dir/$_;\n",
                        qw(client_body proxy fastcgi uwsgi scgi);

    open my $conf, '>', "$dir/nginx.conf" or die "$dir/nginx.conf: $!";
    print $conf $load, "error_log stderr;\npid $dir/nginx.pid;\nevents {}\n",
                "http {\n    access_log off;\n$temp}\n";
    close $conf;

    my $said = `$nginx -t -p $dir/ -c $dir/nginx.conf 2>&1`;
    return ($? == 0 && $said !~ /\[(?:alert|emerg|crit|error)\]/, $said);
}


sub slurp {
    my ($file) = @_;
    local $/;
    open my $fh, '<:raw', $file or die "$file: $!\n";
    return <$fh> // '';
}
