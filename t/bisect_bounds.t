#!/usr/bin/perl

# Reads and sets of models with limits that the table of quirks tells, and
# those of CPEs that mean harm: whatever they answer, a read ends, after a
# bounded number of RPCs, and its result says what was not read.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Model;
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new(server => <<'CONF');
    location /all { cwmp_acs; cwmp_max_rpcs 10000; }
CONF
my $redis = $t->redis;
my $serial = 0;


# A device of a class of its own, with these quirks.
sub cpe {
    my ($quirks, %opt) = @_;
    my $class = 'Q' . ++$serial;
    $redis->cmd('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:quirks', "*/$class/*", $quirks)
        if $quirks;
    return $t->cpe(serial => "Q$serial", class => $class,
                   urls => [$t->url(0, '/all')], %opt);
}


sub task { my ($cpe, $id, %task) = @_;
           $redis->push_task($cpe->id, { id => $id, %task });
           return $cpe->run_session('2 PERIODIC') }
sub read_of { my ($cpe, $id, @names) = @_;
              return task($cpe, $id, method => 'GetParameterValues',
                          ParameterNames => \@names) }
sub set_of { my ($cpe, $id, %list) = @_;
             return task($cpe, $id, method => 'SetParameterValues',
                         ParameterList => \%list) }
