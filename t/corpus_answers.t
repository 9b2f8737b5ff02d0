#!/usr/bin/perl

# What real devices and other simulators answered (../shared/corpus), each
# message posted as it was recorded, in a session with the task outstanding that
# it may be the answer to: what it tells, by a parser of our own
# (CWMP::Captured), is what the task's result and the parameters then say.
# Requests of devices are answered, and what they tell is in events and results.
# Messages that only an ACS sends are refused.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test qw(slurp);

my $SHARED = "$FindBin::Bin/../../shared";
plan skip_all => '../shared is absent' unless -f "$SHARED/corpus/INDEX.tsv";

# after the check: the parser is a package of its own
require CWMP::Captured;

my $JSON = JSON::PP->new->canonical->utf8->allow_nonref;

# The task that a message may answer: what it needs besides its method.
my %TASK = (
    GetParameterValues => { ParameterNames => [''] },
    GetParameterAttributes => { ParameterNames => [''] },
    SetParameterValues => { ParameterList => {
        'Device.A' => { value => 'x', type => 'string' } } },
    SetParameterAttributes => { ParameterList => [
        { Name => 'Device.A', Notification => 1 }] },
    AddObject => { ObjectName => 'Device.A.' },
    DeleteObject => { ObjectName => 'Device.A.1.' },
    CancelTransfer => { CommandKey => 'none' },
    ScheduleInform => { DelaySeconds => 60 },
    ScheduleDownload => { FileType => '1 Firmware Upgrade Image',
        URL => 'http://fs.example/a.bin', TimeWindowList => [
            { WindowStart => 1, WindowEnd => 9, WindowMode => '1 At Any Time' }]
    },
    Download => { FileType => '1 Firmware Upgrade Image',
        URL => 'http://fs.example/a.bin' },
    Upload => { FileType => '2 Vendor Log File',
        URL => 'http://fs.example/a.log' },
    SetVouchers => { VoucherList => ['AAAA'] },
    ChangeDUState => { Operations => [
        { Operation => 'Install', URL => 'http://fs.example/a.pkg' }] },
);

# Those whose response is only half of it.
my %HALF = map { ($_ => 1) } qw(Reboot FactoryReset ScheduleInform
                                ScheduleDownload ChangeDUState);

my $t = CWMP::Test->new(workers => 2);
my ($before) = join(' ', $t->workers);
my $n = 0;


sub device { return CWMP::Script->new($t, 'C' . ++$n) }


