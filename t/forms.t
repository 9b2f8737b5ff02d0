#!/usr/bin/perl

# Envelopes of one meaning in other forms: prefixes as a CPE likes them, things
# in between that nobody asked for, faults with parts left out.  Whatever the
# form, what the ACS does and what Redis then holds is the same.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test;

my $t = CWMP::Test->new;
my $redis = $t->redis;
my $n = 0;

my $SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
my $CWMP = 'urn:dslforum-org:cwmp-1-2';

sub device { return CWMP::Script->new($t, 'F' . ++$n, @_) }


# A session of every kind of message, each put into another form first; what
# came of it, without what differs from device to device.
sub outcome {
    my ($form) = @_;
    my $d = device();
    my $say = sub { return $d->post($form->($_[0])) };
    my $load = { method => 'Download', id => 'fw', URL => 'http://fs/f',
                 FileType => '1 Firmware Upgrade Image' };

    $d->give($load);
    $d->respond($d->begin);
    $d->give({ method => 'GetParameterValues', id => 'g',
               ParameterNames => ['Device.'] },
             { method => 'SetParameterValues', id => 's', ParameterList => {
               'Device.B' => { value => 1, type => 'xsd:int' } } });

    my @said = $say->($d->inform_text(events => ['7 TRANSFER COMPLETE',
        ['M Download', 'fw']], params => [['Device.A', 'string', ' a & b '],
        ['Device.DeviceInfo.SoftwareVersion', 'string', '7']]));
    push @said, $say->(transfer_complete(key => 'fw', start => iso_time(0),
        complete => iso_time(60)));
    push @said, $say->(request('q-1', 'GetRPCMethods'));
    push @said, $say->(request('q-2', 'X_ACME_Bogus', '<a>1</a>'));
    push @said, $d->empty;
    push @said, $say->(gpv_response($said[-1]->id, ['Device.B', 'int', '-1'],
        ['Device.C', 'boolean', '1'], ['Device.Empty', 'string', '']));
    push @said, $say->(fault($said[-1]->id, 9003, 'Invalid arguments',
        ['Device.B', 9008, 'Non-writable']));

    my $record = $redis->device($d->id);
    return { said => [map { ($_->method // $_->status) . ' '
                            . ($_->fault_code // '') } @said],
             ids => [map { $_->id // '' } @said[1 .. 3]],
             events => $record->{events}, version => $record->{version},
             params => $redis->params($d->id),
             results => [map { [@{ $_->{raw} }{qw(id status fault response)}] }
                         $d->results] };
}


my $usual = outcome(sub { return $_[0] });

is_deeply $usual->{said}, ['InformResponse ', 'TransferCompleteResponse ',
    'GetRPCMethodsResponse ', 'Fault 8000', 'GetParameterValues ',
    'SetParameterValues ', '204 '], '(the usual form)';
is_deeply [map { "$_->[0] $_->[1]" } @{ $usual->{results} }],
    ['fw done', 'g done', 's fault'], '(its results)';
is $usual->{params}{'Device.B'}{value}, '-1', '(its parameters)';


# --- prefixes and namespaces -----------------------------------------------

sub prefixes {
    my ($soap, $cwmp, $enc) = @_;
    return sub {
        my ($text) = @_;
        my %new = ('soap-env' => $soap, cwmp => $cwmp, 'soap-enc' => $enc,
                   xsd => 'x1', xsi => 'x2');
        for my $old (keys %new) {
            my $to = $new{$old};
            $text =~ s/\bxmlns:$old=/xmlns:$to=/g;
            $text =~ s{(</?|\s)$old:(?=[\w-]+[\s=>/])}{$1$to:}g;
            $text =~ s/(["'])$old:/$1$to:/g;
        }
        return $text;
    };
}


# The prefix of what is in this namespace is left out, a default one declared.
sub default_of {
    my ($prefix) = @_;
    return sub {
        my ($text) = @_;
        $text =~ s/\bxmlns:$prefix=/xmlns=/;
        $text =~ s{(</?)$prefix:}{$1}g;
        return $text;
    };
}


my %STYLE = (
    'SOAP-ENV, cwmp' => prefixes('SOAP-ENV', 'cwmp', 'SOAP-ENC'),
    'short ones' => prefixes('s', 'c', 'e'),
    'each in the place of another' => prefixes('cwmp', 'soap-env', 'xsd'),
    'soap as the default' => default_of('soap-env'),
    'cwmp as the default' => default_of('cwmp'),
    'the method declares its own' => sub {
        my ($text) = @_;
        $text =~ s/ xmlns:cwmp="[^"]*"//;
        $text =~ s{<cwmp:ID}{<i:ID xmlns:i="$CWMP"};
        $text =~ s{</cwmp:ID>}{</i:ID>};
        $text =~ s{<cwmp:(\w+)}{<$1 xmlns="$CWMP"}g;
        return $text =~ s{</cwmp:}{</}gr;
    },
    'children qualified' => sub {
        my ($text) = @_;
        my ($head, $body) = $text =~ /^(.*<soap-env:Body>)(.*)$/s;
        $body =~ s{(</?)(?=[A-Z]\w*[\s>/])}{$1cwmp:}g;
        return $head . $body;
    },
    "apostrophes, blanks in tags" => sub {
        my ($text) = @_;
        $text =~ s/"([^"'<>]*)"/'$1'/g;
        return $text =~ s{(?<=[\w'])(/?>)}{ $1}gr =~ s{<\?xml.*?\?>}{}r;
    },
);

for my $name (sort keys %STYLE) {
    is_deeply outcome($STYLE{$name}), $usual, "SOAP-10 $name";
}


# --- what nobody asked for -------------------------------------------------

# Before each end tag of what has children, and after each of their start tags.
sub around {
    my ($more) = @_;
    return sub {
        my ($text) = @_;
        my ($head, $body) = $text =~ /^(.*<soap-env:Body>)(.*)$/s;
        $body =~ s{(<[^/!?][^>]*(?<!/)>)(?=<[^/])}{$1$more}g;
        # not in a value: what is in there was meant as its text (TOL-15)
        $body =~ s{(?<=>)(</)(?!soap-env|Value)}{$more$1}g;
        return $head . $body;
    };
}


my %EXTRA = (
    'unknown elements' => around('<X_ACME_More a="1">text</X_ACME_More>'),
    'unknown elements of a namespace of their own' =>
        around('<v:More xmlns:v="urn:v"><v:Deep>n</v:Deep></v:More>'),
    'empty elements' => around('<More/>'),
    comments => around('<!-- <Name>x</Name> & more -->'),
    'processing instructions' => around('<?acme do="<Name>x</Name>"?>'),
    'blanks' => around("\r\n\t  "),
    'unknown attributes' => sub {
        return $_[0] =~ s{<([A-Za-z][\w:-]*)}{<$1 id="i1" x-more="a > b"}gr;
    },
    'comments in front and behind' => sub {
        return $_[0] =~ s{(<\?xml.*?\?>)}{$1<!-- a --><?b c?>\n}r . '<!-- z -->';
    },
    'unknown headers' => sub {
        return $_[0] =~ s{(<soap-env:Header>)}{$1<v:H xmlns:v="urn:v"><v:ID>x}r
               =~ s{(<soap-env:Header>.*?<v:ID>x)}{$1</v:ID></v:H>}r;
    },
);

for my $name (sort keys %EXTRA) {
    is_deeply outcome($EXTRA{$name}), $usual, "SOAP-07 $name";
}


# --- faults ----------------------------------------------------------------

my $FAULT = fault('@', 9005, 'Invalid parameter name');
my %PART = (
    'no detail' => [qr{<detail>.*</detail>}, '', 9002],
    'an empty detail' => [qr{<detail>.*</detail>}, '<detail/>', 9002],
    'no FaultCode' => [qr{<FaultCode>.*</FaultCode>}, '', 9002],
    'an empty FaultCode' => [qr{<FaultCode>.*</FaultCode>},
                             '<FaultCode></FaultCode>', 9002],
    'a FaultCode in words' => [qr{<FaultCode>.*</FaultCode>},
                               '<FaultCode>wrong</FaultCode>', 9002],
    'nothing at all' => [qr{(<soap-env:Fault>).*(</soap-env:Fault>)}, '', 9002],
    'no FaultString' => [qr{<FaultString>.*</FaultString>}, '', 9005],
    'no faultcode' => [qr{<faultcode>.*</faultcode>}, '', 9005],
);

for my $name (sort keys %PART) {
    my ($what, $instead, $code) = @{ $PART{$name} };
    my $d = device();
    $d->give_reads('a', 'b');
    my $r = $d->begin;
    my $id = $r->id;
    my $text = $FAULT =~ s/>@</>$id</r;
    $text =~ s{$what}{$name eq 'nothing at all' ? "$1$2" : $instead}e or die;
    is +($d->post($text)->names)[0], 'Device.b', "FLT-03 $name: the next task";
    is $d->status('a'), 'fault', 'FLT-03 this one has a fault';
    is $d->result('a')->{fault}{FaultCode}, $code, "FLT-03 which is $code";
    my ($event) = grep { $_->{type} eq 'fault' && $_->{device} eq $d->id }
                  $redis->events;
    is $event->{code}, $code, 'FLT-03 in the events, too';
}


# --- what is too long -------------------------------------------------------

subtest 'FLT-03 a FaultString that is far too long is cut' => sub {
    my $long = 'x' x 8191 . "\x{c3}\x{a9}" . 'y' x 5000;
    for my $tag (qw(FaultString faultstring)) {
        my $d = device();
        $d->give_reads('a');
        my $r = $d->begin;
        my $text = fault($r->id, 9005, 'short');
        $text =~ s{<detail>.*</detail>}{} if $tag eq 'faultstring';
        $text =~ s{(<$tag>)[^<]*}{$1$long} or die;
        is $d->post($text)->status, 204, "FLT-03 $tag: the fault is taken";
        is $d->result('a')->{fault}{FaultString}, 'x' x 8191,
            'FLT-03 ... with so much of it, and no half character';
    }

    my $d = device();
    $d->give({ method => 'Download', id => 'fw', URL => 'http://fs/f',
               FileType => '1 Firmware Upgrade Image' });
    $d->session;
    $d->inform('7 TRANSFER COMPLETE', ['M Download', 'fw']);
    is $d->post(transfer_complete(key => 'fw', code => 9010,
                                  string => $long))->method,
        'TransferCompleteResponse', 'RPC-20 a TransferComplete is answered';
    is $d->result('fw')->{fault}{FaultStruct}{FaultCode}, 9010,
        'RPC-20 ... and its task ends with its fault';
};


subtest 'TOL-08 an ID of 300 bytes' => sub {
    my $d = device();
    $d->give_reads('a');
    my $id = 'i' x 300;
    is $d->post($d->inform_text =~ s/i-1</$id</r)->id, $id,
        'TOL-08 is echoed';
    $d->empty;
    is $d->post(gpv_response($id, ['Device.a', 'string', '1']))->status, 204,
        'TOL-08 a response with it is taken';
    is $d->status('a'), 'done', 'TOL-08 for that of the task';
};


subtest 'RULE-4 a name that is too long' => sub {
    my $d = device();
    my $name = 'Device.' . 'n' x 1018;
    $d->give_reads('a');
    is $d->post(gpv_response($d->begin->id, [$name, 'string', '1'],
                             ['Device.B', 'string', '2']))->status, 204,
        'RULE-4 the answer is taken';
    is $d->value('Device.B'), '2', 'RULE-4 all others are kept';
    is $d->value($name), undef, 'RULE-4 this one is not';
    ok $t->wait_log(qr/1 parameters are not kept: their names are over 1024/),
        'RULE-4 the log says so';
};


# As often as may be; why the task is lost then.
sub refused_for_good {
    my ($text) = @_;
    my $d = device();
    $d->give_reads('a');
    for (1 .. 3) {
        my $id = $d->begin->id;
        is $d->post($text =~ s/\@/$id/r, content_type => 'text/xml')->status,
            400, 'refused';
    }
    is $d->begin->status, 204, 'and not sent a fourth time';
    is_deeply $d->ended, ['a lost'], 'the task is lost';
    return $d->reason('a');
}


subtest 'RULE-3 an answer that cannot be read is the reason' => sub {
    my $deep = gpv_response('@', ['Device.a', 'string', 'x'])
               =~ s/x(?=<)/'<a>' x 40/er;
    for my $case ([$deep, qr/elements nested deeper than 32/],
                  [fault('@', 9005, 'x') =~ s{</detail>}{</dtail>}r,
                   qr/not well-formed XML/],
                  ['@no XML', qr/body is not XML/]) {
        my ($text, $why) = @$case;
        like refused_for_good($text), qr/3 times .*broke off \($why/,
            "RULE-3 the result says why: $why";
    }
};

done_testing;
