#!/usr/bin/perl

# Known attacks on an ACS and on HTTP authentication, over two nodes: what
# happens to the attacker, and that its victim notices nothing.  The table in
# docs/security.md has them all, also those that other files hold.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use IO::Select;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Auth qw(key_file nonce);
use CWMP::Certificates qw(put);
use CWMP::Raw ':build';
use CWMP::Sockets qw(unread);
use CWMP::Swarm qw(swarm_binary);
use CWMP::Test qw(patience slurp wait_for);

my $REALM = 'acs.example';
my $methods = request('m', 'GetRPCMethods');
my $CLOSE_WAIT = '08';
my $ATTEMPTS = $ENV{TEST_SOAK} ? 10_000 : 500;
my $dir = tempdir(CLEANUP => 1);
my $key = key_file("$dir/key");
CWMP::Certificates->new(dir => $dir)->make('acs');
my $t = CWMP::Test->new(nodes => 2, workers => 2,
    http => "cwmp_secret_key $dir/key; set_real_ip_from 127.0.0.1; "
            . 'real_ip_header X-Real-IP;',
    server => "cwmp_auth digest $REALM; location = /other { "
              . 'cwmp_redis unix:%%DIR%%/redis/redis.sock prefix=other; '
              . 'cwmp_acs; } location = /denied { deny all; cwmp_acs; } '
              . 'listen unix:%%PREFIX%%/h2.sock ssl http2; '
              . "ssl_certificate $dir/acs.pem; ssl_certificate_key $dir/acs.key;");
my $redis = $t->redis;
my $n = 0;

sub device {
    my $serial = 'A' . ++$n;
    my $auth = CWMP::Auth->new(user => "00D09E-Box-$serial", password => 'pw');
    $auth->store($redis, realm => $REALM);
    return ($auth, inform(serial => $serial));
}