# JSON as it stands in Redis, in one order: numbers are numbers, and words not.
sub same_json {
    my ($got, $want, $name) = @_;
    my $is = eval { $JSON->encode($JSON->decode($got // 'null')) } // "$got";
    my $should = $JSON->encode($want);
    return ok 1, $name if $is eq $should;
    ok 0, $name;
    diag(' got ' . substr($is, 0, 2000));
    diag('want ' . substr($should, 0, 2000));
}


# --- responses and faults ----------------------------------------------------

sub answer_to_task {
    my ($m, $method) = @_;
    my $d = device();
    $d->give({ method => $method, id => 'x', %{ $TASK{$method} || {} } });
    is $d->begin->method, $method, $m->file . ": $method is outstanding"
        or return;
    my $r = $d->post($m->bytes);
    is $r->status, 204, $m->file . ': is taken' or diag($r->body);
    return $d;
}


# A list beyond 64 KB is kept as its beginning and its count.
sub same_response {
    my ($raw, $told, $name) = @_;
    my $got = eval { $JSON->decode($raw) };
    my $list = $got && $got->{truncated} && $told->{ParameterList};
    return same_json($raw, $told, "$name: the result is what it told")
        if !$list;

    # a secret is not shown
    for my $row (@$list) {
        $row->{Value} = '(hidden)' if length $row->{Value}
            && $row->{Name} =~ /(?:Password|PassPhrase|PreSharedKey)$/i;
    }
    my $kept = @{ $got->{ParameterList} };
    is $got->{count}, @$list, "$name: all of its rows were seen";
    cmp_ok length $raw, '>', 60_000, "$name: the result has its beginning";
    same_json($JSON->encode($got->{ParameterList}),
              [@$list[0 .. $kept - 1]], "$name: as it told it");
}


sub try_response {
    my ($m) = @_;
    my $name = $m->file;
    my ($method) = $m->message =~ /^(\w+)Response$/;
    my $d = answer_to_task($m, $method) or return;
    my $told = $m->told;

    if ($HALF{$method} || $method =~ /load$/ && $told->{Status} ne '0') {
        my $waiting = $d->redis->hash('HGETALL', $d->key('waiting'))->{x};
        ok $waiting && $JSON->decode($waiting)->{answered},
            "$name: the task waits for its event";
        return;
    }
    is $d->status('x'), 'done', "$name: the task is done" or return;
    same_response($d->result('x')->{raw}{response}, $told, $name);

    is_deeply $d->redis->params($d->id), $m->params,
        "$name: " . keys(%{ $m->params }) . ' parameters'
        if $method eq 'GetParameterValues';
}


sub try_fault {
    my ($m) = @_;
    my $d = answer_to_task($m, 'SetParameterValues') or return;
    is $d->status('x'), 'fault', $m->file . ': the task failed' or return;
    same_json($d->result('x')->{raw}{fault}, $m->told,
              $m->file . ': for the reason that it told');
}


# --- requests ----------------------------------------------------------------

# What the device's entries of this type in events say.
sub events {
    my ($d, $type) = @_;
    return map { $_->{raw} } grep { $_->{type} eq $type
                                    && $_->{device} eq $d->id }
           $d->redis->events;
}


my %EVENT = (TransferComplete => 'transfer',
             AutonomousTransferComplete => 'autonomous transfer',
             DUStateChangeComplete => 'dustate',
             AutonomousDUStateChangeComplete => 'autonomous dustate',
             RequestDownload => 'request download', Kicked => 'kicked');

# Which task such a request ends, by its CommandKey.
my %ENDS = (TransferComplete => 'Download',
            DUStateChangeComplete => 'ChangeDUState');


# A task that waits for this request, if it can.
sub waits_for {
    my ($d, $m, $key) = @_;
    my $method = $ENDS{ $m->message };
    return 0 unless $method && length($key // '') && length($key) <= 32;

    $d->give({ method => $method, id => 'x', CommandKey => $key,
               %{ $TASK{$method} } });
    $d->obey($d->begin);
    is $d->status('x'), 'none', $m->file . ': a task waits for it';
    return 1;
}


sub failed {
    my ($told) = @_;
    my @structs = $told->{Results} ? map { $_->{Fault} } @{ $told->{Results} }
                  : $told->{FaultStruct};
    return grep { $_->{FaultCode} } @structs;
}


sub try_request {
    my ($m) = @_;
    my $name = $m->file;
    my $d = device();
    my $told = $m->message eq 'GetRPCMethods' ? {} : $m->told;
    my $waits = waits_for($d, $m, $told->{CommandKey});
    $d->inform unless $waits;

    my $r = $d->post($m->bytes);
    is $r->method, $m->message . 'Response', "$name: is answered";
    is $r->id // '', $m->id // '', "$name: with its ID";
    my $type = $EVENT{ $m->message } or return;

    my ($event, @more) = events($d, $type);
    ok $event && !@more, "$name: events have it, once" or return;
    is $event->{commandkey}, $told->{CommandKey}, "$name: its key"
        if exists $told->{CommandKey};
    if ($type eq 'transfer') {
        is $event->{fault}, $told->{FaultStruct}{FaultCode},
            "$name: its fault";
    } else {
        same_json($event->{request}, $told, "$name: events have all of it");
    }
    return unless $waits;

    my ($status, $field) = failed($told) ? qw(fault fault) : qw(done response);
    is $d->status('x'), $status, "$name: the task's end";
    same_json($d->result('x')->{raw}{$field}, $told, "$name: with all of it");
}


my %tried;
for my $m (grep { $_->message ne 'Inform' } CWMP::Captured->all) {
    my $kind = $m->message =~ /Response$/ ? 'response'
               : $m->message eq 'Fault' ? 'fault' : 'request';
    my $try = { response => \&try_response, fault => \&try_fault,
                request => \&try_request }->{$kind};
    $try->($m);
    $tried{$kind}++;
}
cmp_ok $tried{response}, '>=', 127, "responses tried: $tried{response}";
cmp_ok $tried{fault}, '>=', 16, "faults tried: $tried{fault}";
cmp_ok $tried{request}, '>=', 19, "requests tried: $tried{request}";


# --- messages of an ACS ------------------------------------------------------

# The collection has none of them: the examples of the documents serve.
my @served = qw(Inform TransferComplete AutonomousTransferComplete Kicked
    RequestDownload DUStateChangeComplete AutonomousDUStateChangeComplete);
my %from_acs = (%TASK, map { ($_ => 1) } qw(GetParameterNames Reboot
    FactoryReset GetQueuedTransfers GetAllQueuedTransfers GetOptions));

for my $method (sort keys %from_acs) {
    my $bytes = slurp("$SHARED/cwmp/examples/$method.xml");
    my $d = device();
    my $r = $d->post($bytes);
    is $r->status, 400, "$method of an ACS, without a session: 400";
    like $r->body, qr/begin with an Inform/, '... told why';

    $d->give_reads('a');
    $d->inform;
    is $d->post($bytes)->fault_code, 8000, "$method in a session: fault 8000";
    is $d->empty->method, 'GetParameterValues', '... and it goes on';
}

for my $method (map { "${_}Response" } @served) {
    my $d = device();
    $d->give_reads('a');
    my $r = $d->begin;
    my $bytes = slurp("$SHARED/cwmp/examples/$method.xml");
    is $d->post($bytes)->status, 204, "$method as an answer ends the session";
    is $d->status('a'), 'lost', '... and its task is not done by it';
}

for my $other ('XMPPConnectionRequest', 'UDPLightweightNotification') {
    my $r = device()->post(slurp("$SHARED/cwmp/examples/$other.xml"));
    is $r->status, 400, "$other: 400";
    like $r->body, qr/not Envelope|not XML/, '... told why';
}

is join(' ', $t->workers), $before, 'the workers have survived all of it';

done_testing;
