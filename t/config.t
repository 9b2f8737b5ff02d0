#!/usr/bin/perl

# What nginx.conf may say.  `nginx -t` refuses every wrong value of every
# directive, with the file and the line, and with what to write instead; and
# what the variables and the error log tell of a session.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Raw ':build';
use CWMP::Test qw(wait_for slurp);

my $REDIS = 'cwmp_redis 127.0.0.1:6379;';


# --- nginx -t --------------------------------------------------------------

# Wrong lines of http {}, server {} or the location with cwmp_acs, and what is
# said about them.
my @WRONG = (
    ['acs', $REDIS, 'cwmp_acs on;', qr/number of arguments in "cwmp_acs"/],
    ['acs', $REDIS, 'cwmp_acs;', qr/"cwmp_acs" directive is duplicate/],
    ['http', $REDIS, 'cwmp_acs;', qr/"cwmp_acs" directive is not allowed here/],
    ['server', $REDIS, 'cwmp_acs;', qr/"cwmp_acs" directive is not allowed/],
    ['acs', '', '',
     qr/"cwmp_acs" needs "cwmp_redis".*cwmp_redis 127\.0\.0\.1:6379/],
    ['server', '', 'location /b { cwmp_redis 127.0.0.1; }',
     qr/"cwmp_acs" needs "cwmp_redis".*cwmp_redis 127\.0\.0\.1:6379/],

    (map { ['http', '', "$REDIS $_", qr/"cwmp_redis" directive is duplicate/] }
     $REDIS),
    ['http', '', 'cwmp_redis;', qr/number of arguments in "cwmp_redis"/],
    (map { my ($value, $say) = @$_;
           ['http', '', "cwmp_redis $value;", $say] }
     ['6379', qr/invalid address "6379".*use host:port or unix:/],
     ['127.0.0.1:0', qr/cwmp_redis "127.0.0.1:0": use host:port or unix:/],
     ['127.0.0.1:99999', qr/cwmp_redis ".*": use host:port or unix:/],
     ['127.0.0.1/x', qr/cwmp_redis ".*": use host:port or unix:/],
     ['unix:', qr/cwmp_redis "unix:": use host:port or unix:/],
     ['nosuch.invalid', qr/host not found in cwmp_redis.*use host:port/],
     ['password=topsecret 127.0.0.1', qr/no address .* before the parameters/],
     ['127.0.0.1 pasword=topsecret',
      qr/unknown parameter "pasword=".*use user=/],
     ['127.0.0.1 tsl', qr/unknown parameter "tsl".*use user=/],
     ['127.0.0.1 r2 cluster', qr/parameter "r2".*host:port for one more/],
     ['127.0.0.1 timeout=abc', qr/invalid timeout "abc".*use a time such/],
     ['127.0.0.1 timeout=0', qr/invalid timeout "0".*use a time such as 2s/],
     ['127.0.0.1 timeout=2h', qr/invalid timeout "2h".*at most 60s/],
     ['127.0.0.1 timeout=2s timeout=3s', qr/"timeout=" .*is duplicate/],
     ['127.0.0.1 connect_timeout=x', qr/invalid connect_timeout "x".*use a/],
     ['127.0.0.1 db=-1', qr/invalid db "-1".*use a number from 0 to 65535/],
     ['127.0.0.1 db=65536', qr/invalid db .*use a number from 0 to 65535/],
     ['127.0.0.1 db=5000000000000000000000', qr/invalid db .*use a number/],
     ['127.0.0.1 partitions=0', qr/invalid partitions "0".*from 1 to 1024/],
     ['127.0.0.1 partitions=1025', qr/invalid partitions .*from 1 to 1024/],
     ['127.0.0.1 max_pending=0', qr/invalid max_pending "0".*use a number/],
     ['127.0.0.1 max_pending=many', qr/invalid max_pending .*use a number/],
     ['127.0.0.1 wait=x', qr/invalid wait "x".*use a number of replicas from 0 to 16/],
     ['127.0.0.1 wait=-1', qr/invalid wait "-1"/],
     ['127.0.0.1 wait=17', qr/invalid wait "17"/],
     ['127.0.0.1 wait=', qr/invalid wait ""/],
     ['127.0.0.1 wait=1 wait=2', qr/"wait=" of cwmp_redis is duplicate/],
     ['127.0.0.1 prefix=a:b', qr/invalid prefix "a:b".*use 1 to 32 of letters/],
     ['127.0.0.1 "prefix=a{b"', qr/invalid prefix "a\{b".*use 1 to 32 of/],
     ['127.0.0.1 "prefix="', qr/invalid prefix "".*use 1 to 32 of letters/],
     ['127.0.0.1 prefix=' . 'a' x 33, qr/invalid prefix "a+".*use 1 to 32 of/],
     ['127.0.0.1 user=x', qr/"user=" without a password.*add password=/],
     ['127.0.0.1 "user="', qr/invalid user "".*use the name of a user/],
     ['127.0.0.1 "password="', qr/invalid password "".*use a word/],
     ['127.0.0.1 password=topsecret password_file=pw',
      qr/both "password=" and "password_file=".*use one of them/],
     ['127.0.0.1 password_file=absent', qr/must name a readable file/],
     ['127.0.0.1 password_file=tmp', qr/must name a readable file/],
     ['127.0.0.1 password_file=empty', qr/first line .* is empty: put the/],
     ['127.0.0.1 password_file=long', qr/first line .* is too long: put the/]),

    (map { my ($value, $say) = @$_;
           ['acs', $REDIS, "cwmp_session_timeout$value;", $say] }
     ['', qr/number of arguments in "cwmp_session_timeout"/],
     [' 1s outstanding=2s 3s',
      qr/number of arguments in "cwmp_session_timeout"/],
     [' fast', qr/invalid time "fast" in "cwmp_session_timeout": use e.g. 30s/],
     [' 0', qr/invalid time "0" in "cwmp_session_timeout": use e.g. 30s/],
     [' -5s', qr/invalid time "-5s" in "cwmp_session_timeout": use e.g. 30s/],
     [' ""', qr/invalid time "" in "cwmp_session_timeout": use e.g. 30s/],
     [' 99999999999999999999d', qr/invalid time .*: use e.g. 30s/],
     [' 30s 300s', qr/invalid parameter "300s".*: use outstanding=300s/],
     [' 30s idle=3s', qr/invalid parameter "idle=3s".*: use outstanding=300s/],
     [' 30s outstanding=', qr/invalid time .*use e.g. outstanding=300s/],
     [' 30s outstanding=x', qr/invalid time .*use e.g. outstanding=300s/],
     [' 30s outstanding=0', qr/invalid time .*use e.g. outstanding=300s/],
     [' 30s; cwmp_session_timeout 30s',
      qr/"cwmp_session_timeout".*is duplicate/]),

    (map { my ($value, $say) = @$_;
           ['acs', $REDIS, "cwmp_max_envelope$value;", $say] }
     ['', qr/number of arguments in "cwmp_max_envelope"/],
     [' 16k', qr/"16k" in "cwmp_max_envelope": use .* at least 32k/],
     [' 0', qr/"0" in "cwmp_max_envelope": use .* at least 32k/],
     [' big', qr/invalid.* "big".*cwmp_max_envelope.*use /],
     [' -1', qr/invalid.* "-1".*cwmp_max_envelope.*use /],
     [' 64k; cwmp_max_envelope 64k', qr/"cwmp_max_envelope".*is duplicate/]),
    ['http', $REDIS, 'cwmp_max_envelope 16k;',
     qr/"cwmp_max_envelope": use .* 32k/],

    (map { my ($value, $say) = @$_;
           ['acs', $REDIS, "cwmp_max_rpcs$value;", $say] }
     ['', qr/number of arguments in "cwmp_max_rpcs"/],
     [' 0', qr/"0" in "cwmp_max_rpcs": use .* at least 1/],
     [' many', qr/invalid.* "many".*cwmp_max_rpcs.*(?:use|must be) /],
     [' -1', qr/invalid.* "-1".*cwmp_max_rpcs.*(?:use|must be) /],
     [' 5; cwmp_max_rpcs 5', qr/"cwmp_max_rpcs".*is duplicate/]),

    (map { my ($value, $say) = @$_;
           ['acs', $REDIS, "cwmp_session_fallback$value;", $say] }
     ['', qr/number of arguments in "cwmp_session_fallback"/],
     [' on', qr/invalid.* "on".*cwmp_session_fallback.*use .*off.*connection/],
     [' off; cwmp_session_fallback off',
      qr/"cwmp_session_fallback".*is duplicate/]),
);

