#!/usr/bin/perl

# cwmp-user: what an admin gives it, what Redis has then, and whom nginx lets
# in with it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(time);

use CWMP::Clock;
use CWMP::Auth qw(key_file);
use CWMP::Daemon qw(patience project_root slurp);
use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::Test;

my $TOOL = $ENV{TEST_USER_TOOL} || project_root() . '/build/cwmp-user';
my $REALM = 'acs.example';
my $dir = tempdir(CLEANUP => 1);
my $key = key_file("$dir/key");
my $t = CWMP::Test->new(nodes => 2, http => "cwmp_secret_key $dir/key;",
    server => qq{cwmp_auth digest $REALM;
        location = /basic { cwmp_auth basic $REALM behind_tls; cwmp_acs; }
        location = /own {
            auth_basic ACS;
            auth_basic_user_file $dir/own;
            cwmp_acs;
            cwmp_auth off;
            cwmp_identity \$remote_user;
        }});
my $redis = $t->redis;
my $socket = $t->redis_server->socket;
my $n = 0;


sub put {
    my ($name, $text) = @_;
    open my $file, '>', "$dir/$name" or die $!;
    print $file $text;
    close $file;
    return "$dir/$name";
}


# what it says on standard output and error, and its exit code
sub tool {
    my ($lines, $args) = @_;
    my $users = put('users', $lines);
    my $out = `'$TOOL' $args < $users 2> $dir/said`;
    return ($out, slurp("$dir/said"), $? >> 8);
}