sub result { my ($cpe, $id) = @_; return $redis->result($cpe->id, $id) // {} }
sub values_of { my ($cpe, $id) = @_;
    return [sort map { $_->{Name} }
            @{ result($cpe, $id)->{response}{ParameterList} || [] }] }
sub asked { return map { $_->{text} } map { $_->kids } $_[0]->kids('ParameterNames') }
sub rpcs { return scalar(() = $_[0]->done) }
sub reads { return grep { $_->{method} eq 'GetParameterValues' } $_[0]->done }


# --- models with limits ----------------------------------------------------

subtest 'TOL-48 answers that hold so many values, and no word of others' => sub {
    my $short = { GetParameterValues => sub {
        my ($cpe, $node) = @_;
        my %seen;
        my @paths = grep { !$seen{$_}++ } map { $cpe->model->below($_) } asked($node);
        splice(@paths, 16) if @paths > 16;
        return parameter_list(map { $cpe->model->shown($_) } @paths);
    } };

    my $plain = cpe('', on_rpc => $short);
    read_of($plain, 'r', 'Device.');
    is scalar @{ values_of($plain, 'r') }, 16, '(without the quirk: cut, and done)';

    my $cpe = cpe('{"valuesAtMost":16}', on_rpc => $short);
    read_of($cpe, 'r', 'Device.');
    is result($cpe, 'r')->{status}, 'done', 'TOL-48 done';
    is_deeply values_of($cpe, 'r'), [$cpe->model->paths], 'TOL-48 all, each once';
    is_deeply [sort keys %{ $redis->params($cpe->id) }], [$cpe->model->paths],
        'all are known';

    read_of($cpe, 'names', ($cpe->model->paths)[0 .. 15]);
    is scalar @{ values_of($cpe, 'names') }, 16, 'so many names are no sign of a cut';
};


subtest 'TOL-23 namesAtMost' => sub {
    my $cpe = cpe('{"namesAtMost":3}');
    my @names = ($cpe->model->paths)[0 .. 9];
    read_of($cpe, 'r', @names);
    is_deeply [map { scalar @{ $_->{args}{ParameterNames} } } reads($cpe)],
        [3, 3, 3, 1], 'three names at most';
    is_deeply values_of($cpe, 'r'), \@names, 'all were read';

    my $set = cpe('{"namesAtMost":2}');
    set_of($set, 's', map { ("Device.Time.$_" => 'x') } qw(NTPServer1 NTPServer2
                                                         LocalTimeZone));
    is_deeply [map { scalar @{ $_->{args}{ParameterNames} } } reads($set)], [2, 1],
        'of types, too';
    is result($set, 's')->{status}, 'done', 'done';

    my $add = cpe('{"namesAtMost":2}');
    task($add, 'a', method => 'AddObject', ObjectName => 'Device.NAT.PortMapping.',
         values => { ExternalPort => 80, InternalPort => 81, Protocol => 'UDP' });
    is_deeply [map { scalar @{ $_->{args}{ParameterNames} } } reads($add)], [2, 1],
        'of those of a new object, too';
    is_deeply result($add, 'a')->{response}, { InstanceNumber => 2, Status => 0 },
        '... which is done';
};


subtest 'TOL-23 partialPaths false: by level at once' => sub {
    my $cpe = cpe('{"partialPaths":false}', on_rpc => { GetParameterValues => sub {
        CWMP::Model::throw(9005) if grep { /(?:^|\.)$/ } asked($_[1]);
        return undef;
    } });
    read_of($cpe, 'r', 'Device.');
    is result($cpe, 'r')->{status}, 'done', 'TOL-23 done';
    is_deeply values_of($cpe, 'r'), [$cpe->model->paths], 'all of it was read';
    is scalar(grep { $_->{fault} } $cpe->done), 0, 'no path was asked for';
};


subtest 'TOL-48 Status 0 without effect' => sub {
    my $deaf = { SetParameterValues => sub {
        my ($cpe, $node) = @_;
        my @kept = grep { $_->value('Name') =~ /NTP/ } $node->child('ParameterList')->kids;
        $cpe->model->put($_->value('Name'), $_->value('Value')) for @kept;
        return '<Status>' . ($cpe->{set_status} // 0) . '</Status>';
    } };
    my @two = ('Device.Time.NTPServer1' => 'n', 'Device.Time.LocalTimeZone' => 'z');

    my $plain = cpe('', on_rpc => $deaf);
    set_of($plain, 's', @two);
    is result($plain, 's')->{status}, 'done', '(without the quirk it is believed)';

    my $cpe = cpe('{"confirmSet":true}', on_rpc => $deaf);
    set_of($cpe, 's', @two);
    is result($cpe, 's')->{status}, 'fault', 'TOL-48 fault';
    is result($cpe, 's')->{fault}{field}, 'ParameterList', 'of the list';
    is result($cpe, 's')->{fault}{reason}, 'is set, the device says; read back, '
        . 'other values are in: Device.Time.LocalTimeZone', 'TOL-48 it names them';
    set_of($cpe, 'ok', @two[0, 1]);
    is_deeply [result($cpe, 'ok')->{status}, result($cpe, 'ok')->{response}],
        ['done', { Status => 0 }], 'TOL-48 what had an effect is done';
    is( ($cpe->done)[-1]{method}, 'GetParameterValues', '... and was read back');

    $cpe->{set_status} = 1;
    set_of($cpe, 'later', @two);
    is_deeply result($cpe, 'later')->{response}, { Status => 1 },
        'Status 1 promises nothing yet: not read back';

    my $add = cpe('{"confirmSet":true}', on_rpc => { SetParameterValues => sub {
        return '<Status>0</Status>' } });
    task($add, 'a', method => 'AddObject', ObjectName => 'Device.NAT.PortMapping.',
         values => { ExternalPort => 80 });
    is result($add, 'a')->{status}, 'fault', 'a new object without its values: fault';
    like result($add, 'a')->{fault}{reason}, qr/in: Device\.NAT\.PortMapping\.2\.E/,
        '... the names';
    is_deeply result($add, 'a')->{response}, { InstanceNumber => 2 }, '... the object';
    delete $add->{on_rpc}{SetParameterValues};
    task($add, 'b', method => 'AddObject', ObjectName => 'Device.NAT.PortMapping.',
         values => { ExternalPort => 81 });
    is_deeply result($add, 'b')->{response}, { InstanceNumber => 3, Status => 0 },
        'one with its values: done';
};


subtest 'TOL-48 the session is lost while it is read back' => sub {
    my $cpe = cpe('{"confirmSet":true}');
    my $n = 0;
    $cpe->{before_post} = sub {
        return $_[1]{what} =~ /^GetParameterValues/ && ++$n == 2 ? 'drop' : '';
    };
    set_of($cpe, 's', 'Device.Time.NTPServer1' => 'n');
    is result($cpe, 's')->{status}, undef, '(lost)';
    $cpe->run_session('1 BOOT');
    is_deeply result($cpe, 's')->{response}, { Status => 0 }, 'it is read again';
    is $cpe->count('SetParameterValues'), 1, '... and not set again';
};


# --- CPEs that mean harm ---------------------------------------------------

my @MANY = map { "Device.X.P$_" } 1 .. 3000;

for my $code (9002, 9003, 9004, 9005) {
    subtest "RPC-07 a CPE that answers $code to all" => sub {
        my $cpe = cpe('', faults => { GetParameterValues => $code });
        ok read_of($cpe, 'r', @MANY)->{ok}, 'the session ends';
        cmp_ok rpcs($cpe), '<=', 230, 'after ' . rpcs($cpe) . ' RPCs';
        my $fault = result($cpe, 'r')->{fault};
        is $fault->{FaultCode}, $code, 'the fault';
        cmp_ok scalar @{ $fault->{ParameterNames} }, '<=', 60, 'bounded names';
        cmp_ok $fault->{unread}, '>', 2000, 'and how many were not read';
        is_deeply [map { $redis->cmd('EXISTS', $redis->device_key($cpe->id, $_)) }
                   qw(tasks queue live running waiting)], [0, 0, 0, 0, 0],
            'nothing is left';
    };
}


# What a GetParameterNames of this path is answered with.
sub lister {
    my ($list, %opt) = @_;
    return cpe($opt{quirks} // '', on_rpc => {
        GetParameterNames => sub {
            my @names = $list->($_[1]->value('ParameterPath'));
            return qq(<ParameterList soap-enc:arrayType="cwmp:ParameterInfoStruct[)
                . @names . ']">' . join('', map { "<ParameterInfoStruct><Name>$_</Name>"
                . '<Writable>0</Writable></ParameterInfoStruct>' } @names)
                . '</ParameterList>';
        },
        GetParameterValues => sub {
            my @names = asked($_[1]);
            CWMP::Model::throw(9004) if grep { /\.$/ } @names;
            return parameter_list(map { [$_, 'string', 'v'] } @names);
        } });
}


for my $quirks ('', '{"partialPaths":false}') {
    subtest "RPC-07 a tree without an end $quirks" => sub {
        my $cpe = lister(sub { map { "$_[0]N$_." } 1 .. 40 }, quirks => $quirks);
        ok read_of($cpe, 'r', 'Device.')->{ok}, 'the session ends';
        cmp_ok rpcs($cpe), '<=', 2010, 'after ' . rpcs($cpe) . ' RPCs';
        is result($cpe, 'r')->{status}, 'fault', 'fault';
        cmp_ok result($cpe, 'r')->{fault}{unread}, '>', 0, '... it says what is not read';

        $cpe = lister(sub { "$_[0]" . 'x' x 20 . '.' }, quirks => $quirks);
        ok read_of($cpe, 'r', 'Device.')->{ok}, 'a path without an end';
        cmp_ok rpcs($cpe), '<', 40, 'ends after ' . rpcs($cpe) . ' RPCs';
        like result($cpe, 'r')->{fault}{ParameterNames}[0]{reason}
             // result($cpe, 'r')->{fault}{reason}, qr/256 characters/, '... and why';
    };
}


for my $case (['itself', sub { $_[0] }, 'done', undef],
              ['nothing', sub { () }, 'done', undef],
              ['what is elsewhere', sub { 'Device.A', 'Other.' }, 'fault',
               qr/not below it/],
              ['five thousand children', sub { map { "$_[0]Child$_" } 1 .. 5000 },
               'fault', qr/more below it than is taken/],
              ['the whole tree', sub { "$_[0]A", "$_[0]B.", "$_[0]A", "$_[0]A.B.C" },
               'fault', undef])
{
    my ($name, $list, $status, $reason) = @$case;
    subtest "RPC-07 a level is answered with $name" => sub {
        my $cpe = lister($list);
        ok read_of($cpe, 'r', 'Device.T.')->{ok}, 'the session ends';
        is result($cpe, 'r')->{status}, $status, $status;
        cmp_ok rpcs($cpe), '<', 240, 'after ' . rpcs($cpe) . ' RPCs';
        like result($cpe, 'r')->{fault}{ParameterNames}[0]{reason}, $reason, 'why'
            if $reason;
    };
}


subtest 'RPC-07 a level is answered with another response' => sub {
    my $d = CWMP::Script->new($t, 'other', class => 'Other');
    $d->give({ method => 'GetParameterValues', id => 'r',
               ParameterNames => ['Device.T.'] });
    my $r = $d->refuse($d->begin, 9004);
    is $r->method, 'GetParameterNames', '(the level is asked for)';
    is $r->node->value('NextLevel'), 1, '... the next one only';
    is $d->post(gpv_response($r->id))->status, 204, 'the session ends';
    is $d->status('r'), 'lost', 'lost';
    like $d->reason('r'), qr/GetParameterValuesResponse to GetParameterNames/, 'why';
};


# --- what is known of a model ----------------------------------------------

subtest 'RULE-4 what a model is said to be unable to do is bounded' => sub {
    my $key = 'cwmp:{0}:model:00D09E-Q' . ($serial + 1);
    my $cpe = lister(sub { map { "$_[0]N$_." } 1 .. 40 });
    read_of($cpe, "r$_", "Device.$_.") for 1 .. 3;
    my $n = $redis->cmd('HLEN', $key);
    cmp_ok $n, '>', 0, "$n things are known";
    cmp_ok $n, '<=', 200, '... not more than 200';

    my $few = $t->cpe(serial => 'few', class => 'Few',
        faults => { GetParameterValues => 9004 }, urls => [$t->url(0, '/all')]);
    read_of($few, 'r', @MANY[0 .. 40]);
    my $known = sub { $redis->hash('HGETALL', 'cwmp:{0}:model:00D09E-Few') };
    is_deeply $known->(), { "names\t4.0.2" => '- 10 00D09E-Few-few' },
        'RULE-4 one device says nothing of its model';
    my $other = $t->cpe(serial => 'other', class => 'Few',
        faults => { GetParameterValues => 9004 }, urls => [$t->url(0, '/all')]);
    read_of($other, 'r', @MANY[0 .. 20]);
    is_deeply $known->(), { "names\t4.0.2" => 10 },
        'RULE-4 two cannot make single names of all reads of their model';

    # one that makes up findings leaves room for those of others
    my $key2 = 'cwmp:{0}:model:00D09E-Made';
    my @make = map { $t->cpe(serial => "made$_", class => 'Made', urls =>
        [$t->url(0, '/all')], on_rpc => $cpe->{on_rpc}) } 1 .. 2;
    $redis->cmd('HSET', $key2, map { ("level\t4.0.2\tX.$_." => '- 1 liar') }
                               1 .. 200);
    read_of($_, 'r', 'Device.Q.') for @make;
    my $left = $redis->hash('HGETALL', $key2);
    cmp_ok scalar(keys %$left), '<=', 200, 'RULE-4 not more than 200';
    like $left->{"level\t4.0.2\tDevice.Q."}, qr/^\d+$/,
        'RULE-4 what two have found has room all the same';

    delete $few->{faults};
    read_of($few, 's', 'Device.Time.NTPServer1', 'Device.Time.NTPServer2');
    is result($few, 's')->{status}, 'done', 'the model is read all the same';
};


subtest 'another type of key in its place' => sub {
    my $cpe = cpe('');
    my $key = 'cwmp:{0}:model:00D09E-Q' . $serial;
    $redis->cmd('SET', $key, 'x');
    $cpe->{on_rpc}{GetParameterValues} = sub {
        CWMP::Model::throw(9004) if grep { $_ eq 'Device.' } asked($_[1]);
        return undef;
    };
    ok read_of($cpe, 'r', 'Device.')->{ok}, 'the device is served';
    is result($cpe, 'r')->{status}, 'done', '... its tree is read';
    ok $t->wait_log(qr/\Q$key\E is not a hash: delete it/, 2), 'the log says so';
};

done_testing;