# [where, line]: these are good, with "cwmp_redis" in http {} or as given.
my @GOOD = (
    ['http', 'cwmp_redis localhost;'], ['http', 'cwmp_redis 127.0.0.1:7000;'],
    ['http', 'cwmp_redis unix:/run/redis.sock;'],
    ['http', 'cwmp_redis [::1]:6379;'],
    ['http', 'cwmp_redis 127.0.0.1 user=u password=p db=3 prefix=a.b_c-9 '
     . 'timeout=500ms connect_timeout=60s max_pending=1 partitions=64;'],
    ['http', 'cwmp_redis 127.0.0.1 password_file=pw;'],
    ['server', $REDIS], ['acs', $REDIS],
    ['acs', "$REDIS cwmp_session_timeout 45s;"],
    ['acs', "$REDIS cwmp_session_timeout 1m outstanding=10m;"],
    ['acs', "$REDIS cwmp_max_envelope 32k; cwmp_max_rpcs 1;"],
    ['acs', "$REDIS cwmp_session_fallback off;"],
    ['acs', "$REDIS cwmp_session_fallback connection;"],
    ['http', "$REDIS cwmp_session_timeout 45s; cwmp_max_envelope 64m; "
     . 'cwmp_max_rpcs 9; cwmp_session_fallback off;'],
    ['server', "$REDIS location /b { cwmp_redis 127.0.0.1 prefix=b; cwmp_acs; "
     . 'cwmp_session_timeout 5s; }'],
);


