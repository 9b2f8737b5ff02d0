#!/usr/bin/perl

# Another module with a hiredis of its own in the same nginx: nginx loads
# modules so that they see each other's symbols, and a reply decoded by the
# other's hiredis crashes the worker.  Loaded before ours and after it, nchan
# works with Redis, and so do we, in the same worker at the same time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Daemon qw(find_binary);
use CWMP::Nginx;
use CWMP::Test qw(wait_for);

my ($nchan) = grep { -e } map { "$_/ngx_nchan_module.so" }
              qw(/usr/lib/nginx/modules /usr/share/nginx/modules);
my $ours = CWMP::Nginx::find_module();

plan skip_all => "nchan is built for Debian's nginx"
    unless find_binary('nginx', 'TEST_NGINX_BINARY') eq '/usr/sbin/nginx';
plan skip_all => 'no ngx_nchan_module.so: install libnginx-mod-nchan'
    unless $nchan;

my $CHANNEL = <<'CONF';
location = /pub { nchan_publisher; nchan_channel_id $arg_id; %%HOW%% }
location = /sub { nchan_subscriber longpoll; nchan_channel_id $arg_id;
                  nchan_subscriber_first_message oldest; %%HOW%% }
CONF

my %ORDER = ('before ours' => [$nchan, $ours], 'after ours' => [$ours, $nchan]);


sub published {
    my ($t, $id, $text) = @_;
    my $raw = $t->raw;
    my $answer = $raw->post($text, url => $t->url(0, "/pub?id=$id"),
                            content_type => 'text/plain');
    my $got = $raw->get("/sub?id=$id", timeout => 5);
    return ($answer->status, $got->body);
}


sub session {
    my ($t, $serial) = @_;
    my $cpe = $t->cpe(serial => $serial);
    $t->redis->push_task($cpe->id, { id => 'get',
        method => 'GetParameterValues', ParameterNames => ['Device.'] },
        { id => 'add', method => 'AddObject', values => { ExternalPort => 81 },
          ObjectName => 'Device.NAT.PortMapping.' });
    my $trace = $cpe->run_session('2 PERIODIC');
    ok $trace->{ok}, 'NCHAN a whole session' or diag $trace->{error};
    is_deeply [map { "$_->{id} $_->{status}" } $t->redis->results($cpe->id)],
        ['get done', 'add done'], 'NCHAN with its tasks';
}


for my $order (sort keys %ORDER) {
    for my $how ('memory', 'Redis') {
        subtest "NCHAN loaded $order, with its channels in $how" => sub {
            my $t = CWMP::Test->new(redis => { port => 'auto' }, start => 0,
                module => join(";\nload_module ", @{ $ORDER{$order} }));
            my $port = $t->redis_server->port;

            $t->node->{server} = $CHANNEL;
            $t->node->{expand}{HOW} = $how eq 'memory' ? ''
                : 'nchan_use_redis on; '
                  . "nchan_redis_url redis://127.0.0.1:$port;";
            $t->start_all;
            my ($worker) = $t->workers;

            session($t, 'N1');
            for my $n (1 .. 3) {
                my ($status, $body) = (0, '');
                wait_for(sub {          # it connects in its own time
                    ($status, $body) = published($t, "c$n", "message $n");
                    $status =~ /^20[12]$/;
                }, 8);
                like $status, qr/^20[12]$/, 'NCHAN takes a message';
                is $body, "message $n", 'NCHAN and gives it';
            }
            session($t, 'N2');
            is_deeply [$t->workers], [$worker], 'NCHAN in the same worker';
            $t->finish;
        };
    }
}

done_testing;
