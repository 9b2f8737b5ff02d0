#!/usr/bin/perl

# Passwords and keys of devices: what Redis has of them, what results, events
# and logs show, with a key file (node 0 and 1) and without one (node 2).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Daemon qw(project_root slurp);
use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test;

my $ROOT = project_root();
my $SECRET = 'hunter2-clear';
my $PATH = 'Device.WiFi.AccessPoint.1.Security.KeyPassphrase';
my $SEALED = qr/^s1\.[0-9a-f]{8}\.[0-9a-f]+$/;
my $HIDDEN = '(hidden)';

my $dir = tempdir(CLEANUP => 1);
key_file("$dir/key");
key_file("$dir/other");

my $t = CWMP::Test->new(nodes => 2, level => 'info',
                        http => "cwmp_secret_key $dir/key;",
                        server => 'location = /auth { cwmp_auth digest cwmp; cwmp_acs; }');
my $bare = CWMP::Test->new(level => 'info');
my $n = 0;

sub device { my $on = shift; return CWMP::Script->new($on, 'S' . ++$n, @_) }
sub tool { my ($how, $text) = @_; return run("$ENV{CWMP_SEAL} $how", $text) }

sub run {
    my ($command, $text) = @_;
    open my $file, '>', "$dir/in" or die;
    print $file $text;
    close $file;
    return scalar `$command < $dir/in 2>&1`;
}

