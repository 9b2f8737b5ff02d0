#!/usr/bin/perl

# HTTP authentication of CPEs, over one node and over two in turn: who is let in,
# what is used twice, who goes on with whose session.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Auth qw(key_file nonce);
use CWMP::Raw ':build';
use CWMP::Test qw(patience slurp wait_for);

my $REALM = 'acs.example';
my $dir = tempdir(CLEANUP => 1);
my $key = key_file("$dir/key");
my $t = CWMP::Test->new(nodes => 2, http => "cwmp_secret_key $dir/key; "
            . 'log_format redis "$status $cwmp_redis_time";',
    server => qq{cwmp_auth digest $REALM; access_log logs/redis.log redis;
        location = /old { cwmp_auth digest $REALM without_qop; cwmp_acs; }
        location = /if { cwmp_acs; if (\$http_user_agent) { set \$x 1; } }
        location = /ifoff { cwmp_auth off; cwmp_max_envelope 32k; cwmp_acs;
            if (\$http_user_agent) { set \$x 1; } }
        location = /except { cwmp_acs; limit_except GET { allow all; } }
        location = /post { cwmp_acs; limit_except POST { deny all; } }
        location = /tls { cwmp_auth digest $REALM behind_tls; cwmp_acs; }
        location = /basic { cwmp_auth basic $REALM behind_tls; cwmp_acs; }});
my $redis = $t->redis;
my $n = 0;
my @nodes;                              # that POSTs go to, in turn

# a device whose credentials are known, a connection, and one to the other node
sub device {
    my (%opt) = @_;
    my $serial = 'S' . ++$n;
    my $auth = CWMP::Auth->new(user => "00D09E-Box-$serial", password => 'pw');
    $auth->store($redis, realm => $REALM, %opt);
    return ($auth, inform(serial => $serial), $t->raw(0), $t->raw(1));
}

# what a connection to each node is used for, one after the other
sub in_turn {
    my ($path) = @_;
    my @raw = map { $t->raw($_, url => $t->url($_, $path)) } @nodes;
    my $turn = 0;
    return sub { return $raw[$turn++ % @raw]->post(@_) };
}

