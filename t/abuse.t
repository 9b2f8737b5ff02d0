#!/usr/bin/perl

# What a CPE, a configuration or junk in Redis may do to a node: redirects
# inside of nginx, subrequests, fields without an end, deadlines in heaps.  The
# worker lives, its memory and Redis' are bounded, and others are served.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(wait_for patience);

# A busy machine is not what is tested: Redis may take its time.
my $t = CWMP::Test->new(redis_options => 'timeout=20s', server => <<'CONF');
    location /first {
        cwmp_acs;
        cwmp_max_envelope 32k;
        error_page 413 = @second;
    }
    location @second { cwmp_acs; }

    location /aside {
        cwmp_acs;
        cwmp_max_envelope 32k;
        error_page 413 = /missing;
    }
    location /missing { root %%PREFIX%%/nowhere; }

    location /mirrored {
        mirror /cwmp;
        proxy_pass http://127.0.0.1:%%PORT%%/plain;
    }
    location /plain { return 200 "plain\n"; }

    location /watched {
        cwmp_acs;
        mirror /copy;
    }
    location /copy {
        internal;
        client_max_body_size 32m;
        proxy_pass http://127.0.0.1:%%PORT%%/plain;
    }

CONF
my $redis = $t->redis;
my ($worker) = $t->workers;
my $n = 0;

sub device { return CWMP::Script->new($t, 'V' . ++$n, @_) }
sub now { my ($s) = $redis->list('TIME'); return $s }


# A read of everything is sent; returns its envelope.
sub reading {
    my ($d, @events) = @_;
    $d->give({ method => 'GetParameterValues', id => 'read',
               ParameterNames => ['Device.'] });
    my $r = $d->begin(@events);
    is $r->method, 'GetParameterValues', 'a read is sent';
    return $r;
}


sub same_worker {
    is_deeply [$t->workers], [$worker], 'it is the same worker';
    my $d = device();
    is $d->begin->status, 204, '... which serves others';
}


# --- inside of nginx -------------------------------------------------------

subtest 'an internal redirect to another location of ours' => sub {
    my $raw = $t->raw(0, url => $t->url(0, '/first'));
    my $large = inform(serial => 'Large') . ' ' x 36_864;
    for my $how ([], [chunk => 4096]) {
        my $r = $raw->post($large, @$how, new => 1);
        like $r->status, qr/^[24]\d\d$/, "RULE-4 413 that goes to a second "
            . "location with cwmp_acs is answered: " . $r->status;
    }
    is $raw->post(inform(serial => 'Small'))->method, 'InformResponse',
        'a small one';
    same_worker();
    unlike $t->error_log, qr/client: [^,\n]*$/m,
        'each log line names server and request';
};


