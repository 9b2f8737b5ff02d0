#!/usr/bin/perl

# What is known of a device, and what is made of it, follows each change of
# what the device or an admin says; and a reply of Redis is taken only where it
# answers what the CPE has said.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::RedisProxy;
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $t = CWMP::Test->new(start => 0, cwmp_redis => 'unix:%%DIR%%/proxy.sock',
                        server => <<'CONF');
    location /one { cwmp_acs; cwmp_max_rpcs 1; }
CONF
$t->redis_server->start;
my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
                                  redis => $t->redis_server->socket);
$t->start;
my $redis = $t->redis;
my $number = 0;

sub device { return CWMP::Script->new($t, 'K' . ++$number, @_) }


subtest 'a data model that changes alone' => sub {
    my $d = device();
    for my $minor (11, 12, 13, 12) {
        my $params = default_params();
        $_->[2] = "2.$minor" for grep { $_->[0] =~ /RootDataModelV/ } @$params;
        $d->post($d->inform_text(params => $params));
        is $redis->hash('HGETALL', $d->key(undef))->{datamodel},
            "Device:2.$minor", "EVT-1 Device:2.$minor is stored";
        $d->empty;
    }
};


subtest 'rows of quirks that are deleted and made anew' => sub {
    my $d = device(class => 'QQ');
    my $prefix = sub {
        my ($found) = $d->inform->body =~ /<(\S+?):Envelope/;
        $d->empty;
        return $found;
    };
    is $prefix->(), 'soap-env', 'none';
    for my $word (qw(s soap soapenv)) {
        $redis->cmd('DEL', 'cwmp:{0}:quirks');
        $redis->cmd('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:quirks', '00D09E/QQ/*',
                    qq({"prefix":"$word"}));
        is $prefix->(), $word, "the next Inform is answered by $word";
    }
    $redis->cmd('DEL', 'cwmp:{0}:quirks');
    is $prefix->(), 'soap-env', 'none again';
};


subtest 'a bound that keeps nothing back is not told of' => sub {
    my $d = device(url => $t->url(0, '/one'));
    $d->give({ method => 'Download', id => 'dl', URL => 'http://fs.example/f',
               FileType => '1 Firmware Upgrade Image' });
    is $d->respond($d->begin)->status, 204, 'it waits for its event';
    unlike $t->error_log, qr/more tasks than cwmp_max_rpcs/, 'no word of it';
};


# Whatever it says: 503, and the worker lives.
subtest 'Redis says what is no answer' => sub {
    my ($worker) = $t->workers;
    my $token = 'A' x 22;
    my %says = ('the word inform' => "\$6\r\ninform",
                'the verb inform' => "*3\r\n\$6\r\ninform\r\n*0\r\n\$22\r\n$token",
                'the verb answer' => "*2\r\n\$6\r\nanswer\r\n*0",
                'the word rpc' => "\$3\r\nrpc",
                'the verb stale' => "*2\r\n\$5\r\nstale\r\n*0");
    for my $name (sort keys %says) {
        my $d = device();
        $d->inform;
        $proxy->rule(qr/ cwmp_step_. /, "say $says{$name}", 1);
        is $d->empty->status, 503, "RULE-6 $name to an empty POST";

        $d = device();
        $d->give_reads('a');
        my $rpc = $d->begin;
        $proxy->rule(qr/ cwmp_step_. /, "say $says{$name}", 1);
        is $d->respond($rpc)->status, 503, "RULE-6 $name to an answer";
    }
    is_deeply [$t->workers], [$worker], 'the worker is the same process';
    ok $t->wait_log(qr/is no answer to this POST/), 'the log says so';
};

$proxy->stop;
$t->finish;
done_testing;