# ... and into Redis: how many errors it had, and answers
sub stored {
    my ($lines, $args) = @_;
    my ($out, $said, $code) = tool($lines, $args // "-r $REALM");
    my $commands = put('commands', $out);
    my $sum = `redis-cli -s $socket --pipe < $commands 2>&1`;
    return ($sum =~ /errors: (\d+), replies: (\d+)/ ? "$1/$2" : $sum, $said,
            $code);
}


sub record { return { @{ $redis->cmd('HGETALL', "cwmp:user:{$_[0]}") } } }

sub name { return '00D09E-Box-C' . ++$n }


# an Inform of this serial number, by curl: the code it gets
sub curl {
    my ($how, $user, $password, $serial, $node, $path) = @_;
    $path //= $how eq '--basic' ? 'basic' : 'cwmp';
    my $url = ($node // 0) =~ /^http/ ? $node : $t->url($node) =~ s/cwmp$/$path/r;
    my $inform = put('inform', inform(serial => $serial));
    my $conf = put('curl', qq{user = "$user:$password"\n});
    return qx{curl -s -o /dev/null -w '%{http_code}' $how -K $conf -H 'Content-Type: text/xml' --data-binary \@$inform $url};
}


subtest 'one user' => sub {
    my $name = name();
    my ($sum, $said) = stored("$name pw\n");
    is "$sum $said", '0/1 ', 'is one command';
    is_deeply [sort keys %{ record($name) }], ['md5', 'sha256'],
        'without the key file there is what digest needs';
    is curl('--digest', $name, 'pw', "C$n", $_), 200, "node $_ lets it in"
        for 0, 1;
    is curl('--digest', $name, 'px', "C$n"), 401, 'a wrong password';
    is curl('--basic', $name, 'pw', "C$n"), 401, 'Basic needs the key file';

    stored("$name new\n");
    is curl('--digest', $name, 'pw', "C$n"), 401, 'a new password: the old one';
    is curl('--digest', $name, 'new', "C$n"), 200, '... and the new one';

    ($sum) = stored("$name\n", '-d');
    is $sum, '0/1', '-d';
    is_deeply record($name), {}, 'takes it away';
    is curl('--digest', $name, 'new', "C$n"), 401, 'and it is not let in';
};


subtest 'a user whose credentials a device was given' => sub {
    for (['task', 'were'], ['next', 'are being']) {
        my ($field, $when) = @$_;
        my $name = name();
        stored("$name pw\n");
        $redis->cmd('HSET', "cwmp:user:{$name}", $field, 'x', next_md5 => 'y');
        my $before = record($name);
        my $sum = `redis-cli -s $socket --pipe < @{[put('commands', (tool("$name new\n", "-r $REALM"))[0])]} 2>&1`;
        like $sum, qr/ERR cwmp:user:\{$name\} is left as it is: .*cwmp-user -f/,
            "which $when changed: it is said";
        is_deeply record($name), $before, '... and nothing is done';
        my ($done) = stored("$name new\n", "-r $REALM -f");
        is $done, '0/1', '-f replaces it';
        is_deeply [sort keys %{ record($name) }], ['md5', 'sha256'], '... whole';
        is curl('--digest', $name, 'new', "C$n"), 200, '... and it is good';
    }
};


subtest 'a user of first contact' => sub {
    my $name = 'factory' . ++$n;
    my $line = "$name pw 00D09E-Box-*\n";
    my ($sum, $said, $code) = stored($line, "-r $REALM -1");
    is "$sum $said$code", '0/1 0', '-1';
    is record($name)->{first}, 1, 'is for first contact';
    is record($name)->{device}, '00D09E-Box-*', '... of these';
    ($sum, $said) = stored($line);
    is $sum, '1/1', 'is left as it is without -1';
    like $said, qr/line 1: is taken, and may come as each of these devices/,
        '... which is warned of';
    is record($name)->{first}, 1, '... nothing is lost';
    is +(stored($line, "-r $REALM -1"))[0], '0/1', '-1 again';
    is +(stored($line, "-r $REALM -f"))[0], '0/1', '-f';
    is record($name)->{first}, undef, 'makes it one of many devices';
};


subtest 'digest, Basic, and both' => sub {
    my $name = name();
    stored("$name pw\n", "-r $REALM -k $dir/key");
    is_deeply [sort keys %{ record($name) }], ['basic', 'md5', 'sha256'],
        '-k: both';
    is curl($_, $name, 'pw', "C$n", 1), 200, $_ for '--digest', '--basic';
    is curl('--basic', $name, 'px', "C$n"), 401, 'a wrong password';

    stored("$name pw\n", "-r $REALM -b --key $dir/key");
    is_deeply [sort keys %{ record($name) }], ['basic'],
        '-b: Basic, and what was there is gone';
    is curl('--basic', $name, 'pw', "C$n"), 200, '--basic';
    is curl('--digest', $name, 'pw', "C$n"), 401, '--digest';
    unlike join(' ', %{ record($name) }), qr/\bpw\b/, 'no password in there';
};


subtest 'a password that is kept' => sub {
    my $name = name();
    stored("$name secretly\n", "-r $REALM -s -k $dir/key");
    my $kept = record($name)->{password};
    like $kept, qr/^s1\.[0-9a-f]{8}\.[0-9a-f]+$/, '-s: sealed';
    unlike $kept, qr/secretly/, 'and not in clear';
    stored("$name secretly\n", "-r $REALM -s -k $dir/key");
    isnt record($name)->{password}, $kept, 'another time otherwise';
    is curl('--digest', $name, 'secretly', "C$n"), 200, 'and it is let in';
};


subtest 'whose device it is' => sub {
    stored("shop-floor pw 00d09e-Box-*\nme\@home pw 00D09E-B%2d1-Home\n");
    is curl('--digest', 'shop-floor', 'pw', 'Any', 1), 200, 'many devices';
    is curl('--digest', 'shop-floor', 'pw', 'B'), 200, '... another one';
    is curl('--digest', 'me@home', 'pw', 'Home'), 403, 'one device: no other';

    my $name = '00D09E-Box-A%20B%2FC';
    my ($sum, $said) = stored("$name pw\n");
    is "$sum $said", '0/1 ', 'a NAME that is percent-encoded';
    is curl('--digest', $name, 'pw', 'A B/C'), 200, '... is the device\'s';
    is curl('--digest', $name, 'pw', 'A B'), 403, '... and no other';
};


subtest 'blanks' => sub {
    my ($sum, $said) = stored("my user\tmy pass word\t00D09E-Box-Tab\n"
                              . "00D09E-Box-Two  two \n");
    is "$sum $said", '0/2 ', 'TABs, or blanks';
    is curl('--digest', 'my user', 'my pass word', 'Tab'), 200,
        'names and passwords with blanks';
    is curl('--digest', '00D09E-Box-Two', 'two', 'Two'), 200, 'and without';
};


subtest 'passwords that are made up' => sub {
    my $name = name();
    my ($sum, $said, $code) = stored("$name -\n", "-r $REALM -m $dir/made");
    is "$sum $said $code", '0/1  0', 'nothing is said of them';
    like slurp("$dir/made"), qr/^\Q$name\E\t[a-z2-9]{20}\n$/, 'but in a file';
    is sprintf('%o', (stat "$dir/made")[2] & 07777), '600', '... of its own';
    my ($password) = slurp("$dir/made") =~ /\t(\w+)/;
    is curl('--digest', $name, $password, "C$n"), 200, 'which is good';

    (my $out, $said, $code) = tool("$name -\n", "-r $REALM -m $dir/made");
    like $said, qr/^\S+made: File exists$/, 'the file is not overwritten';
    is "$out$code", 1, '... and nothing is written';
    my ($again) = stored(slurp("$dir/made"));
    is $again, '0/1', 'it can be read once more';
};


# what a line has, and what is said; "good" ones stand around it
my @HOSTILE = (
    [two => "NAME"], qr/has no PASSWORD/,
    [four => '00D09E-Box-1 pw 00D09E-Box-1 Secret'],
        qr/has more than NAME PASSWORD DEVICE/,
    ['a long line' => 'Secret' x 500], qr/is longer than 1023 bytes/,
    ['a line without end' => "00D09E-Box-1 Secret" . ' ' x 3_000_000],
        qr/is longer than 1023 bytes/,
    ['a long name' => 'x' x 257 . ' Secret'], qr/a word is longer than 256/,
    ['a long password' => '00D09E-Box-1 ' . 'Secret' x 43],
        qr/a word is longer than 256/,
    ['a long device' => 'me Secret 00D09E-' . 'x' x 250],
        qr/a word is longer than 256/,
    ['a byte order mark' => "\xef\xbb\xbf00D09E-Box-1 Secret 00D09E-Box-1"],
        qr/begins with a byte order mark/,
    ['a NUL' => "00D09E-Box-1 Sec\0ret"], qr/has a control character/,
    ['an escape' => "00D09E-Box-1\e[2J Secret"], qr/has a control character/,
    ['a CR' => "00D09E-Box-1 Secret\r00D09E-Box-2 Secret"],
        qr/has a control character/,
    ['a colon' => 'a:b Secret 00D09E-Box-1'], qr/NAME has a ":"/,
    ['a brace' => 'a}b Secret 00D09E-Box-1'], qr/NAME has a "}"/,
    ['blanks and a TAB' => "me \tSecret\t00D09E-Box-1"], qr/use TABs alone/,
    ['a NAME of nobody' => 'me Secret'], qr/NAME is no device's ID .*: add DEVICE/,
    ['a NAME of many' => '00D09E-Box-* Secret'], qr/NAME is no device's ID/,
    ['a DEVICE with a point' => 'me Secret 00D09E-Box-1.2'], qr/DEVICE is neither/,
    ['a DEVICE that is all' => 'me Secret *'], qr/DEVICE is neither/,
    ['a DEVICE of no OUI' => 'me Secret 00D09E*'], qr/DEVICE is neither/,
    ['a password to make up' => '00D09E-Box-1 -'], qr/with -m FILE/,
);

subtest 'lines that are wrong' => sub {
    while (my ($case, $why) = splice @HOSTILE, 0, 2) {
        my ($name, $line) = @$case;
        my ($one, $two) = (name(), name());
        my ($sum, $said, $code) = stored("$one pw\n$line\n# \n\n$two pw");
        is "$sum $code", '0/2 1', "$name: the others are stored";
        like $said, qr/\Acwmp-user: line 2: [^\n]*$why[^\n]*\n\z/,
            '... and it is told which line, and why';
        unlike $said, qr/Secret|[^ -~\n]/, '... without its words';
    }
    is_deeply $redis->cmd('KEYS', 'cwmp:user:{00D09E-Box-1*'), [],
        'nothing of them is there';
};


subtest 'any bytes' => sub {
    srand 7;
    my $bytes = join '', map { chr int rand 256 } 1 .. 200_000;
    my ($sum, $said, $code) = stored($bytes);
    is $code, 1, 'are no users';
    like $sum, qr{^0/}, 'and what is written is commands';
    unlike $said, qr/[^ -~\n]/, 'no byte of them is in a message';
};


subtest 'files from elsewhere' => sub {
    my ($one, $two) = (name(), name());
    my ($sum, $said) = stored("$one pw\r\n$two pw");
    is "$sum $said", '0/2 ', 'CR LF, and no newline at the end';
    is curl('--digest', $_, 'pw', /-(C\d+)$/), 200, $_ for $one, $two;
};


subtest 'nginx\'s own auth_basic, and cwmp_identity $remote_user' => sub {
    put('own', "00D09E-Box-Own:{PLAIN}pw\n");
    chmod 0644, "$dir/own";
    my @own = ('--basic', '00D09E-Box-Own');
    is curl(@own, 'pw', 'Own', 0, 'own'), 200, 'its device';
    is curl(@own, 'pw', 'Other', 1, 'own'), 403, 'another one';
    is curl(@own, 'px', 'Own', 1, 'own'), 401, 'a wrong password';
    $t->expect_log(qr/"cwmp_identity" is "00D09E-Box-Own": it informs as/, 1);
};


subtest 'the command line' => sub {
    put('short', "abc\n");
    my %wrong = (
        '00D09E-Box-1 Secret' => qr/from standard input, so that no password/,
        '-b' => qr/-b and -s need the key file: -k FILE/,
        "-k $dir/none" => qr/none: No such file/,
        "-k $dir/short" => qr/short, line 1: is no key of 64 hex digits/,
        '-k /dev/zero' => qr/is no key file/,
        '-r \'a"b\'' => qr/the realm is not printable ASCII/,
        "-r ''" => qr/the realm is not 1 to 255 bytes/,
        '-p a:b' => qr/the prefix is not/,
        '-x' => qr/^usage: /m,
    );
    for my $args (sort keys %wrong) {
        my ($out, $said, $code) = tool("00D09E-Box-1 Secret\n", $args);
        like $said, $wrong{$args}, $args;
        is "$out$code", 1, '... and nothing is written';
        unlike $said, qr/Secret/, '... no password';
    }
    is((tool('', "-p acs -d"))[0], '', 'nobody');
    like +(tool("me\n", "-p acs -d"))[0], qr/\r\nacs:user:\{me\}\r\n/, '-p';
    my $users = put('users', "00D09E-Box-1 Secret\n" x 100);
    like `'$TOOL' < $users 2>&1 > /dev/full`, qr/cannot write: not all/,
        'a disk that is full';
};


subtest 'what nginx -t says' => sub {
    my $c = CWMP::Test->new(start => 0, redis => 0, cwmp_redis => '127.0.0.1:1');
    my $with = "cwmp_secret_key $dir/key;";
    my $five = put('five', join '', map { sprintf "%064x\n", $_ } 1 .. 5);
    put('empty', "# none\n");
    put('twice', slurp("$dir/key") x 2);
    my @said = (
        ['', 'cwmp_auth on;'] => qr/use off, basic or digest/,
        ['', 'cwmp_auth digest;'] => qr/openssl rand -hex 32 > FILE.*say cwmp_secret_key FILE; in http/,
        [$with, 'cwmp_auth digest acs x;'] => qr/"x" in "cwmp_auth digest": use \[REALM\] \[behind_tls\] \[without_qop\]/,
        [$with, 'cwmp_auth basic acs without_qop;'] => qr/invalid parameter "without_qop" in "cwmp_auth basic": use \[REALM\] \[behind_tls\]/,
        (map { ([$with, "cwmp_auth digest $_;"] => qr/invalid parameter "\Q$_\E" in "cwmp_auth digest": use \[REALM\]/) }
            'realm=acs.example', 'behind-tls', 'Behind_TLS', 'without-qop', 'without', '$host'),
        [$with, q{cwmp_auth digest '';}] => qr/invalid realm "" in "cwmp_auth": use 1 to 255 bytes/,
        [$with, 'cwmp_auth off behind_tls;'] => qr/invalid parameter "behind_tls" in "cwmp_auth off": use \[REALM\]/,
        [$with, 'cwmp_auth digest behind_tls behind_tls;'] => qr/duplicate parameter "behind_tls" in "cwmp_auth"/,
        [$with, q{cwmp_auth digest 'a"b';}] => qr/printable ASCII/,
        [$with, "cwmp_auth digest '';"] => qr/invalid realm "".*1 to 255 bytes/,
        [$with, 'cwmp_auth digest ' . 'r' x 256 . ';'] => qr/use 1 to 255 bytes/,
        [$with, 'cwmp_auth digest; satisfy any;'] => qr/"satisfy any" would let in .*use "satisfy all" with "cwmp_auth digest", or "cwmp_auth off"/,
        [$with, 'cwmp_auth basic;'] => qr/in clear through "listen \S+" in \S+:\d+: use "ssl"/,
        [$with, 'cwmp_auth digest; cwmp_auth off;'] => qr/is duplicate/,
        ["$with $with", ''] => qr/is duplicate/,
        ["cwmp_secret_key $dir/none;", ''] => qr/none" cannot be read: make it with/,
        ["cwmp_secret_key $dir/short;", ''] => qr/short", line 1: is no key of 64 hex/,
        ["cwmp_secret_key $dir/empty;", ''] => qr/empty", line 1: has no key/,
        ["cwmp_secret_key $dir/twice;", ''] => qr/line 2: is a key that was there/,
        ["cwmp_secret_key $five;", ''] => qr/line 5: is one key more than the four/,
    );
    while (my ($words, $why) = splice @said, 0, 2) {
        @{ $c->node }{qw(http acs)} = @$words;
        my ($good, $said) = $c->check_conf;
        ok !$good, "$words->[1]$words->[0]" =~ s{\S+/}{}gr;
        like $said, $why, '... is told why';
    }
    for my $good ('cwmp_auth digest ' . 'r' x 255 . ';',
                  'cwmp_auth off; satisfy any;')
    {
        @{ $c->node }{qw(http acs)} = ($with, $good);
        ok +($c->check_conf)[0], substr $good, 0, 30;
    }
    @{ $c->node }{qw(http acs)} = ($with, 'cwmp_auth digest;');
    if (!$ENV{TEST_SANITIZED}) {            # whose runtime has to come first
        local $ENV{LD_PRELOAD} = CWMP::Clock::library() =~ s/clock/no_md5/r;
        like +($c->check_conf)[1], qr/"cwmp_auth digest" needs MD5, which OpenSSL has not here/,
            'an OpenSSL without MD5';
    }
    @{ $c->node }{qw(http acs)} = ($with, 'cwmp_auth off;');
    chmod 0644, "$dir/key";
    like +($c->check_conf)[1], qr/\[warn\].*key" is there for all users/,
        'a key for all';
    chmod 0600, "$dir/key";
    unlike +($c->check_conf)[1], qr/warn/, 'and for one';
    $c->expect_log(qr/\[emerg\]/);
    $c->finish;
};


subtest 'many' => sub {
    my $count = $ENV{TEST_SANITIZED} ? 10_000 : 100_000;
    my $users = put('users', join '', map { "00D09E-Box-M$_ password$_\n" }
                                      1 .. $count);
    my $begin = time();
    my $sum = `'$TOOL' -r $REALM -k $dir/key < $users | redis-cli -s $socket --pipe 2>&1`;
    my $took = time() - $begin;
    like $sum, qr/errors: 0, replies: $count/, "$count users";
    note sprintf '%d users in %.1f s', $count, $took;
    is curl($_->[0], "00D09E-Box-M$_->[1]", "password$_->[1]", "M$_->[1]"),
        200, "no. $_->[1] is let in by $_->[0]"
        for ['--digest', 1], ['--digest', $count], ['--basic', 5000];
    my $per = $redis->cmd('MEMORY', 'USAGE', 'cwmp:user:{00D09E-Box-M5000}');
    note "one takes $per bytes of Redis";
    cmp_ok $per, '<', 600, 'a user needs little of Redis';
};


subtest 'a Cluster' => sub {
    my $cluster = CWMP::RedisCluster->new(dir => $dir, primaries => 3)->start;
    my $port = ($cluster->servers)[0]{port};
    my ($out, $said) = tool(join('', map { "00D09E-Box-K$_ pw\n" } 1 .. 20)
        . "\"qu\\ö\" p\"w 00D09E-Box-Quoted\n", "-r $REALM -c");
    my $commands = put('commands', $out);
    my $answers = `redis-cli -c -p $port < $commands 2>&1`;
    is $said, '', 'the tool has nothing to say';
    unlike $answers, qr/ERR|MOVED|error/, 'nor has redis-cli -c';
    my $client = $cluster->client;
    my @there = grep { $client->cmd('HLEN', "cwmp:user:{$_}") >= 2 }
                ((map { "00D09E-Box-K$_" } 1 .. 20), '"qu\\ö"');
    is scalar @there, 21, 'each is where it belongs';
    is $client->cmd('HGET', 'cwmp:user:{00D09E-Box-K1}', 'md5'),
        Digest::MD5::md5_hex("00D09E-Box-K1:$REALM:pw"), 'and is right';

    my $c = CWMP::Test->new(redis => 0, http => "cwmp_secret_key $dir/key;",
        cwmp_redis => $cluster->address, acs => "cwmp_auth digest $REALM;");
    is curl('--digest', "00D09E-Box-K$_", 'pw', "K$_", $c->url), 200,
        "K$_ is let in, wherever its record and its device are" for 1 .. 8;
    is curl('--digest', '00D09E-Box-K1', 'px', 'K1', $c->url), 401, 'or is not';
    $c->finish;
    $cluster->stop;
};

$t->expect_log(qr/the user name or the password is wrong/);
$t->expect_log(qr/user "\S+" informs as another device/, 2);
done_testing;