subtest 'an internal redirect to a location that is not ours' => sub {
    my $raw = $t->raw(0, url => $t->url(0, '/aside'));
    is $raw->post(' ' x 36_864, chunk => 4096)->status, 404, 'is made';
    ok $t->wait_log(qr{nowhere/missing" failed .*client: 127\.0\.0\.1, }
                    . qr{server: \S*, request: "POST /aside}),
        "its log lines still have nginx's own words";
};


subtest 'a subrequest' => sub {
    my $d = device();
    my $r = $t->raw->post($d->inform_text, url => $t->url(0, '/mirrored'));
    is $r->body, "plain\n", 'the request itself goes on';
    ok $t->wait_log(qr/"cwmp_acs" serves CPEs, no subrequests, client: /),
        'RULE-7 a subrequest into cwmp_acs is refused, and the log says so';
    ok !$d->has(), '... it opens no session, nor makes a device';
    is $d->begin->status, 204, 'the device itself is served';
};


# --- fields without an end -------------------------------------------------

subtest 'events' => sub {
    my $d = device(class => 'Events');
    my $code = '92 ' . 'P' x 20_000;
    $d->inform(map { ["$code $_", 'k' x 20_000] } 1 .. 64);
    my $events = $redis->device($d->id)->{events};
    cmp_ok length $events, '<=', 64 * 65,
        'RULE-4 EventCodes are cut in the device record';
    like $events, qr/^92 P+,92 P/, '... not dropped';
    my ($event) = grep { $_->{type} eq 'inform' && $_->{device} eq $d->id }
                  $redis->events;
    cmp_ok length join('', %{ $event->{raw} }), '<=', 8192,
        'RULE-4 ... and in the event';
};


subtest 'names' => sub {
    my $d = device();
    my @long = map { [$_ x 2000 . 'x', 'string', '1'] } 'N', 'a.';
    for my $row (@long) {
        is $d->post($d->inform_text(params => [$row]), new => 1)->status, 200,
            'an Inform with a name of 2,000 bytes and more';
        ok $t->wait_log(qr/1 parameters are not kept: their names are over /),
            '... the log says that it is not kept';
    }
    ok !$d->has('params'), 'RULE-4 ... nothing is stored';

    my $r = reading($d);
    is $d->post(gpv_response($r->id, $long[1]))->status, 204,
        'the same in an answer';
    is_deeply $redis->params($d->id), {}, 'RULE-4 ... nothing is stored';
    is(($d->results)[-1]{status}, 'done', '... its task is done');
};


subtest 'a version with control characters' => sub {
    my $d = device(params => [['Device.DeviceInfo.SoftwareVersion', 'string',
                               "1.0\t00D09E-Box-Victim\n2"]]);
    $d->inform;
    my @of = grep { /\Q@{[$d->id]}\E$/ }
             $redis->list('ZRANGE', 'cwmp:{0}:index:version', 0, -1);
    is_deeply \@of, ["1.0?00D09E-Box-Victim?2\t" . $d->id],
        'RULE-7 what a CPE says puts no other ID into an index';
    $d->{params}[0][2] = "2.0\t";
    $d->inform;
    is scalar(grep { /^1\.0\?/ } $redis->list('ZRANGE',
        'cwmp:{0}:index:version', 0, -1)), 0, '... and goes with the version';
};


# --- deadlines -------------------------------------------------------------

my $DUE = 'cwmp:{0}:due';

sub expiring {
    my ($d, $id) = @_;
    return CWMP::Redis::task_json({ method => 'Reboot', id => $id,
                                    expires => now() - 1, new => \1 });
}


sub push_call {
    my ($d, $id) = @_;
    return ['FCALL', 'cwmp_push', 1, $d->key('tasks'), expiring($d, $id)];
}


subtest 'junk among the deadlines' => sub {
    my @junk = ((map { "p$_" } 1 .. 80), 'x', 's ', 'x  t', "x \n", "\xff\x00",
                'g 00D09E-Box-Nobody', 's 00D09E-Box-Nobody', 'zz 1 2 3', '');
    $redis->cmd('ZADD', $DUE, map { (0, $_) } @junk);
    my $d = device();
    $redis->cmd(@{ push_call($d, 'good') });
    ok $redis->wait_result($d->id, 'good', patience(5)),
        'RULE-4 junk with the lowest scores keeps no deadline back';
    is $d->status('good'), 'expired', 'it is kept';
    ok wait_for(sub { !grep { defined } map { $redis->cmd('ZSCORE', $DUE, $_) }
                      @junk }, 4), '... and the junk is gone';
    is_deeply [$redis->list('KEYS', '*Nobody*')], [], 'nothing came of it';
};


subtest 'a deadline that cannot be kept' => sub {
    my ($bad, $good) = (device(), device());
    $redis->cmd('SET', $bad->key('queue'), 'no sorted set');
    my $member = 'x ' . $bad->id . ' t';
    $redis->cmd('ZADD', $DUE, 0, $member);
    $redis->cmd(@{ push_call($good, 'good') });
    ok $redis->wait_result($good->id, 'good', patience(5)),
        "RULE-4 another device's deadline is kept";
    my $score = sub { ($redis->cmd('ZSCORE', $DUE, $member) // 0) / 1000 };
    ok wait_for(sub { $score->() > now() + 50 }),
        'it is tried again in a minute';
    ok $t->wait_log(qr/deadline "x \S+ t" cannot be kept: .*:queue is a /
                    . qr/string, but must be a zset.*device: /),
        '... and the log says why';
    $redis->cmd('ZREM', $DUE, $member);
};


subtest 'a heap of deadlines' => sub {
    my $d = device();
    my $began = time();
    my @said = $redis->pipeline(map { push_call($d, "t$_") } 1 .. 960);
    is scalar(grep { /^ERR/ } @said), 0, '960 tasks expire at once';
    ok wait_for(sub { !$d->has('live') && !$d->has('queue') }, 20),
        'all of them do';
    my $took = time() - $began;
    cmp_ok $took, '<', 9, sprintf('RULE-4 ... in %.1f s: a full slice is '
        . 'followed by the next one at once', $took);
    is $redis->cmd('ZCARD', $DUE), 0, 'no deadline is left';
};


# nginx puts a body over client_body_buffer_size (16 KB) into a file then
subtest 'a body that another module has read first' => sub {
    my $d = device();
    my $url = $t->url(0, '/watched');
    my $text = $d->inform_text;
    my $many = join '', map { "<ParameterValueStruct><Name>Device.F$_</Name>"
        . '<Value xsi:type="xsd:string">' . 'v' x 200
        . '</Value></ParameterValueStruct>' } 1 .. 400;
    $text =~ s{(?=</ParameterList>)}{$many};
    cmp_ok length $text, '>', 65536, 'an Inform that goes to a file';
    my $r = $t->raw->post($text, url => $url);
    is $r->method, 'InformResponse',
        'RULE-3 it is read from there, not taken for an empty POST';
    is $d->value('Device.F400'), 'v' x 200, '... whole';
    is $t->raw->post($d->inform_text, url => $url)->method, 'InformResponse',
        'a short one is served as well';
};

done_testing;
