#!/usr/bin/perl

# What a connection remembers of its user's credentials: never for longer than a
# minute, and never so that new ones are refused.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

use CWMP::Auth qw(key_file);
use CWMP::Clock;
use CWMP::Raw ':build';
use CWMP::Test qw(wait_for);

plan skip_all => 'the clock of a sanitized nginx cannot be moved'
    if $ENV{TEST_SANITIZED};

my $user = 'cwmp:user:{00D09E-Box-C1}';
my $dir = tempdir(CLEANUP => 1);
my $key = key_file("$dir/key");
my $t = CWMP::Test->new(start => 0, http => "cwmp_secret_key $dir/key;",
                        server => "cwmp_auth basic acs behind_tls; client_body_timeout 1h;");
my $clock = CWMP::Clock->new($t->dir . '/clock');
$t->node->{env} = $clock->env;
$t->start_all;
my ($old, $new) = map { CWMP::Auth->new(user => '00D09E-Box-C1',
                                        password => $_) } 'old', 'new';
my ($first, $second) = ($t->raw, $t->raw);
my $failed = 0;

# What Redis was asked when the clock jumped comes late: then it is asked again.
sub posted {
    my ($raw, $text, $auth) = @_;
    my $status;
    for (1 .. 5) {
        $status = $raw->post($text, headers => $auth ? [$auth->basic] : [])->status;
        last if $status != 503;
        sleep 0.2;
    }
    return $status;
}

# A failure is told to Redis when its answer has gone out: the clock must not
# jump before that is through, or it is late.
sub status {
    my ($raw, $auth) = @_;
    my $status = posted($raw, '', $auth);
    $failed += $status == 401;
    wait_for(sub { $failed == grep { $_->{type} eq 'auth failure' }
                                   $t->redis->stream('cwmp:{0}:events') });
    return $status;
}

$t->redis->cmd('HSET', $user, basic => $old->keyed($key));
is status($_, $old), 204, 'two connections, the old password'
    for $first, $second;
$t->redis->cmd('HSET', $user, basic => $new->keyed($key));
is status($second, $new), 204, 'the new one is good at once';
is status($second, $old), 401, '... and the old one there no longer';
is status($first, $old), 204, 'it is where nobody has asked since';
$clock->set(-7200, 40);
is status($first, $old), 204, '... for most of a minute, whatever the date';
$clock->set(-7200, 62);
is status($first, $old), 401, '... and no longer';

# a session goes on without a word for as long as what was looked up is kept,
# however often it was used since
$t->redis->cmd('HSET', $user, basic => $old->keyed($key));
my $third = $t->raw;
my $inform = inform(serial => 'C1');
is posted($third, $inform, $old), 200, 'an Inform';
$t->redis->cmd('DEL', $user);
$clock->set(-7200, 62 + 57);
is posted($third, $inform, $old), 200,
    'one more, 57 seconds after the user was taken away';
is posted($third, ''), 204, '... whose session goes on';
is posted($third, $inform, $old), 200, 'the last one';
$clock->set(-7200, 62 + 62);
is posted($third, ''), 401, '... whose session goes on no longer';

# a body that is kept back for ten minutes
$t->redis->cmd('HSET', $user, basic => $old->keyed($key));
my @kept = map { $t->raw } 1, 2;
$_->send_raw("POST /cwmp HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: "
             . length($inform) . "\r\n" . join(': ', @{ $old->basic }) . "\r\n\r\n"
             . substr($inform, 0, 9)) for @kept;
sleep 0.2;
$t->redis->cmd('DEL', $user);
for my $case ([590, 200, 'is taken'], [602, 401, 'proves nobody any more']) {
    my ($passed, $status, $what) = @$case;
    $clock->set(-7200, 124 + $passed);
    my $raw = shift @kept;
    $raw->send_raw(substr $inform, 9);
    is $raw->read_response({})->status, $status, "$passed seconds later it $what";
}
$t->expect_log(qr/the POST took 60\d seconds: its CPE must say anew/);
$clock->set(-7200, 124);

# failures are forgotten by halves, also while there are others
for my $n (1 .. 9) {
    $clock->set(45 * $n - 7200, 45 * $n + 124);
    is status($t->raw, CWMP::Auth->new(user => 'x', password => 'x')), 401,
        'a wrong password each 45 seconds';
}
unlike $t->error_log, qr/and the answer waits/, '... is told at once';
$t->expect_log(qr/the user name or the password is wrong/, 11);
done_testing;
