#!/usr/bin/perl

# cwmp_first_contact: what a device has from its first contact on, without any
# script: ordinary tasks, once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use JSON::PP qw(decode_json);
use List::Util qw(min);
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Envelope;
use CWMP::Keyring;
use CWMP::Raw ':build';
use CWMP::Script;
use CWMP::Test;

my $dir = tempdir(CLEANUP => 1);
key_file("$dir/key");
my $t = CWMP::Test->new(nodes => 2, http => "cwmp_secret_key $dir/key;", server => q{
    cwmp_auth off;
    cwmp_first_contact inform=1h rotate;
    location = /none { cwmp_first_contact off; cwmp_acs; }
    location = /inform { cwmp_first_contact inform=7d; cwmp_acs; }
    location = /kept { cwmp_unknown quarantine; cwmp_acs; }
    location = /digest { cwmp_auth digest; cwmp_acs; }});
my $redis = $t->redis;
my $n = 0;

sub box {
    my ($uri, %opt) = @_;
    return CWMP::Script->new($t, 'F' . ++$n, url => $t->url(0) =~ s{/cwmp$}{$uri}r,
                             %opt);
}

sub ids { return [sort map { $_->{id} } $_[0]->results] }
my $BOTH = ['first-credentials', 'first-inform'];


subtest 'the first contact' => sub {
    my $box = box('/cwmp');
    my $r = $box->begin('0 BOOTSTRAP');
    is $r->method, 'SetParameterValues', 'when it informs';
    my %type = map { ($_->[0] => $_->[1]) } $r->params;
    my %value = %{ $r->values };
    my $object = 'Device.ManagementServer.';
    is_deeply [@value{map { "${object}PeriodicInform$_" } qw(Enable Interval)}],
        [1, 3600], 'is said';
    my ($minutes, $seconds) = $value{"${object}PeriodicInformTime"}
        =~ /^2001-01-01T00:([0-5]\d):([0-5]\d)Z$/;
    ok defined $seconds, '... and from which time on';
    is_deeply [map { $type{"${object}PeriodicInform$_"} } qw(Enable Interval Time)],
        ['xsd:boolean', 'xsd:unsignedInt', 'xsd:dateTime'], '... with the types';

    $r = $box->respond($r);
    is_deeply [sort map { $_->[0] } $r->params], [map { "$object$_" } qw(
        ConnectionRequestPassword ConnectionRequestUsername Password Username)],
        'then the credentials';
    is $box->respond($r)->status, 204, 'that is all';
    is_deeply $box->ended, ['first-inform done', 'first-credentials done'],
        'results as of any task';
    is_deeply [$box->session('2 PERIODIC')], [], 'nothing the next time';
};