sub nginx_t {
    my ($t, $where, $base, $line) = @_;
    my %conf = (http => $base, server => '', acs => '');

    $conf{$where} .= "\n$line # here\n" if length $line;
    $t->change_conf(0, redis => '', %conf);
    return $t->check_conf;
}


# The line of nginx.conf that is in question.
sub line_in_question {
    my ($t) = @_;
    my ($before) = slurp($t->prefix . '/nginx.conf') =~ /^(.*?) # here\n/s;
    return 1 + ($before =~ tr/\n//);
}


sub write_secrets {
    my ($t) = @_;
    my %file = (pw => "topsecret\n", empty => "\nx\n", long => 'a' x 600);
    for my $name (keys %file) {
        open(my $fh, '>', $t->prefix . "/$name") or die "$name: $!\n";
        print $fh $file{$name};
        close($fh);
    }
}


subtest 'CONFIG nginx -t' => sub {
    my $t = CWMP::Test->new(redis => 0, cwmp_redis => '', start => 0,
                            module => $ENV{TEST_NGINX_MODULE});
    $t->node->write_conf;
    write_secrets($t);

    for my $good (@GOOD) {
        my ($where, $line) = @$good;
        my ($ok, $said) = nginx_t($t, $where, '', $line);
        ok $ok, "CONFIG good in $where: $line" or diag $said;
    }

    my $all = '';
    for my $wrong (@WRONG) {
        my ($where, $base, $line, $say) = @$wrong;
        my ($ok, $said) = nginx_t($t, $where, $base, $line);
        my $name = "CONFIG refused in $where: "
                   . (length $line ? $line : 'cwmp_acs without cwmp_redis');
        $all .= $said;

        $ok and fail("$name: it was not refused"), next;
        my ($emerg) = $said =~ /(\[emerg\].*)/;
        like $emerg, $say, $name;
        my ($at) = $emerg =~ m{ in \S+/nginx\.conf:(\d+)$};
        ok $at, "$name: with file and line" or diag $emerg;
        is $at, line_in_question($t), "$name: the right line"
            if $at && length $line && $say !~ /needs|must be/;
    }
    unlike $all, qr/topsecret/, 'CONFIG no message shows a password';
    $t->expect_log(qr/\[emerg\]/, [@WRONG - 10, @WRONG + 0]);
    $t->finish;
};


# --- variables -------------------------------------------------------------

my @VARIABLES = qw(device oui product_class serial session method events fault
                   task redis_time);

sub log_lines {
    my ($t, $n) = @_;
    my $file = $t->prefix . '/logs/cwmp.log';
    wait_for(sub { (() = slurp($file) =~ /\n/g) >= $n });
    return map {
        my %is;
        @is{qw(status uri), @VARIABLES} = split(/\|/, $_);
        \%is;
    } split(/\n/, slurp($file));
}


sub told {
    my ($line, @names) = @_;
    return join(' ', map { $line->{$_} } @names);
}


subtest 'VARIABLES' => sub {
    my $t = CWMP::Test->new(
        http => 'log_format cwmp "$status|$uri|'
                . join('|', map { "\$cwmp_$_" } @VARIABLES) . '";',
        server => 'access_log logs/cwmp.log cwmp; '
                  . 'location = /plain { return 200 "x"; }');
    my $id = '00D09E-Box%203000-AB%2D12%2F7';
    my $raw = $t->raw;

    $t->redis->push_task($id, { id => 'get-1', method => 'GetParameterValues',
        ParameterNames => ['Device.Time.'] }, { id => 'add-2',
        method => 'AddObject', ObjectName => 'Device.NAT.PortMapping.' });
    $raw->post(inform(class => 'Box 3000', serial => 'AB-12/7',
                      events => [['1 BOOT'], ['M Reboot', 'key']]));
    my ($token) = $raw->cookie =~ /=(.{8})/;
    my $rpc = $raw->empty;
    $rpc = $raw->post(gpv_response($rpc->id, ['Device.Time.Enable', 'boolean',
                                              1]));
    $raw->post(fault($rpc->id, 9004, 'Resources exceeded'));
    $raw->post(inform(class => '', serial => 'x9'));
    $raw->get('/plain');
    $raw->get('/cwmp');
    $raw->post('', cookie => undef);
    $raw->post('<a>', cookie => undef);

    my @lines = log_lines($t, 9);
    is scalar(@lines), 9, 'a line for each request';
    is told($lines[0], qw(status device oui product_class serial method)),
        "200 $id 00D09E Box%203000 AB%2D12%2F7 Inform",
        'VARIABLES who it is, of an Inform';
    is $lines[0]{events}, '1 BOOT,M Reboot', 'VARIABLES its events';
    is told($lines[0], qw(fault task)), '- -', 'neither fault nor task';
    is $lines[0]{session}, $token, 'VARIABLES the start of its token';
    like $lines[0]{redis_time}, qr/^\d+\.\d{3}$/, 'VARIABLES time of Redis';

    is told($lines[1], qw(status device method session task)),
        "200 $id - $token get-1", 'VARIABLES of an empty POST';
    is $lines[1]{events}, '-', 'no events';
    is told($lines[2], qw(device method session task fault)),
        "$id GetParameterValuesResponse $token add-2 -",
        'VARIABLES of a response, and the task that follows it';
    is told($lines[3], qw(status device method session task fault)),
        "204 $id Fault $token - 9004", 'VARIABLES of a Fault';
    is told($lines[4], qw(device oui product_class serial)),
        '00D09E-x9 00D09E - x9', 'VARIABLES without a ProductClass';

    for my $n (5 .. 8) {
        my $with = $n == 8 ? 'method' : '';
        is told($lines[$n], grep { $_ ne $with } @VARIABLES),
            join(' ', ('-') x (grep { $_ ne $with } @VARIABLES)),
            "VARIABLES are - elsewhere: $lines[$n]{status} $lines[$n]{uri}";
    }
    $t->finish;
};


subtest 'VARIABLES in a header and a map' => sub {
    my $t = CWMP::Test->new(
        http => 'map $cwmp_device $where { default some; 00D09E-Box-91 nine; }',
        server => 'add_header X-Where $where always; '
                  . 'add_header X-Device $cwmp_device always;');
    my $answer = $t->raw->post(inform(serial => '91'));
    is $answer->header('X-Where'), 'nine', 'VARIABLES in a map';
    is $answer->header('X-Device'), '00D09E-Box-91', 'VARIABLES in a header';
    is $t->raw->post(inform(serial => '81'))->header('X-Where'), 'some',
        'and of another device';
    $t->finish;
};


# --- the error log ---------------------------------------------------------

subtest 'ERROR-LOG names the device and the session' => sub {
    my $t = CWMP::Test->new;
    my $raw = $t->raw;
    my $id = '00D09E-Box-E%201';

    $t->redis->push_task($id, { id => 'bad', method => 'SetParameterValues' });
    $raw->post(inform(serial => 'E 1'));
    my ($token) = $raw->cookie =~ /=(.{8})/;
    $raw->empty;
    my $who = qr/device: \Q$id\E, session: \Q$token\E, server:/;
    ok $t->wait_log(qr/task bad rejected.*client: 127\.0\.0\.1, $who/),
        'ERROR-LOG a rejected task';

    $raw->post('<nonsense', close => 1);
    ok $t->wait_log(qr/\[info\].*POST refused: .*$who/),
        'ERROR-LOG a POST that was refused';
    unlike $t->error_log, qr/\Q@{[substr($raw->cookie, 5, 20)]}\E/,
        'ERROR-LOG never the whole token';

    $t->raw->post('<nonsense', cookie => undef);
    ok $t->wait_log(qr/POST refused: [^\n]*client: 127\.0\.0\.1, server:/),
        'ERROR-LOG no device where none is known';

    $t->redis_stop;
    $t->raw->post(inform(serial => 'E2'));
    ok $t->wait_log(qr/\[error\].*session cannot go on: .*device: \S+-E2/),
        'ERROR-LOG Redis away: whose session cannot go on';
    $t->finish;
};

done_testing;
