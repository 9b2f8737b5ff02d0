#!/usr/bin/perl

# Ten thousand sessions that are all open at the same time, over some hundred
# connections which they share as behind a proxy, and over several workers:
# each POST of a device goes over another connection than the one before, in
# another order.  Each device gets its own task, and each result has its own
# value.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

use CWMP::Envelope ':all';
use CWMP::Redis;
use CWMP::Test qw(patience);

my $SESSIONS = $ENV{TEST_SANITIZED} ? 2000 : 10_000;
my $CONNECTIONS = 250;
my $SLICE = 500;                # commands in one write to Redis

# A busy machine is not what is tested: work is not put off.
my $t = CWMP::Test->new(workers => 4, redis_options => 'timeout=20s',
    http => 'cwmp_overload off;',
    acs => 'cwmp_session_timeout 300s; add_header X-Worker $pid always;');
my $redis = $t->redis;
my @ids = map { CWMP::Redis::device_id('00D09E', 'P', "S$_") }
          0 .. $SESSIONS - 1;


# --- a light client --------------------------------------------------------

my @sock = map {
    IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port,
                          Proto => 'tcp', Timeout => patience(10))
        or die "connection $_: $!\n";
} 1 .. $CONNECTIONS;
my %worker;

sub send_post {
    my ($s, $body, $cookie) = @_;
    my $bytes = "POST /cwmp HTTP/1.1\r\nHost: acs\r\nContent-Length: "
        . length($body) . "\r\n"
        . (defined $cookie ? "Cookie: $cookie\r\n" : '') . "\r\n$body";
    syswrite($s, $bytes) == length $bytes or die "write: $!\n";
}


# [status, cookie, body]
sub read_answer {
    my ($s) = @_;
    my $got = '';
    local $SIG{ALRM} = sub { die "no answer in time\n" };
    alarm(patience(30));

    sysread($s, $got, 65536, length $got) or die "closed: '$got'\n"
        until $got =~ /\r\n\r\n/;
    my $at = $+[0];
    my ($length) = $got =~ /^Content-Length: (\d+)/mi;
    sysread($s, $got, 65536, length $got) or die "closed in a body\n"
        while length $got < $at + ($length // 0);
    alarm(0);

    my ($cookie) = $got =~ /^Set-Cookie: (cwmp=[^;]+)/mi;
    $worker{$1}++ if $got =~ /^X-Worker: (\d+)/mi;
    return [substr($got, 9, 3), $cookie, substr($got, $at)];
}


# A POST of each device, as many at a time as there are connections; $step
# is the order, and prime to their number.
sub post_all {
    my ($step, $body, $cookies) = @_;
    my @answer;

    for (my $from = 0; $from < $SESSIONS; $from += $CONNECTIONS) {
        my @now = map { $_ * $step % $SESSIONS }
                  grep { $_ < $SESSIONS } $from .. $from + $CONNECTIONS - 1;
        send_post($sock[$_], $body->($now[$_]),
                  $cookies && $cookies->[ $now[$_] ]) for 0 .. $#now;
        $answer[ $now[$_] ] = read_answer($sock[$_]) for 0 .. $#now;
    }
    return @answer;
}


# The replies of Redis to a command for each device.
sub ask_all {
    my ($command) = @_;
    my @replies;

    for (my $i = 0; $i < $SESSIONS; $i += $SLICE) {
        push @replies, $redis->pipeline(map { $command->($_) }
                                        $i .. $i + $SLICE - 1);
    }
    return @replies;
}


# Device by device; a few of those for which $good is false are shown.
sub all_ok {
    my ($good, $name) = @_;
    my @bad = grep { !$good->($_) } 0 .. $SESSIONS - 1;
    splice(@bad, 5);
    is "@bad", '', $name;
}


subtest "SES-25 $SESSIONS sessions at the same time" => sub {
    my $began = time();
    ask_all(sub { ['RPUSH', $redis->device_key($ids[$_[0]], 'tasks'),
        CWMP::Redis::task_json({ method => 'GetParameterValues',
            id => "task$_[0]", ParameterNames => ["Device.P$_[0]"] })] });

    my ($head, $tail) = split(/SERIAL/, inform(class => 'P',
                                               serial => 'SERIAL'));
    my @inform = post_all(1, sub { $head . "S$_[0]" . $tail });
    my @cookie = map { $_->[1] } @inform;
    all_ok(sub { $inform[$_[0]][2] =~ /InformResponse/ && $cookie[$_[0]] },
        'SES-25 each has its session');
    my %different = map { ($_ => 1) } @cookie;
    is scalar(keys %different), $SESSIONS, 'SES-25 and its own cookie';
    my @open = ask_all(sub { ['EXISTS',
                              $redis->device_key($ids[$_[0]], 'session')] });
    is scalar(grep { $_ } @open), $SESSIONS, 'SES-25 all are open';

    my @rpc = post_all(7, sub { '' }, \@cookie);
    all_ok(sub { $rpc[$_[0]][2] =~ m{<string>Device\.P$_[0]</string>} },
        'SES-25 each gets its own task');
    my @id = map { m{<cwmp:ID[^>]*>([^<]+)} } map { $_->[2] } @rpc;
    my @end = post_all(3, sub { gpv_response($id[$_[0]],
        ["Device.P$_[0]", 'string', "value $_[0]"]) }, \@cookie);
    all_ok(sub { $end[$_[0]][0] == 204 }, 'SES-25 and comes to its end');

    my @results = ask_all(sub { ['XRANGE',
        $redis->device_key($ids[$_[0]], 'results'), '-', '+'] });
    all_ok(sub {
        my %r = @{ $results[$_[0]][0][1] };
        @{ $results[$_[0]] } == 1 && $r{id} eq "task$_[0]"
        && $r{status} eq 'done' && $r{response} =~ /"Value":"value $_[0]"/
    }, 'SES-25 each has one result, with its own value');
    my @params = ask_all(sub { ['FCALL_RO', 'cwmp_params', 1,
        $redis->device_key($ids[$_[0]], 'params'), 'Device.P'] });
    all_ok(sub { "@{ $params[$_[0]] }"
                 eq "Device.P$_[0] xsd:string value $_[0]" },
        'SES-25 and its own parameter, no other');

    cmp_ok scalar(keys %worker), '>', 1, 'SES-25 by several workers: '
        . join(', ', map { $worker{$_} } sort keys %worker);
    is $redis->cmd('ZCARD', 'cwmp:{0}:due'), 0, 'no deadline is left';
    note(sprintf('%d sessions, %d POSTs in %.1f s', $SESSIONS, 3 * $SESSIONS,
                 time() - $began));
};

close($_) for @sock;
done_testing;