subtest 'what a task says' => sub {
    my $box = box('/cwmp');
    $box->inform('0 BOOTSTRAP');
    my $live = $redis->hash('HGETALL', $box->key('live'));
    is_deeply [map { decode_json($live->{$_} =~ s/^\d+ //r)->{note} } @$BOTH],
        [('cwmp_first_contact') x 2], 'where it comes from';
};


subtest 'another root' => sub {
    my $box = box('/inform', params => [
        ['InternetGatewayDevice.DeviceInfo.SoftwareVersion', 'string', '1'],
        ['InternetGatewayDevice.ManagementServer.ParameterKey', 'string', '']]);
    my $r = $box->begin('0 BOOTSTRAP');
    is_deeply [map { /^(.*)\.PeriodicInform(?:Enable|Interval|Time)$/ }
               sort keys %{ $r->values }],
        [('InternetGatewayDevice.ManagementServer') x 3], 'it is the Inform\'s';
    like $r->values->{'InternetGatewayDevice.ManagementServer.PeriodicInformTime'},
        qr/^2001-01-0[1-7]T\d\d:\d\d:\d\dZ$/, 'a week has days';
    is $box->respond($r)->status, 204, 'no credentials where nobody wants them';
};


subtest 'a reset' => sub {
    my $box = box('/cwmp');
    is_deeply [$box->session('0 BOOTSTRAP')], [('SetParameterValues') x 2],
        'the first contact';
    is_deeply [$box->session('0 BOOTSTRAP')], [('SetParameterValues') x 2],
        'a reset is one, too';
    my $again = box('/cwmp');
    $again->post($again->inform_text(events => ['0 BOOTSTRAP']));
    $again->post($again->inform_text(events => ['0 BOOTSTRAP'], retry => 1));
    is_deeply [$again->session('0 BOOTSTRAP')], [('SetParameterValues') x 2],
        'of those that were not done yet there is no second one';
    is_deeply ids($again), $BOTH, '... nor a result';
};


subtest 'where nothing is to be done' => sub {
    my $box = box('/none');
    is_deeply [$box->session('0 BOOTSTRAP')], [], 'off';
    my $known = CWMP::Script->new($t, $box->{serial});
    is_deeply [$known->session('2 PERIODIC')], [],
        'a device that was known before is none that comes first';
};


subtest 'in quarantine' => sub {
    my $box = box('/kept');
    is_deeply [$box->session('0 BOOTSTRAP')], [], 'nothing';
    ok !$box->has('live'), '... is queued';
    $redis->cmd('FCALL', 'cwmp_approve', 1, 'cwmp:{0}:' . $box->id);
    is_deeply [$box->session('2 PERIODIC')], [('SetParameterValues') x 2],
        'all of it, once it is approved';
};


subtest 'credentials of first contact' => sub {
    my $id = '00D09E-Box-F' . ++$n;
    my $cpe = CWMP::Keyring->new($t, "F$n", user => 'factory', uri => '/digest');
    $cpe->{auth}->store($redis, device => '00D09E-Box-*', first => 1);
    is $cpe->session('0 BOOTSTRAP'), 204, 'a session';
    is $cpe->{user}, $id, 'lead to those of its own';
    is $cpe->begin_anew->session, 204, '... with which it comes then';
    is_deeply [map { $_->{status} } $redis->results($id)], ['done', 'done'],
        'as tasks';
    my $old = CWMP::Keyring->new($t, "F$n", user => 'factory', uri => '/digest');
    is $old->session, 403, 'and no longer with the others';
};
$t->expect_log(qr/user "factory" is for first contact, and the device has credentials/);


subtest 'no more calls of Redis for it' => sub {
    my $calls = sub { $redis->cmd('INFO', 'commandstats')
                      =~ /cmdstat_fcall:calls=(\d+)/ ? $1 : 0 };
    my @took = map {
        my $uri = $_;
        min(map {                       # a node looks for what is due, too
            my $box = box($uri);
            my $before = $calls->();
            $box->inform('0 BOOTSTRAP');
            $calls->() - $before;
        } 1 .. 5);
    } qw(/none /cwmp);
    is $took[1], $took[0], 'it is done by the Inform\'s step';
};


subtest 'a fleet is spread over the period' => sub {
    my $raw = $t->raw(1);
    my (@bucket, %phase);
    for my $i (1 .. 1000) {
        my $serial = sprintf 'SPREAD%05d', $i;
        $raw->post(inform(serial => $serial, class => 'Box', events => ['0 BOOTSTRAP']));
        my $entry = $redis->cmd('HGET', "cwmp:{0}:00D09E-Box-$serial:live", 'first-inform');
        my ($m, $s) = $entry =~ /T00:(\d\d):(\d\d)Z/ or die "no phase: $entry\n";
        $bucket[(60 * $m + $s) / 180]++;
        $phase{"$m:$s"}++;
    }
    my $chi = 0;
    $chi += (($_ // 0) - 50) ** 2 / 50 for @bucket[0 .. 19];
    cmp_ok $chi, '<', 43.8, "1,000 devices, 20 times 3 minutes: chi-square $chi";
    my ($most) = sort { $b <=> $a } values %phase;
    cmp_ok $most, '<=', 5, 'no second has many of them';
};


subtest 'nginx -t' => sub {
    for my $case (
        ['cwmp_first_contact inform=1s;', qr/invalid parameter "inform=1s" in "cwmp_first_contact": use inform=TIME, from 30s to 28d, and rotate; or off alone/],
        ['cwmp_first_contact inform=1h inform=2h;', qr/duplicate parameter "inform=2h" in "cwmp_first_contact": "inform=1h" stands there/],
        ['cwmp_first_contact often;', qr/invalid parameter "often"/],
        ['cwmp_first_contact off rotate;', qr/invalid parameter "off"/],
        ['cwmp_first_contact rotate; cwmp_first_contact off;', qr/"cwmp_first_contact" directive is duplicate/],
        ['cwmp_first_contact rotate;', qr/"cwmp_first_contact rotate" makes passwords, which are stored sealed: make a key/, ''],
    ) {
        my ($text, $like, $http) = @$case;
        my $other = CWMP::Test->new(start => 0, acs => $text,
            http => $http // "cwmp_secret_key $dir/key;");
        my ($ok, $said) = $other->check_conf;
        ok !$ok, $text;
        like $said, $like, '... and what is said';
        $other->expect_log(qr/\[emerg\]/);
        $other->finish;
    }
};

done_testing;