# a wrong password of this user, from this address: sent, over a connection
sub guessing {
    my ($user, $address, $on) = @_;
    my $raw = ($on // $t)->raw(0);
    my $auth = CWMP::Auth->new(user => $user, password => 'guess');
    my $said = join ': ', @{ $auth->answer($raw->post('')) };
    $raw->send_raw("POST /cwmp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                   . "X-Real-IP: $address\r\n$said\r\n\r\n");
    return $raw;
}

# ... and how long the answer took
sub guess {
    my $begin = time();
    guessing(@_)->read_response({});
    return time() - $begin;
}

# what proved its last POST, in Redis: nobody waits for that
sub is_used_up {
    my ($auth) = @_;
    my $count = sprintf '%08x', $auth->{count};
    return wait_for(sub {
        ($redis->cmd('HGET', $redis->device_key($auth->{user}), 'nonces') // '')
            =~ /^.{34}$count/;
    }, 2);
}

sub cookie { return $_[0]->header('Set-Cookie') =~ s/;.*//r }

sub seen {
    my ($answer) = @_;
    return join "\n", $answer->status, $answer->body,
           map { "$_->[0]: $_->[1]" =~ s/nonce="[0-9a-f]+"/nonce/r }
           grep { $_->[0] !~ /^Date$/i } @{ $answer->headers };
}


subtest 'ATK-01 a captured POST, sent again' => sub {
    my ($auth, $inform) = device();
    $redis->push_task($auth->{user}, { id => 'r', method => 'Reboot' });
    my $raw = $t->raw(0);
    my @inform = ($inform, headers => [$auth->answer($raw->post($inform))]);
    my $first = $raw->post(@inform);
    my @next = ('', cookie => cookie($first), headers => [$auth->header]);
    my $rpc = $raw->post(@next);
    is $rpc->method, 'Reboot', 'a session';

    for my $node (0, 1) {
        is $t->raw($node)->post(@inform)->status, 401,
            "ATK-01 its Inform, to node $node on another connection";
        is $t->raw($node)->post(@next)->status, 401,
            "ATK-01 its second POST, to node $node on another connection";
    }
    is $raw->post(@next)->status, 401, 'ATK-01 ... on the same';
    my $answer = $raw->post(response($rpc->id, 'Reboot'), cookie => cookie($first),
                            headers => [$auth->header]);
    is $answer->status, 204, 'ATK-01 the session goes on to its end';
    is $redis->result($auth->{user}, 'r'), undef, 'and waits for the BOOT';
};


subtest 'ATK-01 what was overheard proves no connection' => sub {
    my ($auth, $inform) = device();
    $redis->push_task($auth->{user}, { id => 'r', method => 'Reboot' });
    my $raw = $t->raw(0);
    my $header = $auth->answer($raw->post($inform));
    my $cookie = cookie($raw->post($inform, headers => [$header]));

    for my $node (0, 1) {
        my $thief = $t->raw($node);
        is $thief->post($inform, headers => [$header])->status, 401,
            "ATK-01 the Inform once more, to node $node";
        is $thief->post($methods, cookie => $cookie)->status, 401,
            'ATK-01 ... then the cookie alone';
        $thief = $t->raw($node);
        $thief->post('', headers => [$header]);
        is $thief->post($methods, cookie => $cookie)->status, 401,
            'ATK-01 the same after an empty POST';
    }
    is $raw->post('', headers => [$auth->header])->method, 'Reboot',
        'ATK-01 the device goes on with its session';
};


subtest 'ATK-01 what a user of many devices has proven, overheard' => sub {
    my $many = CWMP::Auth->new(user => 'many', password => 'pw');
    $many->store($redis, realm => $REALM, device => '00D09E-Box-*');
    my ($auth, $inform) = device();
    $redis->push_task($auth->{user}, { id => 'r', method => 'Reboot' });
    my $raw = $t->raw(0);
    my $header = $many->answer($raw->post($inform));
    my $cookie = cookie($raw->post($inform, headers => [$header]));

    my $thief = $t->raw(0);
    is $thief->post($inform, headers => [$header])->status, 401,
        'ATK-01 is good for that device no more';
    is $thief->post(inform(serial => "Made$n"), headers => [$header])->status, 200,
        'ATK-01 with a serial number that was made up it opens a session';
    is $thief->post($methods)->status, 200, '... which goes on';
    is $thief->post($methods, cookie => $cookie)->status, 401,
        'ATK-01 ... and no other one';
    is $raw->post('', headers => [$many->header], cookie => $cookie)->method,
        'Reboot', 'the device does';
};


subtest 'ATK-01 a cookie of another device that was made up' => sub {
    my ($theirs, $their_inform) = device();
    my $there = $t->raw(0);
    $there->post($their_inform,
                 headers => [$theirs->answer($there->post($their_inform))]);
    my $nonces = sub { $redis->cmd('HGET', $redis->device_key($_[0]{user}), 'nonces') };
    my $before = $nonces->($theirs);

    my ($auth, $inform) = device();
    my $raw = $t->raw(0);
    $raw->post($inform, headers => [$auth->answer($raw->post($inform))]);
    my $cookie = 'cwmp=' . ('A' x 22) . ".$theirs->{user}";
    for my $said ('', response('x', 'Reboot'),
                  gpv_response('x', map { ["Device.P$_", 'int', 1] } 1 .. 900)) {
        my $header = $auth->header;
        $raw->post($said, cookie => $cookie, headers => [$header]);
        $raw->reset;
        ok is_used_up($auth), '... is used up';
        is $t->raw(1)->post($inform, headers => [$header])->status, 401,
            'ATK-01 ' . length($said) . ' bytes: its own proof is used up';
        is $nonces->($theirs), $before, '... and nothing of the other device';
    }
};


subtest 'ATK-01 of a POST that was refused before Redis heard of it' => sub {
    my ($other) = device();
    my $cookie = cookie($t->raw(0)->post(inform(serial => "A$n"), headers => [$other->answer(
        $t->raw(0)->post(inform(serial => "A$n")))]));
    my ($auth, $inform) = device();             # it has never come
    my $raw = $t->raw(0);
    $auth->challenge($raw->post($inform));
    my %said = (
        'an Inform of another device' => [inform(serial => 'Other'), 403],
        'the cookie of another session' => ['', 403, cookie => $cookie],
        'no XML' => ['<x', 400],
        'no session' => ['', 204],
        'no device' => [inform(serial => ''), 200],
    );
    my %broken = (
        'half of a body' => ['Content-Length: 9', '<soap'],
        'no chunk' => ['Transfer-Encoding: chunked', "zz\r\n"],
        'a chunk, and none' => ['Transfer-Encoding: chunked', "5\r\n<soap\r\n", "zz\r\n"],
    );
    for my $what (sort(keys %said), sort(keys %broken)) {
        my $header = $auth->header;
        if ($said{$what}) {
            my ($text, $status, @how) = @{ $said{$what} };
            is $raw->post($text, headers => [$header], @how)->status, $status, $what;
        } else {
            my ($length, $first, @more) = @{ $broken{$what} };
            $raw->send_raw("POST /cwmp HTTP/1.1\r\nHost: x\r\n$length\r\n"
                           . join(': ', @$header) . "\r\n\r\n$first");
            sleep 0.1, $raw->send_raw($_) for @more;
            if ($length =~ /chunked/) {         # whose end nginx waits for
                sysread $raw->{sock}, my $answer, 12;
                is $answer, 'HTTP/1.1 400', $what;
            } else {
                $raw->disconnect;
            }
        }
        ok is_used_up($auth), '... is used up';
        is $t->raw(1)->post($inform, headers => [$header])->status, 401, "ATK-01 $what";
        $raw->reset;
    }
};


# POSTs this, and is gone before Redis says who it is
sub leave {
    my ($header, $length, $body, $cookie) = @_;
    my $raw = $t->raw(0);
    $t->redis_sigstop;
    $raw->send_raw("POST /cwmp HTTP/1.1\r\nHost: x\r\nContent-Length: $length\r\n"
                   . ($cookie ? "Cookie: $cookie\r\n" : '')
                   . join(': ', @$header) . "\r\n\r\n$body");
    sleep 0.1;                                  # Redis is asked
    $raw->disconnect;
    wait_for(sub { unread($t->port, $CLOSE_WAIT) }, 1);
    $t->redis_cont;
}

subtest 'ATK-01 of a POST whose CPE left while Redis was asked who it is' => sub {
    my ($auth, $inform) = device();
    my $raw = $t->raw(0);
    my $cookie = cookie($raw->post($inform,
                             headers => [$auth->answer($raw->post($inform))]));
    $redis->push_task($auth->{user}, { id => 'r', method => 'Reboot' });
    $raw->reset;

    for my $case (['half of a body', 9, '<soap'], ['a whole one', 0, '', $cookie]) {
        my ($what, @said) = @$case;
        my $header = $auth->header;
        leave($header, @said);
        ok is_used_up($auth), "$what is used up";
        is $t->raw(1)->post($inform, headers => [$header])->status, 401,
            "ATK-01 $what";
    }
    $raw = $t->raw(1);
    $cookie = cookie($raw->post(inform(serial => "A$n", events => ['1 BOOT']),
                                headers => [$auth->header]));
    is $raw->post('', cookie => $cookie, headers => [$auth->header])->method,
        'Reboot', 'nobody was given what waits';

    leave($auth->header(password => 'px'), 0, '') for 1 .. 5;
    ok wait_for(sub { !unread($t->port, $CLOSE_WAIT) }, 1),
        'ATK-05 who is gone with a wrong password waits for no answer';
};


subtest 'ATK-01 of a POST that led nowhere' => sub {
    my ($auth, $inform) = device();
    my $raw = $t->raw(0);
    my $first = cookie($raw->post($inform,
                            headers => [$auth->answer($raw->post($inform))]));
    $raw->post(inform(serial => "A$n", events => ['1 BOOT']),
               headers => [$auth->header]);
    for my $said ('', response('x', 'Reboot'),
                  gpv_response('x', map { ["Device.P$_", 'int', 1] } 1 .. 900)) {
        my $header = $auth->header;
        $raw->post($said, cookie => $first, headers => [$header]);
        ok is_used_up($auth), '... is used up';
        is $t->raw(1)->post($inform, headers => [$header])->status, 401,
            'ATK-01 ' . length($said) . ' bytes for a session that is over';
    }
};


subtest 'ATK-03 a user of one tenant in another, on one connection' => sub {
    my ($auth, $inform) = device();
    $redis->cmd('HSET', "other:user:{$auth->{user}}", $redis->list('HGETALL',
                "cwmp:user:{$auth->{user}}"));
    CWMP::Auth->new(user => $auth->{user}, password => 'else')
        ->store($redis, realm => $REALM);
    my $raw = $t->raw(0);
    my $other = CWMP::Auth->new(%$auth, uri => '/other');
    my $url = $t->url(0) =~ s/cwmp$/other/r;
    is $raw->post($inform, url => $url, headers => [
        $other->answer($raw->post($inform, url => $url))])->status, 200,
        'a user of the other tenant';
    is $raw->post($inform, headers => [$auth->answer($raw->post($inform))])
           ->status, 401, 'ATK-03 is none of this one';
    is $raw->post('', url => $url, headers => [$other->header])->status, 204,
        '... and goes on there';
    is $raw->post($methods)->status, 401, 'ATK-03 but not here, without a word';
};


# curl -Z for POSTs of [who, what], ..., all of whom Redis is asked for before it
# answers: how many connections they opened, and the head of each answer
sub at_once {
    my @said = @_;
    my $config = join "next\n", map {
        my ($auth, $body) = @{ $said[$_] };
        put("$dir/body$_", $body);
        join '', map { "$_\n" } qw(http2 insecure silent),
            'unix-socket = ' . $t->prefix(0) . '/h2.sock',
            "data-binary = \@$dir/body$_", 'header = "Content-Type: text/xml"',
            'header = "' . join(': ', @{ $auth->header }) =~ s/"/\\"/gr . '"',
            "dump-header = $dir/head$_", "output = $dir/answer$_",
            'write-out = %{num_connects}', 'url = https://x/cwmp';
    } 0 .. $#said;
    put("$dir/curl", $config);

    $t->redis_sigstop;
    open my $curl, '-|', qw(curl -Z -K), "$dir/curl" or die "curl: $!\n";
    sleep 0.3;                                  # Redis is asked
    $t->redis_cont;
    my $opened = join '', sort split //, <$curl>;
    close $curl or die "curl ends with $?\n";
    return ($opened, map { slurp("$dir/head$_") } 0 .. $#said);
}

subtest 'ATK-03 users of one connection, at once' => sub {
    my @devices = map { [device()] } 1 .. 3;
    $_->[0]->challenge($t->raw(0)->post($_->[1])) for @devices;
    my ($one, $two, $three) = @devices;
    my ($opened, @heads) = at_once($one, $two, [$three->[0], $one->[1]]);
    is $opened, '001', 'one connection';
    like $heads[0], qr{^HTTP/2 200.*\.\Q$one->[0]{user}\E;}s, 'ATK-03 the first';
    like $heads[1], qr{^HTTP/2 200.*\.\Q$two->[0]{user}\E;}s, 'ATK-03 the second';
    like $heads[2], qr{^HTTP/2 403}, 'ATK-03 and one who is neither';
};


subtest 'ATK-02 nonces of other times and makers' => sub {
    my ($auth, $inform) = device();
    my $raw = $t->raw(0);
    $auth->challenge($raw->post($inform));
    my $other = join '', map { chr(int rand 256) } 1 .. 32;
    my $now = int time();

    for my $case (['of yesterday', nonce($key, $REALM, $now - 86_400)],
                  ['of tomorrow', nonce($key, $REALM, $now + 86_400)],
                  ['of another key', nonce($other, $REALM, $now)],
                  ['of another realm', nonce($key, 'x', $now)],
                  ['of time 0', nonce("\0" x 32, $REALM, 0)],
                  ['made longer', $auth->{nonce} . '00'],
                  ['in capitals', uc $auth->{nonce}])
    {
        my $answer = $raw->post($inform,
                                headers => [$auth->header(nonce => $case->[1])]);
        is $answer->status, 401, "ATK-02 a nonce $case->[0]";
    }
    is $redis->cmd('EXISTS', "cwmp:{0}:$auth->{user}"), 0,
        'ATK-02 nothing is stored';
};


subtest 'ATK-03 whose user name, whose password' => sub {
    my ($auth, $inform) = device();
    my $raw = $t->raw(0);
    my @answers = map {
        $auth->challenge($raw->post($inform));
        seen($raw->post($inform, headers => [$auth->header(@$_)]));
    } [password => 'px'], [user => '00D09E-Box-Nobody', password => 'px'];
    is $answers[0], $answers[1],
        'ATK-03 an unknown user and a wrong password are answered alike';

    for my $header ('Basic ' . 'A' x 8000, 'Digest ' . 'a=b,' x 2000,
                    'Digest ' . '"' x 500)
    {
        is $raw->post($inform, headers => [['Authorization', $header]])->status,
            401, 'ATK-03 ' . length($header) . ' bytes of credentials';
    }
    is $t->raw(0)->post($inform, headers => [$auth->header, $auth->header])
           ->status, 400, 'ATK-03 two of them';
};


subtest 'ATK-04 a session that the attacker names' => sub {
    my ($auth, $inform) = device();
    my $raw = $t->raw(0);
    my $answer = $raw->post($inform, cookie => 'cwmp=' . 'A' x 22
                            . ".$auth->{user}",
                            headers => [$auth->answer($raw->post($inform))]);
    my $first = cookie($answer);
    unlike $first, qr/A{22}/, 'ATK-04 a token is never the CPE\'s choice';
    $answer = $raw->post(inform(serial => "A$n", events => ['1 BOOT']),
                         headers => [$auth->header]);
    isnt cookie($answer), $first, 'ATK-04 each session has another one';
    unlike cookie($answer) =~ s/^cwmp=([^.]*)\..*/$1/r, qr/Box|00D09E/,
        'ATK-04 which says nothing of the device';
    $redis->push_task($auth->{user}, { id => 'r', method => 'Reboot' });
    is $raw->post('', cookie => $first, headers => [$auth->header])->body, '',
        'ATK-04 that of the session before is of no use';
    is $raw->post('', cookie => cookie($answer), headers => [$auth->header])
           ->method, 'Reboot', '... as its own is';
};


subtest 'ATK-05 wrong passwords for one device from many addresses' => sub {
    my ($auth, $inform) = device();
    my $raw = $t->raw(1);
    $raw->post($inform, headers => [$auth->answer($raw->post($inform))]);

    my @attack = ($t->url(0), '--serial', "A$n", qw(--class Box --user),
        $auth->{user}, qw(--password guess{n} --cpes), $ATTEMPTS, '--sessions',
        $ATTEMPTS, qw(--closed 300 --source),
        join(',', map { "127.0.1.$_" } 1 .. 200));
    my $pid = open(my $told, '-|') // die "fork: $!\n";
    if ($pid == 0) {
        exec swarm_binary(), qw(--quiet --json -), @attack[1 .. $#attack],
             $attack[0] or die $!;
    }
    my @took;
    do {
        my $begin = time();
        my $c = $t->raw(0);
        $auth->challenge($c->post($inform));
        is $c->post($inform, headers => [$auth->header])->status, 200,
            'ATK-05 the device informs meanwhile';
        push @took, time() - $begin;
        sleep 0.5;
    } while (!IO::Select->new($told)->can_read(0) && @took < patience(120));
    my $r = JSON::PP::decode_json(do { local $/; <$told> });
    is $r->{sessions}, 0, "ATK-05 of $ATTEMPTS attempts none is let in";
    cmp_ok((sort { $a <=> $b } @took)[-1], '<', patience(2),
           'ATK-05 and it never waits for them');
    is $r->{statuses}{401}, $ATTEMPTS, 'ATK-05 all are told the same';
    my $late = $r->{latency_us}{'(refused or sent on)'};
    cmp_ok $late->{p99}, '>', 5e6, 'ATK-05 and later and later';
    note sprintf('%d in %d s, a hundredth answered after %.1f s; %d Informs of '
                 . 'the device, in %.3f s at most', $ATTEMPTS, $r->{seconds},
                 $late->{p99} / 1e6, scalar(@took), (sort { $a <=> $b } @took)[-1]);
};


subtest 'ATK-05 ... and from many addresses of one network' => sub {
    my @took = map { guess("u$_", sprintf '2001:db8::%x', $_) } 1 .. 103;
    cmp_ok $took[99], '<', 0.5, 'a hundred of them are told at once';
    cmp_ok $took[102], '>', 0.9, 'ATK-05 the next ones wait';
    cmp_ok guess('u200', '2001:db8:0:1::1'), '<', 0.5,
        '... and none of another network';

    guess('192.0.2.7', '192.0.2.7') for 1, 2;
    cmp_ok guess('192.0.2.7', '192.0.2.7'), '<', 0.24,
        'a user that is named as an address is none';
};


subtest 'ATK-05 one address cannot have all delays' => sub {
    my $small = CWMP::Test->new(workers => 1, connections => 64,
        http => "cwmp_secret_key $dir/key; set_real_ip_from 127.0.0.1; "
                . 'real_ip_header X-Real-IP;', acs => 'cwmp_auth digest;');
    guess('x', '192.0.2.1', $small) for 1 .. 5;
    my @held = map { guessing('x', '192.0.2.1', $small) } 1 .. 4;
    my $begin = time();
    my $answer = guessing('x', '192.0.2.1', $small)->read_response({});
    cmp_ok time() - $begin, '<', 0.5, 'a fifth answer is not held';
    is $answer->header('Connection'), 'close', '... but its connection closed';
    cmp_ok guess('x', '192.0.2.2', $small), '>', 4,
        'ATK-05 that to another address is';
    $_->disconnect for @held;

    # several addresses together have a quarter of what connections there are
    @held = map { my $from = "192.0.2.$_"; map { guessing('x', $from, $small) } 1 .. 4 }
            10 .. 20;
    my @told;
    wait_for(sub { @told = grep { IO::Select->new($_->{sock})->can_read(0) } @held;
                   @told >= @held - 16 });
    is @held - @told, 16, 'ATK-05 of 44 answers to eleven addresses 16 wait';
    is $told[-1]->read_response({})->header('Connection'), 'close',
        '... the others do not, and lose their connections';
    $_->disconnect for @held;
    $small->expect_log(qr/the user name or the password is wrong/);
    $small->finish;
};


subtest 'ATK-05 wrong passwords do not fill the log' => sub {
    my $begin = time();
    my $before = () = $t->error_log =~ /\[warn\].*password is wrong/g;
    guess("w$_", "198.51.100.$_") for 1 .. 200;
    my $lines = () = $t->error_log =~ /\[warn\].*password is wrong/g;
    cmp_ok $lines - $before, '<=', 2 * 8 * (2 + time() - $begin),
        'ATK-05 two workers warn of eight in a second';
    cmp_ok $lines - $before, '<', 150, '... of 200';
};


subtest 'ATK-05 who is denied by address guesses nothing' => sub {
    my ($auth, $inform) = device();
    my ($raw, $url) = ($t->raw(0), $t->url(0) =~ s/cwmp$/denied/r);
    my $looks = sub { $redis->cmd('INFO', 'commandstats')
                      =~ /cmdstat_fcall_ro:calls=(\d+)/ ? $1 : 0 };
    $auth = CWMP::Auth->new(%$auth, uri => '/denied');
    $auth->challenge($t->raw(0)->post(''));
    my $before = $looks->();
    for my $with ([], [$auth->header(password => 'px')], [$auth->header]) {
        is $raw->post($inform, url => $url, headers => $with)->status, 403,
            'ATK-05 whatever he says';
    }
    is $looks->(), $before, 'ATK-05 and nobody is looked up';
};

$t->expect_log(qr/access forbidden by rule/, 3);
$t->expect_log(qr/the user name or the password is wrong/, [1, 1_000_000]);
done_testing;