sub cookie { return $_[0]->header('Set-Cookie') =~ s/;.*//r }

sub known { return $redis->cmd('EXISTS', "cwmp:{0}:$_[0]{user}") }

sub stale {
    my ($answer) = @_;
    return $answer->status . ' '
           . (($answer->header('WWW-Authenticate') // '') =~ /stale=true/
              ? 'stale' : 'anew');
}


subtest 'wrong passwords, again and again' => sub {
    my ($auth, $inform, $raw, $other) = device();
    my @took;
    for my $i (1 .. 7) {
        my $begin = time();
        $auth->challenge($raw->post($inform));
        is $raw->post($inform, headers => [$auth->header(password => "x$i")])
               ->status, 401, "no. $i";
        push @took, time() - $begin;
    }
    cmp_ok $took[6], '>', 1.9, 'are answered later and later';
    cmp_ok $took[6], '>', 4 * $took[0], '... than the first';

    my $begin = time();
    $auth->challenge($other->post($inform));
    is $other->post($inform, headers => [$auth->header])->status, 200,
        'the right one is good all the while';
    cmp_ok time() - $begin, '<', patience(1), '... at once';
    $t->expect_log(qr/"$auth->{user}"; so it was before, and the answer waits/);
};


# --- over one node, and over two in turn --------------------------------------

for my $which ([0], [0, 1]) {
    @nodes = @$which;
    my $over = @nodes == 1 ? 'over one node' : 'over two nodes';


subtest "AUTH-01 the challenge, $over" => sub {
    my ($auth, $inform) = device();
    my $post = in_turn('/cwmp');
    for my $what (['an Inform', $inform], ['an empty POST', ''],
                  ['an Inform', $inform], ['a response', response('x', 'Reboot')])
    {
        my $answer = $post->($what->[1]);
        is $answer->status, 401, "AUTH-01 AUTH-10 $what->[0] without a word of who it is";
        like $answer->header('WWW-Authenticate'),
            qr/^Digest realm="acs\.example", qop="auth", nonce="[0-9a-f]{56}", algorithm=MD5$/,
            'AUTH-01 Digest, qop and MD5';
        unlike join(' ', map { "@$_" } @{ $answer->headers }), qr/Basic/i,
            'AUTH-01 and no Basic';
    }
    ok !known($auth), 'AUTH-01 nothing is stored';
};


subtest "AUTH-02 who is let in, $over" => sub {
    for my $algorithm ('MD5', 'SHA-256') {
        my ($auth, $inform) = device();
        my $post = in_turn('/cwmp');
        $auth->{algorithm} = $algorithm;
        my $answer = $post->($inform);
        $answer = $post->($inform, headers => [$auth->answer($answer)]);
        is $answer->status, 200, "AUTH-02 $algorithm: the right answer";
        is $answer->method, 'InformResponse', 'AUTH-02 an InformResponse';
        is $post->('', cookie => cookie($answer), headers => [$auth->header])->status,
            204, 'AUTH-02 and the end';
    }
};


subtest "AUTH-03 who is not, $over" => sub {
    my ($auth, $inform) = device();
    my $post = in_turn('/cwmp');
    $auth->challenge($post->($inform));

    for my $wrong ([password => 'px'], [user => '00D09E-Box-Nobody'],
                   [realm => 'other'], [nonce => 'abcdef0123456789'],
                   [nonce => '0' x 56], [user => 'x' x 257], [user => ''])
    {
        my $answer = $post->($inform, headers => [$auth->header(@$wrong)]);
        is stale($answer), '401 anew',
            "AUTH-03 another $wrong->[0]: " . substr($wrong->[1], 0, 20);
    }
    for my $header ('Digest', 'Digest username=', 'Basic eDp5', "Bearer \xff")
    {
        is $post->($inform, headers => [['Authorization', $header]])->status,
            401, "AUTH-03 '$header'";
    }
    ok !known($auth), 'AUTH-03 no session, nothing is stored';
    is $post->($inform, headers => [$auth->header])->status, 200,
        'AUTH-03 the right one is, after all these';
};


# where TLS is, nobody listens: a nonce lives longer
subtest "AUTH-06 old nonces, $over" => sub {
    for my $case (['/cwmp', [66, 86400], 50], ['/tls', [306, 86400], 250]) {
        my ($path, $old, $good) = @$case;
        my ($auth, $inform) = device();
        my $post = in_turn($path);
        @$auth{qw(realm uri)} = ($REALM, $path);
        my $from = sub {
            my $nonce = nonce($key, $REALM, int(time()) - $_[0]);
            return $post->($inform, headers => [$auth->header(nonce => $nonce)]);
        };
        for my $ago (@$old) {
            my $answer = $from->($ago);
            is stale($answer), '401 stale', "AUTH-06 $path: one of $ago seconds ago";
            is $post->($inform, headers => [$auth->answer($answer)])->status, 200,
                'AUTH-06 and with the new one it goes on';
        }
        is $from->($good)->status, 200, "AUTH-06 $path: one of $good seconds ago is good";
    }
};


subtest "AUTH-07 Basic, $over" => sub {
    my ($auth, $inform) = device();
    my $post = in_turn('/basic');
    $redis->cmd('HSET', "cwmp:user:{$auth->{user}}", 'basic', $auth->keyed($key));
    for (@nodes) {
        is $post->($inform)->header('WWW-Authenticate'), 'Basic realm="acs.example"',
            'AUTH-07 is asked for';
    }
    is $post->($inform, headers => [$auth->basic('px')])->status, 401,
        'AUTH-07 a wrong password' for @nodes;
    ok !known($auth), 'AUTH-07 of which nothing is stored';
    my $answer = $post->($inform, headers => [$auth->basic]);
    is $answer->status, 200, 'AUTH-07 the right one';
    is $post->('', cookie => cookie($answer), headers => [$auth->basic])->status,
        204, 'AUTH-07 and its session';
    $auth->challenge($t->raw(0)->post($inform));
    is $post->($inform, headers => [$auth->header(uri => '/basic')])->status, 401,
        'AUTH-07 Digest is none';
};


subtest "AUTH-13 without qop, $over" => sub {
    my ($auth, $inform) = device();
    my $post = in_turn('/cwmp');
    for (@nodes) {
        my $header = $auth->answer($post->($inform), qop => 0);
        is $post->($inform, headers => [$header])->status, 401, 'AUTH-13 is refused';
    }
    $auth->{uri} = '/old';
    $post = in_turn('/old');
    my $answer = $post->($inform, headers => [$auth->answer($post->($inform), qop => 0)]);
    is $answer->status, 200, 'AUTH-13 but where it is allowed';
    is $post->('', cookie => cookie($answer),
               headers => [$auth->answer($post->($inform), qop => 0)])->status, 204,
        'AUTH-13 and so on, with a nonce for each';
    is $post->($inform, headers => [$auth->header(qop => 0, password => 'px')])->status,
        401, 'AUTH-13 another password is not';
    is $post->($inform, headers => [$auth->answer($post->($inform))])->status, 200,
        'AUTH-13 nor is qop refused there';
};
}


# --- one by one -----------------------------------------------------------------

subtest 'AUTH-04 what is used twice' => sub {
    my ($auth, $inform, $raw, $other) = device();
    my $header = $auth->answer($raw->post($inform));
    is $raw->post($inform, headers => [$header])->status, 200, 'once';
    is stale($other->post($inform, headers => [$header])), '401 stale',
        'AUTH-04 on another connection, to another node: the same bytes';
    is stale($t->raw(0)->post(inform(serial => 'S' . $n, events => ['1 BOOT']),
                              headers => [$header])), '401 stale',
        'AUTH-04 other bytes with it';
    is stale($raw->post('', headers => [$header])), '401 stale',
        'AUTH-04 in the session itself';
    is $raw->post('', headers => [$auth->header])->status, 204,
        'AUTH-05 the next count goes on with it';

    my $seventh = $auth->header(count => 7);
    is $raw->post($inform, headers => [$seventh])->status, 200, 'count 7';
    is stale($raw->post('', headers => [$auth->header(count => 6)])),
        '401 stale', 'AUTH-04 a lower count, never seen';

    # more nonces than are remembered: the oldest are not taken again
    $auth->{realm} = $REALM;
    my @used = map { { nonce => nonce($key, $REALM, int(time()) - $_), count => 1 } }
               reverse 1 .. 40;
    my $twice = sub {
        my ($to) = @_;
        return [map { stale($to->post($inform, headers => [$auth->header(%$_)])) }
                @used];
    };
    is_deeply $twice->($raw), [('200 anew') x @used], 'each of forty is good once';
    is_deeply $twice->($_), [('401 stale') x @used],
        'AUTH-04 none is taken twice, also when it is remembered no more'
        for $raw, $other;
};


subtest 'AUTH-10 an agent that reconnects for each POST' => sub {
    my ($auth, $inform) = device();
    $redis->push_task($auth->{user}, map {
        { id => "n$_", method => 'GetParameterValues',
          ParameterNames => ["Device.P$_"] } } 1 .. 40);
    my ($cookie, $said) = (undef, $inform);
    my $answer;
    for my $i (0 .. 41) {
        my $raw = $t->raw($i % 2);
        $answer = $raw->post($said, cookie => $cookie);
        $raw = $t->raw(($i >> 1) % 2);
        $answer = $raw->post($said, cookie => $cookie,
                             headers => [$auth->answer($answer)]);
        $cookie //= $answer->header('Set-Cookie') =~ s/;.*//r;
        $said = $i && $answer->status == 200
              ? gpv_response($answer->id, ["Device.P$i", 'string', 'v']) : '';
    }
    is $answer->status, 204, 'goes to its end, with 42 nonces';
    is $redis->result($auth->{user}, 'n40')->{status}, 'done', 'all is done';
};


subtest 'AUTH-05 a session with an Authorization in each POST' => sub {
    my ($auth, $inform, $raw, $other) = device();
    $redis->push_task($auth->{user}, map {
        { id => "t$_", method => 'GetParameterValues',
          ParameterNames => ["Device.P$_"] } } 1 .. 5);
    $auth->challenge($raw->post($inform));
    my $answer = $raw->post($inform, headers => [$auth->header]);
    $answer = $raw->post('', headers => [$auth->header]);
    for my $i (1 .. 5) {
        $answer = $raw->post(gpv_response($answer->id,
                                          ["Device.P$i", 'string', 'v']),
                             headers => [$auth->header]);
    }
    is $answer->status, 204, 'AUTH-05 goes to its end';
    is $redis->result($auth->{user}, 't5')->{status}, 'done', 'all is done';
};


subtest 'AUTH-09 whose device it is' => sub {
    my ($auth, $inform, $raw) = device();
    my $answer = $raw->post(inform(serial => 'Victim'),
        headers => [$auth->answer($raw->post($inform))]);
    is $answer->status, 403, 'AUTH-09 an Inform of another device';
    is $answer->body, "refused\n", 'AUTH-09 which is told nothing';
    is $redis->cmd('EXISTS', 'cwmp:{0}:00D09E-Box-Victim'), 0,
        'AUTH-09 nothing is stored';

    ($auth, $inform, $raw) = device(device => '00D09E-Box-Named');
    $answer = $raw->post(inform(serial => 'Named'),
                         headers => [$auth->answer($raw->post($inform))]);
    is $answer->status, 200, 'AUTH-08 a user whose record names the device';
    is $t->raw(0)->post($inform, headers => [$auth->header])->status, 403,
        'AUTH-09 ... is no other, also not the one of its name';
};


subtest 'SES-21 whose session it is' => sub {
    my ($auth, $inform, $raw, $other) = device();
    my ($thief) = device();
    $redis->push_task($auth->{user}, { id => 'r', method => 'Reboot' });
    my $cookie = $raw->post($inform,
                            headers => [$auth->answer($raw->post($inform))])
                     ->header('Set-Cookie') =~ s/;.*//r;
    my $answer = $other->post('', cookie => $cookie,
        headers => [$thief->answer($other->post(''))]);
    is $answer->status, 403, 'SES-21 a token of A with the credentials of B';
    is $t->raw(1)->post('', cookie => $cookie)->status, 401,
        'SES-21 ... or with none';
    is $raw->post('', headers => [$auth->header])->method, 'Reboot',
        'SES-21 A goes on with it';
};


subtest 'AUTH-14 another connection' => sub {
    my ($auth, $inform, $raw, $other) = device();
    $redis->push_task($auth->{user}, { id => 'r', method => 'GetRPCMethods' });
    my $cookie = $raw->post($inform,
                            headers => [$auth->answer($raw->post($inform))])
                     ->header('Set-Cookie') =~ s/;.*//r;
    my $answer = $other->post('', cookie => $cookie);
    is $answer->status, 401, 'AUTH-14 has to say who it is';
    $answer = $other->post('', cookie => $cookie,
                           headers => [$auth->answer($answer)]);
    is $answer->method, 'GetRPCMethods', 'AUTH-14 and goes on with the session';
};


subtest 'a connection that has proven its user' => sub {
    my ($auth, $inform, $raw) = device();
    my ($next, $informs) = device();
    $raw->post($inform, headers => [$auth->answer($raw->post($inform))]);
    my $methods = request('m', 'GetRPCMethods');
    is $raw->post($methods)->method, 'GetRPCMethodsResponse',
        'the session goes on without a word';
    is $raw->post('')->status, 401,
        'AUTH-10 what may be a question whether it is to say who it is: it is';
    is $raw->post($inform)->status, 401, 'but none is opened without';
    is $raw->post($informs, headers => [$next->answer($raw->post($inform))])
           ->status, 200, 'another user on the same connection';
    is $raw->post($inform)->status, 401, 'opens none for the first one';
    is $raw->post($methods)->method, 'GetRPCMethodsResponse', '... goes on';

    my $wrong = $next->answer($raw->post(''));
    $wrong->[1] =~ s/response="./response="g/;
    is $raw->post('', headers => [$wrong])->status, 401, 'no digest';
    is $raw->post($methods)->status, 200, '... says nothing of who it is';
    is $raw->post('', headers => [$next->header(password => 'px')])->status, 401,
        'a wrong password';
    is $raw->post($methods)->status, 401, '... ends what was proven before';
};


subtest 'a body that waits for 100' => sub {
    my ($auth, $inform, $raw) = device();
    $raw->send_raw("POST /cwmp HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                   . "Expect: 100-continue\r\n\r\n");
    my $answer = $raw->read_response({ interim => 1 });
    is $answer->status, 401, 'is not asked for';
    is $answer->header('Connection'), 'close',
        'and what follows is not taken for it';
};


subtest 'a body that does not come' => sub {
    my ($auth, $inform, $raw) = device();
    for my $header ([], $auth->answer($raw->post($inform), password => 'px')) {
        my $slow = $t->raw(0);
        my $said = @$header ? "$header->[0]: $header->[1]\r\n" : '';
        $slow->send_raw("POST /cwmp HTTP/1.1\r\nHost: x\r\n${said}Content-Length: "
                        . "1000000\r\n\r\n<soap");
        is $slow->read_response({})->status, 401, 'is not waited for';
    }

    my $slow = $t->raw(0);
    is $slow->post($inform, headers => [$auth->answer($slow->post($inform))])
            ->status, 200, 'a connection that has proven its user';
    $slow->send_raw("POST /cwmp HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000"
                    . "\r\n\r\n<soap");
    is $slow->read_response({})->status, 401,
        '... and what goes on with no session';
};


subtest 'an "if" in the location' => sub {
    my ($auth, $inform) = device();
    my @agent = (['User-Agent', 'x']);
    my $raw = CWMP::Raw->new(url => $t->url(0) =~ s/cwmp$/if/r);
    $auth->{uri} = '/if';
    my $answer = $raw->post($inform, headers => \@agent);
    is $answer->status, 401, 'asks for what the location does';
    is $raw->post($inform, headers => [@agent, $auth->answer($answer)])
           ->method, 'InformResponse', '... and lets in who has it';
    $raw = CWMP::Raw->new(url => $t->url(0) =~ s/cwmp$/ifoff/r);
    is $raw->post($inform, headers => \@agent)->status, 200, 'no "cwmp_auth"';
    is $raw->post(inform(serial => "S$n", params => [map {
        ["Device.P$_", 'string', 'v' x 100] } 1 .. 400]), headers => \@agent)
           ->status, 413, '... and its bound';
};


subtest 'other methods, and limit_except' => sub {
    for my $path ('/cwmp', '/except', '/post') {
        my ($auth, $inform) = device();
        my $raw = $t->raw(0, url => $t->url(0, $path));
        $auth->{uri} = $path;
        my $answer = $raw->post($inform);
        is $answer->status, 401, "a POST to $path";
        is $raw->post($inform, headers => [$auth->answer($answer)])->status, 200,
            '... and who has proven it';
        is $t->raw(0)->post($inform, headers => [$auth->header(password => 'px')],
                            url => $t->url(0, $path))->status, 401, '... or has not';
        my $other = $path eq '/post' ? 403 : 405;
        for my $method (qw(GET PUT DELETE OPTIONS PATCH POSTS)) {
            my $raw = $t->raw(0);
            $raw->send_raw("$method $path HTTP/1.1\r\nHost: x\r\nContent-Length: "
                           . length($inform) . "\r\n\r\n$inform");
            is $raw->read_response({})->status, $other, "... $method";
        }
    }
    $t->expect_log(qr/access forbidden by rule/);
};


SKIP: {
    skip 'no curl', 2 unless `curl --version 2>/dev/null`;

    # each POST a curl of its own, to the nodes in turn: the status
    my ($who, $turn, $password);
    my $curl = sub {
        my ($how, $path, $text, @more) = @_;
        open my $file, '>', "$dir/body" or die $!;
        print $file $text;
        close $file;
        my $url = $t->url($nodes[$turn++ % @nodes], $path);
        return qx{curl -s -o $dir/out -D $dir/head -w '%{http_code}' $how -u '$who->{user}:$password' @more -H 'Content-Type: text/xml' --data-binary \@$dir/body $url};
    };

    for my $which ([0], [0, 1]) {
        @nodes = @$which;
        subtest 'curl, over ' . (@nodes == 1 ? 'one node' : 'two nodes') => sub {
            ($who, my $inform) = device();
            ($turn, $password) = (0, 'pw');
            my @jar = ("-b $dir/jar -c $dir/jar");
            $redis->cmd('HSET', "cwmp:user:{$who->{user}}", 'basic', $who->keyed($key));

            is $curl->('', '/cwmp', $inform, '--anyauth -u :'), 401,
                'AUTH-01 nothing that it could use';
            like slurp("$dir/head"), qr/^WWW-Authenticate: Digest .*MD5\r$/m,
                'AUTH-01 is asked for Digest';
            unlike slurp("$dir/head"), qr/Basic/i, 'AUTH-01 ... alone';

            for (['--digest', '/cwmp'], ['--anyauth', '/cwmp'], ['--digest', '/tls'],
                 ['--basic', '/basic'], ['--anyauth', '/basic'])
            {
                my ($how, $path) = @$_;
                my $name = $how =~ /basic/ || $path eq '/basic' ? 'AUTH-07' : 'AUTH-02';
                unlink "$dir/jar";
                $password = 'px';
                is $curl->($how, $path, $inform, @jar), 401,
                    "AUTH-03 $how $path, a wrong password";
                unlike slurp("$dir/head"), qr/^Set-Cookie/mi, 'AUTH-03 no session';
                $password = 'pw';
                is $curl->($how, $path, $inform, @jar), 200, "$name $how $path";
                is $curl->($how, $path, '', @jar), 204, "AUTH-14 $how, its session";
            }
            is $curl->('--digest', '/basic', $inform), 401, 'AUTH-07 --digest is no Basic';

            # what curl has sent is sent once more
            my $seen = qx{curl -sv -o $dir/out --digest -u '$who->{user}:pw' --data-binary \@$dir/body ${\ $t->url(0)} 2>&1};
            like $seen, qr/^> Content-Length: 0.*^< HTTP\S+ 401.*^< HTTP\S+ 200/ms,
                'AUTH-10 asks by an empty POST, and is answered with 401';
            my ($header) = reverse $seen =~ /^> (Authorization: .*?)\r?$/mg;
            is $curl->('', '/cwmp', $inform, "-H '$header' -u :"), 401,
                'AUTH-04 what one curl has sent, by another' for @nodes;
            like slurp("$dir/head"), qr/stale=true/, 'AUTH-04 stale';

            # an agent that keeps a nonce, which curl does not: its headers by curl
            my $with = sub {
                my ($text, %opt) = @_;
                my $uri = $opt{uri} // '/cwmp';
                my $header = join ': ', @{ $who->header(%opt) };
                return $curl->('', $uri, $text, "-H '$header' -u :", @jar);
            };
            unlink "$dir/jar";
            $who->challenge($t->raw(0)->post($inform));
            is $with->($inform), 200, 'AUTH-05 count 1';
            is $with->(''), 204, 'AUTH-05 count 2, over another connection';
            is $with->($inform, nonce => nonce($key, $REALM, time() - 70)), 401,
                'AUTH-06 an old nonce';
            like slurp("$dir/head"), qr/stale=true/, 'AUTH-06 stale';
            is $with->($inform, qop => 0), 401, 'AUTH-13 without qop';
            my $nonce = nonce($key, $REALM, time() - 3);
            is $with->($inform, qop => 0, uri => '/old', nonce => $nonce), 200,
                'AUTH-13 ... where it is allowed';
        };
    }

}

subtest 'one look at Redis for a connection' => sub {
    my ($auth, $inform, $raw) = device();
    my $looks = sub { $redis->cmd('INFO', 'commandstats')
                      =~ /cmdstat_fcall_ro:calls=(\d+)/ ? $1 : 0 };
    $auth->challenge($raw->post($inform));
    my $before = $looks->();
    $raw->post($inform, headers => [$auth->header]);
    $raw->post('', headers => [$auth->header]);
    $raw->post($inform, headers => [$auth->header]) for 1 .. 3;
    is $looks->() - $before, 1, 'for five POSTs';
};


# XXH64, in wrapping arithmetic
sub xxh64 {
    use integer;
    no warnings 'portable';
    my ($text, $seed) = @_;
    my @p = (-7046029288634856825, -4417276706812531889, 1609587929392839161,
             -8796714831421723037, 2870177450012600261);
    my $rotl = sub { ($_[0] << $_[1])
                     | (($_[0] >> (64 - $_[1])) & ((1 << $_[1]) - 1)) };
    my $round = sub { $rotl->($_[0] + $_[1] * $p[1], 31) * $p[0] };
    my @v = ($seed + $p[0] + $p[1], $seed + $p[1], $seed, $seed - $p[0]);
    my $h = $seed + $p[4];
    my $rest = $text;
    if (length $text >= 32) {
        while (length $rest >= 32) {
            my @lane = unpack 'q<4', substr $rest, 0, 32, '';
            $v[$_] = $round->($v[$_], $lane[$_]) for 0 .. 3;
        }
        $h = $rotl->($v[0], 1) + $rotl->($v[1], 7) + $rotl->($v[2], 12)
             + $rotl->($v[3], 18);
        $h = ($h ^ $round->(0, $_)) * $p[0] + $p[3] for @v;
    }
    $h += length $text;
    while (length $rest >= 8) {
        $h ^= $round->(0, unpack 'q<', substr $rest, 0, 8, '');
        $h = $rotl->($h, 27) * $p[0] + $p[3];
    }
    if (length $rest >= 4) {
        $h ^= unpack('L<', substr $rest, 0, 4, '') * $p[0];
        $h = $rotl->($h, 23) * $p[1] + $p[2];
    }
    $h = $rotl->($h ^ ($_ * $p[4]), 11) * $p[0] for unpack 'C*', $rest;
    $h = ($h ^ (($h >> 33) & 0x7fffffff)) * $p[1];
    $h = ($h ^ (($h >> 29) & 2 ** 35 - 1)) * $p[2];
    return unpack 'H*', pack 'q>', $h ^ (($h >> 32) & 0xffffffff);
}


subtest 'what Redis has of a POST\'s digest' => sub {
    my ($auth, $inform, $raw) = device();
    is xxh64('', 0), 'ef46db3751d8e999', 'as others make it';
    $raw->post($inform, headers => [$auth->answer($raw->post($inform))]);
    my %session = $redis->list('HGETALL', "cwmp:{0}:$auth->{user}:session");
    my %made = map {
        $_ => xxh64($inform, unpack 'q<', CWMP::Auth::mac($key, $_))
    } qw(seed iv seal);
    like $session{d}, qr/^$made{seed}/, 'is made with a key for that alone';
    unlike $session{d}, qr/^(?:$made{iv}|$made{seal})/, '... and no other';
};


subtest 'what the logs say' => sub {
    my ($auth, $inform, $raw) = device();
    my $last = sub { (split /\n/, slurp($t->prefix . '/logs/redis.log'))[-1] };
    $auth->challenge($raw->post($inform));
    ok wait_for(sub { $last->() eq '401 -' }), 'no time of Redis where nobody asks';
    $t->redis_sigstop;
    my ($name, $value) = @{ $auth->header(password => 'px') };
    $raw->send_raw("POST /cwmp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                   . "$name: $value\r\n\r\n");
    sleep 0.3;
    $t->redis_cont;
    is $raw->read_response({})->status, 401, 'a wrong password';
    ok wait_for(sub { $last->() =~ /^401 0\.[3-9]/ }), 'the time of a look-up';

    my $now = int time();
    for my $case ([nonce($key, $REALM, $now - 86_400), qr/older than 60 sec/],
                  [nonce('x' x 32, $REALM, $now), qr/not of a node with this/])
    {
        $raw->post($inform, headers => [$auth->header(nonce => $case->[0])]);
        ok $t->wait_log(qr/\[info\].*Authorization: its nonce is $case->[1]/),
            'a nonce that is refused: why';
    }
};

subtest 'HTTP-18 Redis does not say who it is' => sub {
    my ($auth, $inform, $raw) = device();
    $auth->challenge($raw->post($inform));
    $t->redis_sigstop;
    my $r = $raw->post($inform, headers => [$auth->header]);
    $t->redis_cont;
    is $r->status, 503, 'it is not let in';
    is $r->header('Retry-After'), 30, 'HTTP-18 with Retry-After';
    ok $t->wait_log(qr/the CPE cannot be authenticated: .*no answer within/),
        'the log says why';
    ok wait_for(sub { $raw->post($inform, headers => [$auth->header])->status == 200 }),
        'it is over by itself';
};

$t->expect_log(qr/the user name or the password is wrong/);
done_testing;