# All that Redis has of everything but what is in these keys.
sub everything {
    my ($on, $but) = @_;
    my %read = (hash => ['HGETALL'], list => ['LRANGE', 0, -1],
                zset => ['ZRANGE', 0, -1], stream => ['XRANGE', '-', '+'],
                string => ['GET'], set => ['SMEMBERS']);
    my $flat;
    $flat = sub { map { ref $_ ? $flat->(@$_) : $_ // '' } @_ };
    return join "\n", map {
        my ($command, @more) = @{ $read{ $on->redis->cmd('TYPE', $_) } };
        ($_, $flat->($on->redis->cmd($command, $_, @more)));
    } grep { !$but || !/$but/ } $on->redis->list('KEYS', '*');
}

sub nowhere {
    my ($on, $what, $but) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    unlike everything($on, $but), qr/\Q$SECRET\E/, "$what: not in Redis";
    unlike join('', map { $on->error_log($_) . slurp($on->prefix($_) . '/logs/access.log') }
                0 .. $on->node_count - 1),
        qr/\Q$SECRET\E/, "$what: not in a log";
}

# what a read brings: its result's Value
sub read_one {
    my ($d, @row) = @_;
    my $id = 'read' . ++$n;
    $d->give({ method => 'GetParameterValues', ParameterNames => [$row[0]],
               id => $id });
    $d->post(gpv_response($d->begin->id, \@row));
    return $d->result($id)->{response}{ParameterList}[0]{Value};
}

sub inform_with {
    my ($d, $event, @rows) = @_;
    my %told = map { $_->[0] => 1 } @rows;
    $d->post($d->inform_text(events => [$event],
             params => [(grep { !$told{$_->[0]} }
                         @{ CWMP::Envelope::default_params() }), @rows]));
    return $d->empty;
}


subtest 'a parameter that was read' => sub {
    my $d = device($t);
    my $value = read_one($d, $PATH, 'string', $SECRET);
    like $value, $SEALED, 'is sealed in the result';
    is $d->value($PATH), $value, '... and as it is kept';
    is read_one($d, $PATH, 'string', $SECRET), $value, 'once more: the same';
    is read_one($d, $PATH, 'string', ''), '', 'an empty one is as it is';
    is read_one($d, 'Device.X.SSID', 'string', 'net'), 'net', 'others, too';
    is tool("-k $dir/key -o " . $d->id, "$PATH $value\n"), "$PATH $SECRET\n",
        'an admin who has the key reads it';
    like tool("-k $dir/other -o " . $d->id, "$PATH $value\n"),
        qr/does not open/, '... with another key not';
    like tool("-k $dir/key -o 00D09E-Box-Other", "$PATH $value\n"),
        qr/does not open/, '... nor as another device\'s';
    nowhere($t, 'a password');
};

subtest 'without a key' => sub {
    my $d = device($bare);
    is read_one($d, $PATH, 'string', $SECRET), $HIDDEN, 'results hide it';
    is $d->value($PATH), $SECRET, 'what is kept is as it was';
    is read_one($d, 'Device.X.URL', 'string', "ftp://me:$SECRET\@x/"), $HIDDEN,
        'a URL with a user is one, too';
    nowhere($bare, 'a password', qr/:params$/);
};

subtest 'an Inform tells it' => sub {
    for my $on ($t, $bare) {
        my $d = device($on);
        my @names = ($PATH, 'Device.X.Key', 'Device.X.KEY_2',
                     map { "Device.LocalAgent.ControllerTrust.Challenge.$_.Value" }
                         1, '[a]');
        my @rows = ((map { [$_, 'string', $SECRET] } @names),
                    ['Device.X.SSID', 'string', 'x'], ['Device.X.Value', 'string', 'y']);
        inform_with($d, '4 VALUE CHANGE', @rows);
        my ($event) = grep { $_->{type} eq 'value change'
                             && $_->{device} eq $d->id } $on->redis->events;
        my $told = $event->{parameters};
        my $mine = $on == $t ? $SEALED : qr/^\Q$HIDDEN\E$/;
        like $told->{$_}, $mine, "the event shows $_ as a result does" for @names;
        is $told->{'Device.X.SSID'} . $told->{'Device.X.Value'}, 'xy',
            '... and others as they are';
        nowhere($on, 'an Inform', $on == $bare && qr/:params$/);

        my $before = $on->redis->cmd('HGET', $d->key, 'informed');
        my $was = $on->redis->cmd('HGETALL', $d->key('params'));
        $on->redis->cmd('CONFIG', 'RESETSTAT');
        inform_with($d, '2 PERIODIC', @rows);
        is $on->redis->cmd('HGET', $d->key, 'informed'), $before,
            'the next one is known';
        is_deeply $on->redis->cmd('HGETALL', $d->key('params')), $was,
            '... and changes nothing';
    }
};

my @SETS = (
    [{ method => 'SetParameterValues',
       ParameterList => { $PATH => { value => $SECRET, type => 'xsd:string' } } },
     qr{<Value [^>]*>\Q$SECRET\E</Value>}, 'a value'],
    [{ method => 'SetParameterValues', ParameterList => { "$PATH.PIN" =>
       { value => $SECRET, type => 'xsd:string' }, 'Device.X' =>
       { value => 'x', type => 'xsd:string' } } },
     qr{\Q$SECRET\E}, 'one of two values'],
    [{ method => 'AddObject', ObjectName => 'Device.Users.User.', values =>
       { Password => { value => $SECRET, type => 'xsd:string' } } },
     undef, 'one of a new object'],
    [{ method => 'Download', FileType => '1 Firmware Upgrade Image',
       URL => 'http://x/y', Username => 'me', Password => $SECRET },
     qr{<Username>me</Username><Password>\Q$SECRET\E</Password>}, 'an argument'],
    [{ method => 'SetParameterValues', ParameterList => { 'Device.X.URL' =>
       { value => "ftp://me:$SECRET\@x/y", type => 'xsd:string' } } },
     qr{>ftp://me:\Q$SECRET\E\@x/y</Value>}, 'a user in a URL'],
    [{ method => 'ChangeDUState', Operations => [{ Operation => 'Install',
       URL => 'http://x/y', Username => 'me', Password => $SECRET }] },
     qr{<Password>\Q$SECRET\E</Password>}, 'of an operation'],
    [{ method => 'AddObject', values =>
       { Value => { value => $SECRET, type => 'xsd:string' } },
       ObjectName => 'Device.LocalAgent.ControllerTrust.Challenge.' },
     undef, 'one that is secret by its path'],
);

subtest 'a task that was pushed in clear' => sub {
    for my $set (@SETS) {
        my ($task, $sent, $what) = @$set;
        my $d = device($t);
        $d->give({ %$task, id => 'set' }, { method => 'Reboot', id => 'late',
                   notBefore => 9e9 });
        my $r = $d->begin;
        is $r->method, $task->{method}, "$what: is sent";
        like $r->body, $sent, '... as it was meant' if $sent;
        nowhere($t, "$what, sent");
        if ($task->{values}) {
            $r = $d->respond($r);
            like $r->body, qr/\Q$SECRET\E/, '... and then its values';
            nowhere($t, "$what, half sent");
        }
        $d->refuse($r, 9003);
        is $d->status('set'), 'fault', 'refused';
        nowhere($t, "$what, ended");
    }
};

subtest 'in the queue, too' => sub {
    my $d = device($t);
    $d->session;
    $d->give(map { { %{ $SETS[$_][0] }, id => "q$_", notBefore => 9e9 } } 0 .. 6);
    $d->redis->fcall_push($d->id, { %{ $SETS[0][0] }, id => 'f', notBefore => 9e9 });
    like everything($t), qr/\Q$SECRET\E/, 'until a step takes it';
    is_deeply [$d->session], [], 'nothing is to be sent';
    nowhere($t, 'eight tasks that wait');
    is $d->redis->cmd('HEXISTS', $d->key, 'clear'), 0, 'nothing is left to do';
    $d->redis->cmd('DEL', $d->key('live'), $d->key('queue'));
};

subtest 'what cwmp-seal opens of a queue' => sub {
    my $d = device($t);
    $d->give({ %{ $SETS[3][0] }, id => 'live', notBefore => 9e9 });
    $d->session;
    my $line = $d->redis->cmd('HGET', $d->key('live'), 'live');
    like $line, qr/^\d+ \{.*"s1\./, 'is a line with a time before it';
    my $said = tool("--key $dir/key --open " . $d->id, "$line\n");
    like $said, qr/^\d+ \{.*"\Q$SECRET\E"/, '... that is opened';
    is $? >> 8, 0, '... well';
    for (["--key $dir/other --open " . $d->id, "$line\n", 'with another key'],
         ["--key $dir/key --open 00D09E-Box-X", "$line\n", 'for another device'],
         ["--key $dir/key --open " . $d->id, "x$line\n", 'in what is nothing known']) {
        $said = tool($_->[0], $_->[1]);
        is $? >> 8, 1, "not $_->[2]";
        like $said, qr/^cwmp-seal: (the task|a line): /m, '... and says so';
        unlike $said, qr/\Q$SECRET\E/, '... and is not';
    }
    $d->redis->cmd('DEL', $d->key('live'), $d->key('queue'));
};

subtest 'what cwmp-seal opens of redis-cli --json' => sub {
    my $d = device($t);
    read_one($d, $PATH, 'string', $SECRET);
    inform_with($d, '4 VALUE CHANGE', [$PATH, 'string', $SECRET]);
    $d->give({ %{ $SETS[3][0] }, id => 'live', notBefore => 9e9 });
    $d->session;
    my $cli = 'redis-cli -s ' . $t->redis_server->socket . ' --json ';
    my $open = "--key $dir/key --open " . $d->id;
    my ($live, $results) = map { "'" . $d->key($_) . "'" } qw(live results);
    for ("HGETALL $live", "XREAD STREAMS $results 0", "XREVRANGE $results + - COUNT 1",
         "FCALL_RO cwmp_params 1 '" . $d->key('params') . "' $PATH")
    {
        my $json = `$cli $_`;
        unlike $json, qr/\Q$SECRET\E/, "$_: sealed";
        my $said = tool($open, $json);
        is $? >> 8, 0, '... opens';
        like $said, qr/\Q$SECRET\E/, '... to what it was';
        unlike $said, qr/"s1\./, '... all of it';
        tool("--key $dir/other --open " . $d->id, $json);
        is $? >> 8, 1, '... not with another key';
    }
    my $event = (grep { $_->{device} eq $d->id && $_->{type} eq 'value change' }
                 $t->redis->events)[-1]{raw}{parameters};
    $event =~ s/(["\\])/\\$1/g;
    like tool($open, qq({"entry":["parameters","$event"]}\n)), qr/\Q$SECRET\E/, 'an event, too';

    my ($sealed) = $event =~ /(s1\.[0-9a-f.]+)/;
    my $deep = '[' x 20 . qq("$PATH","$sealed") . ']' x 20;
    for (qq({"method":"GetParameterValues","response":"{\\"$PATH\\":\\"$sealed\\"}"}),
         qq({"a":"x $sealed"}), $deep)
    {
        my $said = tool($open, "$_\nx\n");
        is $? >> 8, 1, 'what is not opened is told';
        like $said, qr/^cwmp-seal: a line: has something sealed where nothing is opened$/m, '... so';
        like $said, qr/\Q$sealed\E.*\nx$/, '... and stays';
    }
    $d->redis->cmd('DEL', $d->key('live'), $d->key('queue'));
};

subtest 'of a device that has proven itself' => sub {
    my $d = device($t);
    my $auth = CWMP::Auth->new(user => $d->id, password => 'pw');
    $auth->store($t->redis);
    my $post = sub { $d->post($_[0], url => $t->url(0, '/auth'),
                              headers => [$_[1] || $auth->header]) };
    $d->give({ %{ $SETS[0][0] }, id => 'p' }, { %{ $SETS[3][0] }, id => 'q' });
    $post->($d->inform_text, $auth->answer($d->post($d->inform_text,
                                                    url => $t->url(0, '/auth'))));
    my $r = $post->('');
    like $r->body, $SETS[0][1], 'what it is sent';
    nowhere($t, 'its tasks');
    like $post->(spv_response($r->id, 0))->body, $SETS[3][1], '... and then';
};

subtest 'many tasks at once' => sub {
    my $d = device($t);
    $d->give(map { { %{ $SETS[0][0] }, id => "m$_" } } 1 .. 12);
    $d->redis->cmd('CONFIG', 'RESETSTAT');
    my @sent = $d->session;
    is @sent, 12, 'are sent';
    is((grep { $_->{status} eq 'done' } $d->results), 12, '... and done');
    my ($calls) = $d->redis->cmd('INFO', 'commandstats')
                  =~ /cmdstat_fcall:calls=(\d+)/;
    cmp_ok $calls, '<', 20, "in $calls calls: sealing took one";
};

# more than the list of what is to be sealed has room for
subtest 'many tasks with long ids' => sub {
    my $d = device($t);
    $d->give(map { { %{ $SETS[0][0] }, id => 'i' x 60 . $_ } } 10 .. 40);
    my $r = $d->begin;
    for (10 .. 40) {
        if ($r->status == 204) {            # eight calls a POST, and no more
            $r = $d->begin;
        }
        unlike $d->redis->cmd('HGET', $d->key('live'),
                              $d->redis->cmd('HGET', $d->key('running'), 'id')),
            qr/\Q$SECRET\E/, "no. $_ is sealed when it is sent";
        $r = $d->respond($r);
    }
    nowhere($t, 'all of them');
};

subtest 'what a device asks for, and what it names' => sub {
    for my $on ($t, $bare) {
        my $d = device($on);
        $d->inform;
        $d->post(request('q', 'RequestDownload', '<FileType>1 Firmware</FileType>'
            . '<FileTypeArg>' . join('', map { "<ArgStruct><Name>$_</Name><Value>$SECRET</Value></ArgStruct>" }
                                     'Password', 'AuthToken') . '</FileTypeArg>'));
        like everything($on), qr/"Name":"Password","Value":"\(hidden\)"/, 'an argument of RequestDownload';
        $d->post(transfer_complete(key => "ftp://u:$SECRET\@h"));
        ok $on->wait_log(qr{for no task that waits, CommandKey "ftp://\(hidden\)\@h"}), 'a CommandKey of nobody';
        nowhere($on, 'both', ':params$');

        $d = device($on);
        $d->give({ %{ $SETS[0][0] }, id => 'named' });
        $d->refuse($d->begin, 9003, ["Device.A.Password=$SECRET", 9007, 'x']);
        my ($entry) = $d->redis->list('XRANGE', $d->key('results'), '-', '+');
        like "@{ $entry->[1] }", qr/"ParameterName":"\(hidden\)"/, 'a name that is none';
        nowhere($on, 'a fault', ':params$');
    }
};

subtest 'a task that was sealed before' => sub {
    my $d = device($t);
    my $json = CWMP::Redis::task_json({ %{ $SETS[3][0] }, id => 'dl' });
    my $sealed = tool("-k $dir/key " . $d->id, $json);
    unlike $sealed, qr/\Q$SECRET\E/, 'cwmp-seal seals';
    is_deeply CWMP::Redis::decode_field(tool("-k $dir/key -o " . $d->id, $sealed)),
        CWMP::Redis::decode_field($json), '... and opens';

    $d->give($sealed);
    my $r = $d->begin;
    like $r->body, $SETS[3][1], 'it is sent as it was meant';
    nowhere($t, 'a sealed task');
    $d->respond($r);

    my $other = device($t);
    $other->give($sealed);
    is $other->begin->status, 204, 'another device is not sent it';
    is $other->status('dl'), 'rejected', '... the task ends';
    is_deeply $other->result('dl')->{fault}, { field => 'Password', reason =>
        'was sealed for something else, or changed' }, '... and says why';

    my ($value) = $sealed =~ /"Password":"([^"]+)"/;
    $other->give({ method => 'Download', id => 'field', Username => $value,
                   FileType => '1 Firmware Upgrade Image', URL => 'http://x/' });
    $other->session;
    is $other->reason('field'), 'was sealed for something else, or changed',
        'nor has another field its value';

    my $keyless = device($bare);
    $keyless->give($sealed);
    $keyless->session;
    is $keyless->status('dl'), 'none', 'without a key it waits for a node that has one';
};

# rejected when their time comes; until then they lie in the queue
my @WRONG = (
    { method => 'SetParameterValues', ParameterList => [{ Name => $PATH, Value => $SECRET }] },
    { method => 'SetParameterValues', ParameterList => [{ name => $PATH, value => $SECRET, type => 'xsd:string' }] },
    { method => 'SetParameterValues', ParameterList => { $PATH => { Value => $SECRET } } },
    { method => 'SetParameterValues', ParameterList => { $PATH => [$SECRET] } },
    { method => 'SetParameterValues', ParameterList => { $PATH => { value => [[[{ a => $SECRET }]]] } } },
    { method => 'SetParameterValues', ParameterList => { $PATH => { value => 'x', was => $SECRET } } },
    { method => 'AddObject', ObjectName => 'Device.LocalAgent.ControllerTrust.Challenge.',
      values => [{ Name => 'Value', Value => $SECRET }] },
    { method => 'Download', FileType => '1 Firmware Upgrade Image', URL => 'http://x/y',
      Password => { text => $SECRET } },
);

subtest 'a secret in a form that no task has' => sub {
    my $d = device($t);
    for (@WRONG) {
        my $sealed = tool("-k $dir/key " . $d->id, CWMP::Redis::task_json($_));
        unlike $sealed, qr/\Q$SECRET\E/, 'cwmp-seal seals it';
        is_deeply CWMP::Redis::decode_field(tool("-k $dir/key -o " . $d->id, $sealed)),
            CWMP::Redis::decode_field(CWMP::Redis::task_json($_)), '... and opens it';
    }
    $d->give(map { { %{ $WRONG[$_] }, id => "w$_", notBefore => 9e9 } } 0 .. $#WRONG);
    $d->session;
    nowhere($t, 'what waits');
    $d->redis->cmd('DEL', map { $d->key($_) } qw(live queue clear));
    $d->give(map { { %{ $WRONG[$_] }, id => "n$_" } } 0 .. $#WRONG);
    is_deeply [$d->session, $d->session], [], 'nothing is sent';
    is_deeply [map { $_->{status} } $d->results], [('rejected') x @WRONG],
        'they are rejected';
    nowhere($t, 'what was rejected');

    $d->give(qq({"method":"SetParameterValues","id":"twice","notBefore":9e9,"ParameterList":{"$PATH":"$SECRET","$PATH":"x"}}),
             qq({"method":"SetParameterValues","id":"nul","notBefore":9e9,"ParameterList":{"$PATH":"$SECRET\\u0000"}}));
    $d->session;
    is_deeply [map { $d->status($_) } qw(twice nul)], [('rejected') x 2],
        'what no node can take apart is rejected at once';
    nowhere($t, 'what is no JSON');
    is $d->redis->cmd('EXISTS', $d->key('live'), $d->key('queue')), 0, 'nothing of it is left';
    ok $t->wait_log(qr/task $_ rejected: task: is no JSON object: .*device: \Q@{[$d->id]}\E/),
        "... which the log says of $_" for qw(twice nul);

    $d->give({ method => 'AddObject', ObjectName => "http://me:$SECRET\@x/", id => 'name',
               values => { Password => $SECRET } });
    $d->session;
    is $d->status('name'), 'rejected', 'an object whose name is sealed itself';
    nowhere($t, 'a secret name');

    my %attributes = (method => 'SetParameterAttributes', ParameterList => [{
        Name => $PATH, NotificationChange => 1, Notification => 2,
        AccessListChange => 0, AccessList => ['Subscriber'] }]);
    my $json = CWMP::Redis::task_json(\%attributes);
    is tool("-k $dir/key " . $d->id, $json), $json,
        'what is no value of a secret stays';
};

subtest 'cwmp-push --key' => sub {
    my $d = device($t);
    my $push = "$ROOT/redis/cwmp-push -s " . $t->redis_server->socket
               . " --new --key $dir/key " . $d->id . ' -';
    is run($push, CWMP::Redis::task_json({ %{ $SETS[0][0] }, id => 'p' })),
        "p\n", 'pushes';
    nowhere($t, 'what was pushed');
    my $r = $d->begin;
    like $r->body, $SETS[0][1], 'it is sent as it was meant';
    $d->respond($r);
    run($push, CWMP::Redis::task_json({ %{ $SETS[6][0] }, id => 'q' }));
    nowhere($t, 'a value that is secret by its path');
    $r = $d->begin;
    is $r->method, 'AddObject', '... whose object is added';
    like $d->respond($r)->body, qr/\Q$SECRET\E/, '... and then set';
    like run($push =~ s{/key }{/nokey }r, '{}'), qr/nokey: No such file/,
        'a key file that is not there is said';
};

subtest 'what was set is compared' => sub {
    my $d = device($t);
    $d->give({ %{ $SETS[0][0] }, id => 'c' });
    my $r = $d->begin;
    $d->{key} = 'other';                # sent, and never answered
    $r = $d->begin;
    is $r->method, 'GetParameterValues', 'after a loss it is read back';
    $d->post(gpv_response($r->id, [$PATH, 'string', $SECRET]));
    is $d->status('c'), 'done', 'what the device has is what was set';
    nowhere($t, 'what was compared');
};

subtest 'what a device says of it' => sub {
    for my $on ($t, $bare) {
        my $d = device($on);
        my @task = ({ %{ $SETS[1][0] }, id => 'f' });
        $d->give(@task);
        my $r = $d->begin;
        my $text = "bad value '$SECRET'";
        my $answer = fault($r->id, 9003, $text,
            ["$PATH.PIN", 9007, $text], ['Device.X', 9005, 'no such thing'],
            [$SECRET, $SECRET, 'x']);
        $d->post($answer);
        my $f = $d->result('f')->{fault};
        is $f->{FaultCode}, 9003, 'the fault';
        is $f->{FaultString}, $HIDDEN, '... without what it may quote';
        is_deeply [map { "$_->{FaultCode} $_->{FaultString}" }
                   @{ $f->{SetParameterValuesFault} }],
            ["9007 $HIDDEN", "9005 $HIDDEN", "$HIDDEN $HIDDEN"],
            '... of each parameter';
        nowhere($on, 'a fault', $on == $bare && qr/:params$/);

        $d = device($on);
        $d->give({ %{ $SETS[6][0] }, id => 'added' });
        $r = $d->respond($d->begin);
        $d->post(fault($r->id, 9003, $text, ['Device.LocalAgent.ControllerTrust.Challenge.1.Value', 9007, $text]));
        is $d->status('added'), 'fault', 'values of an object';
        nowhere($on, 'their fault', $on == $bare && qr/:params$/);
    }
    my $d = device($t);
    $d->give({ %{ $SETS[3][0] }, id => 'd' });
    $d->refuse($d->begin, 9003);
    is $d->result('d')->{fault}{FaultString}, 'Invalid arguments',
        'a text that all devices have stays';
};

subtest 'a task that cannot be' => sub {
    for my $on ($t, $bare) {
        my $d = device($on);
        $d->give(qq({"method":"SetParameterValues","ParameterList":{"$PATH":"$SECRET"),
                 qq({"method":"Sett","ParameterList":{"$PATH":"$SECRET"}}),
                 qq({"method":"SetParameterValues","id":"dup","ParameterList":{"$PATH":"$SECRET","$PATH":"$SECRET"}}),
                 qq({"method":"SetParameterValues","id":"bad","ParameterList":{"$PATH":{"value":"$SECRET","type":"xsd:int"}}}),
                 qq({"method":"SetParameterValues","id":"line","ParameterList":{"$PATH":"$SECRET\n"}}),
                 qq({"method":"Reboot","Pass\\u0077ord":"$SECRET","id":"esc"}),
                 "{method:SetParameterValues,ParameterList:{Device.X.PIN:$SECRET}}",
                 "{'method':'SetParameterValues','ParameterList':{'Device.X.Key':'$SECRET'}}");
        $d->session;
        is_deeply [map { $_->{status} } $d->results], [('rejected') x 8],
            'is rejected';
        nowhere($on, 'what was rejected', $on == $bare && qr/:params$/);
    }
};

sub du_complete {
    my ($key, $text) = @_;
    return request('du', 'DUStateChangeComplete', '<Results><OpResultStruct><UUID>u</UUID>'
        . '<DeploymentUnitRef>d</DeploymentUnitRef><Version>1</Version>'
        . '<CurrentState>Failed</CurrentState><Resolved>1</Resolved><ExecutionUnitRefList/>'
        . '<StartTime>0001-01-01T00:00:00Z</StartTime><CompleteTime>0001-01-01T00:00:00Z</CompleteTime>'
        . "<Fault><FaultCode>9016</FaultCode><FaultString>$text</FaultString></Fault>"
        . "</OpResultStruct></Results><CommandKey>$key</CommandKey>");
}

subtest 'an operation that fails later' => sub {
    for my $on ($t, $bare) {
        my $d = device($on);
        my $told = sub { map { $_->{raw}{request} } grep { $_->{type} eq 'dustate'
                         && $_->{device} eq $d->id } $on->redis->events };
        my %quotes = (plain => 'Internal error', quotes => "cannot log in with $SECRET");
        for my $how (sort keys %quotes) {
            $d->give({ %{ $SETS[5][0] }, id => $how, CommandKey => $how });
            $d->post(response($d->begin->id, 'ChangeDUState'));
            $d->inform('11 DU STATE CHANGE COMPLETE', ['M ChangeDUState', $how]);
            $d->post(du_complete($how, $quotes{$how})) for 1 .. 2;
            $d->empty;
            is $d->status($how), 'fault', "$how: its task ends";
        }
        is_deeply [map { /"FaultString":"([^"]*)"/ } $told->()],
            ['Internal error', $HIDDEN], 'its events are hushed as the results are';

        $d->inform('11 DU STATE CHANGE COMPLETE');
        $d->post(du_complete('nobody', "no $SECRET"));
        like +($told->())[-1], qr/"FaultString":"\(hidden\)"/,
            '... and so is one of no task';
        $d->empty;
        $d->give({ %{ $SETS[5][0] }, id => 'e', CommandKey => 'early' });
        my $r = $d->begin;
        $d->post(du_complete('early', "no $SECRET"));
        like +($told->())[-1], qr/"FaultString":"\(hidden\)"/,
            '... and what comes before the response';
        nowhere($on, 'a fault, early', $on == $bare && qr/:(?:params|live)$/);
        $d->post(response($r->id, 'ChangeDUState'));
        is $d->status('e'), 'fault', '... with which it ends';
        nowhere($on, 'what was told of operations', $on == $bare && qr/:params$/);

        $d->give({ method => 'ChangeDUState', id => 'open', CommandKey => 'open',
                   Operations => [{ Operation => 'Install', URL => 'http://x/y' }] });
        $d->post(response($d->begin->id, 'ChangeDUState'));
        $d->inform('11 DU STATE CHANGE COMPLETE', ['M ChangeDUState', 'open']);
        $d->post(du_complete('open', 'no room on flash 2'));
        like +($told->())[-1], qr/"FaultString":"no room on flash 2"/,
            'a task that has no secrets: as it was told';
        $d->empty;
    }
};

subtest 'a user in a ConnectionRequestURL' => sub {
    my $path = 'Device.ManagementServer.ConnectionRequestURL';
    my %shown = ("http://u:$SECRET\@192.0.2.1:7547/" => 'http://(hidden)@192.0.2.1:7547/',
                 "http://u:p/$SECRET\@x\@h/" => 'http://(hidden)@h/',
                 "http://u:a $SECRET\@h/" => 'http://(hidden)@h/',
                 "u:$SECRET\@http://h/" => '(hidden)@http://h/');
    for my $url (sort keys %shown) {
        my $d = device($t);
        inform_with($d, '1 BOOT', [$path, 'string', $url]);
        is $d->redis->device($d->id)->{badurl}, $shown{$url}, "as $shown{$url}";
        my $said = qr/ConnectionRequestURL "\Q$shown{$url}\E" cannot be used: .*device: \Q@{[$d->id]}\E/;
        ok $t->wait_log($said, 2), '... which the log says';
        inform_with($d, '4 VALUE CHANGE', ['Device.X.' . ++$n, 'string', 'x'],
                    [$path, 'string', $url]) for 1 .. 2;
        is scalar(() = $t->error_log =~ /$said/g), 1, '... once';
        is $d->redis->device($d->id)->{url}, undef, '... and is no url';
        unlike everything($t, qr/:params$/) . $t->error_log, qr/\Q$SECRET\E/,
            '... without the password';
    }
};

subtest 'what a device tells of transfers' => sub {
    my $d = device($bare);
    $d->inform('10 AUTONOMOUS TRANSFER COMPLETE');
    $d->post(autonomous_transfer_complete(url => "ftp://me:$SECRET\@x/y"));
    my ($event) = grep { $_->{type} eq 'autonomous transfer' } $bare->redis->events;
    ok $event, 'an event';
    unlike $event->{raw}{request}, qr/\Q$SECRET\E/, '... without the password';
};

# The library cannot know the table of the nodes: its words are a wider net.
subtest 'the words of the library' => sub {
    my $c = slurp("$ROOT/ngx_cwmp_module/core/cwmp_sensitive.c");
    my ($lua) = slurp("$ROOT/redis/lua/20_tasks.lua") =~ /SENSITIVE = \{(.*?)\}/s;
    my @words = $lua =~ /'([^']+)'/g;
    for my $list (qw(words ends wholes)) {
        my ($text) = $c =~ /cwmp_secret_$list\[\] = \{(.*?)\}/s;
        for my $name ($text =~ /"(\w+)"/g) {
            for my $before (qw(. ")) {
                my $json = $before . lc($name) =~ s/_//gr . '"';
                ok scalar(grep { index($json, $_) >= 0 } @words), "has $before$name";
            }
        }
    }
};

$bare->finish;
done_testing;
