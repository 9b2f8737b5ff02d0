#!/usr/bin/perl

# The quirks table: what a device is sent because of its model, and how rows
# are matched, merged, refused and listed.  Each quirk is shown by a device
# that has it and by one that has not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use CWMP::Envelope qw(request default_params download_response gpn_response
                      transfer_complete spv_response);
use CWMP::Script;
use CWMP::Test;

my $XSD = "$FindBin::Bin/../../shared/cwmp/xsd/driver.xsd";
my $KEY = 'cwmp:{0}:quirks';
my ($YES, $NO) = (JSON::PP::true, JSON::PP::false);
my $JSON = JSON::PP->new->canonical;
my $t = CWMP::Test->new;
my $n = 0;

sub device { return CWMP::Script->new($t, 'Q' . ++$n, @_) }
sub set { my ($match, %quirks) = @_;
          return $t->redis->cmd('FCALL', 'cwmp_quirk', 1, $KEY, $match,
                                $JSON->encode(\%quirks)) }
sub rows { return $t->redis->list('FCALL_RO', 'cwmp_quirks', 1, $KEY) }


# Why this row is refused; nothing of it is stored.
sub refused {
    my ($match, $json) = @_;
    my $before = $t->redis->cmd('HLEN', $KEY);
    my $got = $t->redis->try('FCALL', 'cwmp_quirk', 1, $KEY, $match, $json);
    is $t->redis->cmd('HLEN', $KEY), $before, "nothing is stored of $match";
    return ref $got ? $got->{message} : "not refused: $got";
}


# A device of a model of its own, which has these quirks.
sub quirky {
    my (%quirks) = @_;
    my $class = 'C' . ++$n;
    is set("00D09E/$class/*", %quirks), 'stored', $JSON->encode(\%quirks)
        if %quirks;
    return device(class => $class);
}


# What holds for a device of this model, as its Inform finds it.
sub holds {
    my (%who) = @_;
    my $version = delete $who{version};
    my $params = default_params();
    $params->[2][2] = $version if defined $version;
    my $d = device(%who, params => $params);
    $d->inform;
    my $json = $t->redis->device(uc($d->{oui}) . substr($d->id, 6))->{quirks};
    return length($json // '') ? JSON::PP::decode_json($json) : {};
}


# What is sent in one session to a device with these quirks, by method.
sub talk {
    my (%quirks) = @_;
    my $d = quirky(%quirks);
    my %sent = (InformResponse => $d->inform->body);

    $sent{$_} = $d->post(request('q 1', 'GetRPCMethods'))->body
        for 'GetRPCMethodsResponse', 'Again';
    $sent{Fault} = $d->post(request('', 'X_00D09E_No'))->body;
    $d->give({ method => 'SetParameterValues', ParameterList => {
                   'Device.A' => { value => $YES, type => 'xsd:boolean' },
                   'Device.B' => { value => $NO, type => 'xsd:boolean' },
                   'Device.C' => { value => '1', type => 'xsd:string' },
                   'Device.D' => { value => '', type => 'xsd:string' } } },
             { method => 'GetParameterNames', NextLevel => $YES },
             { method => 'GetParameterValues',
               ParameterNames => ['', 'Device.A'] },
             { method => 'SetParameterAttributes', ParameterList =>
                   [{ Name => 'Device.A', Notification => 1 }] },
             { method => 'FactoryReset' });
    my $r = $d->empty;
    while ($r->status == 200) {
        $sent{ $r->method } = $r->body;
        $r = $r->method eq 'GetParameterNames'
             ? $d->post(gpn_response($r->id, ['Device.', 0])) : $d->respond($r);
    }
    is scalar(keys %sent), 9, 'all of it is sent';
    return \%sent;
}


my $USUAL = talk();
my %ALL = (usual => $USUAL);

# In every message that the device gets, with the quirk and without.
sub everywhere {
    my ($name, $with, $usual, $style, @but) = @_;
    my $sent = $ALL{$name} = talk(%$style);
    for my $method (sort keys %$sent) {
        next if grep { $_ eq $method } @but;
        like $sent->{$method}, $with, "$name: $method";
        unlike $sent->{$method}, $usual, "$name: $method";
        unlike $USUAL->{$method}, $with, "without $name: $method";
    }
    return $sent;
}


subtest 'TOL-26 booleans as digits, or in words' => sub {
    my $set = sub {
        my ($type, @is) = ('<Value xsi:type="xsd:boolean">', @_);
        my ($yes, $no) = map { qr{$type$_</Value>} } @is;
        return qr{Device.A</Name>$yes.*Device.B</Name>$no};
    };
    like $USUAL->{SetParameterValues}, $set->(1, 0), 'TOL-26 1 and 0 are usual';
    like $USUAL->{GetParameterNames}, qr{<NextLevel>1</NextLevel>},
        'TOL-26 also for NextLevel';
    like $USUAL->{SetParameterAttributes},
        qr{Change>1</.*<AccessListChange>0</}, 'TOL-26 and for all others';

    my $sent = $ALL{booleans} = talk(booleans => 'words');
    like $sent->{SetParameterValues}, $set->('true', 'false'),
        'TOL-26 booleans: words';
    like $sent->{SetParameterValues},
        qr{<Name>Device.C</Name><Value xsi:type="xsd:string">1</Value>},
        'TOL-26 a string stays one';
    like $sent->{GetParameterNames}, qr{<NextLevel>true</}, 'TOL-26 NextLevel';
    like $sent->{SetParameterAttributes},
        qr{Change>true</.*<Notification>1</.*<AccessListChange>false</},
        'TOL-26 and other arguments';

    $sent = $ALL{nextLevel} = talk(nextLevel => 'words');
    like $sent->{GetParameterNames}, qr{<NextLevel>true</},
        'TOL-26 nextLevel: words';
    like $sent->{SetParameterValues}, $set->(1, 0),
        'TOL-26 values are still digits';

    $sent = talk(booleans => 'words', nextLevel => 'digits');
    like $sent->{GetParameterNames}, qr{<NextLevel>1</},
        'TOL-26 nextLevel: digits';
    like $sent->{SetParameterValues}, qr{>true</.*>false</},
        'TOL-26 values are in words';

    my $d = device();
    $d->give({ method => 'SetParameterValues', ParameterList => { 'Device.T' =>
        { value => '2026-01-31T12:00:00.000Z', type => 'xsd:dateTime' } } });
    like $d->begin->body, qr{xsd:dateTime">2026-01-31T12:00:00Z</},
        'TOL-26 no fraction of a second';
};


subtest 'TOL-35 the conservative form, and others' => sub {
    for my $method (sort keys %$USUAL) {
        my $body = $USUAL->{$method};
        like $body, qr{^<\?xml version="1.0" encoding="UTF-8"\?><soap-env:Env},
            "TOL-35 $method: a declaration";
        unlike $body, qr{'|/>|>\s+<}, "TOL-35 $method: double quotes, end tags,"
            . ' no white space';
    }
    my $r = device()->inform;
    is $r->header('Content-Length'), length($r->body),
        'TOL-35 Content-Length';

    my $sent = everywhere('TOL-35 emptyTags: short', qr{/>},
        qr{<([^<>/ ]+)[^<>]*></\1>}, { emptyTags => 'short' },
        qw(InformResponse GetRPCMethodsResponse Again Fault GetParameterNames
           GetParameterValues));
    like $sent->{FactoryReset}, qr{<cwmp:FactoryReset/>}, 'TOL-35 no argument';
    like $sent->{SetParameterValues}, qr{<Value xsi:type="xsd:string"/>},
        'TOL-35 an empty value';
    like $sent->{SetParameterAttributes},
        qr{<AccessList soap-enc:arrayType="xsd:string\[0\]"/>},
        'TOL-35 an empty list';
    like $sent->{GetParameterNames}, qr{<ParameterPath/>}, 'TOL-35 a path';
    like $sent->{GetParameterValues}, qr{<string/><string>Device.A</string>},
        'TOL-35 a string of a list';
    like $sent->{InformResponse}, qr{<MaxEnvelopes>1</MaxEnvelopes>},
        'TOL-35 what is not empty has both tags';

    my %encoding = ('SOAP-ENV' => 'SOAP-ENC', soap => 'soapenc',
                    soapenv => 'soapenc', s => 'soapenc');
    for my $prefix (sort keys %encoding) {
        $sent = everywhere("TOL-35 prefix: $prefix",
            qr{<$prefix:Envelope\ xmlns:$prefix="http://schemas.xmlsoap.org
               /soap/envelope/".*<$prefix:Body>.*</$prefix:Body>
               </$prefix:Envelope>$}x, qr{soap-en},  { prefix => $prefix });
        like $sent->{SetParameterValues}, qr{ xmlns:$encoding{$prefix}="http://
            schemas.xmlsoap.org/soap/encoding/".*<$prefix:Header><cwmp:ID
            \ $prefix:mustUnderstand="1">.*\ $encoding{$prefix}:arrayType=}x,
            'TOL-35 header and lists';
        like $sent->{Fault}, qr{<$prefix:Fault>.*</$prefix:Fault>},
            'TOL-35 faults';
    }
};


subtest 'TOL-42 without an XML declaration' => sub {
    everywhere('TOL-42 declaration: false', qr{^<soap-env:Envelope },
               qr{<\?xml}, { declaration => $NO });
    my $netcwmp = device(oui => 'A00001', class => 'OT2800');
    like $netcwmp->inform->body, qr{^<soap-env:Env},
        'TOL-42 netcwmp is known to need it';
};


subtest 'SOAP-05 every form is valid' => sub {
    plan skip_all => 'the schema or xmllint is absent'
        unless -e $XSD && system('command -v xmllint >/dev/null') == 0;
    $ALL{all} = talk(booleans => 'words', emptyTags => 'short', prefix => 's',
                     declaration => $NO);
    my $dir = $t->dir;
    for my $style (sort keys %ALL) {
        my @files;
        for my $method (sort keys %{ $ALL{$style} }) {
            push @files, "$dir/$method.xml";
            open(my $fh, '>', $files[-1]) or die "$files[-1]: $!\n";
            print $fh $ALL{$style}{$method};
            close($fh);
        }
        open(my $out, '-|', "xmllint --nonet --noout --schema $XSD @files 2>&1")
            or die "xmllint: $!\n";
        is_deeply [grep { !/ validates$/ } <$out>], [], "SOAP-05 $style";
    }
};


subtest 'TOL-23 rootNames: false: the root instead of the empty path' => sub {
    like $USUAL->{GetParameterNames}, qr{<ParameterPath></ParameterPath>},
        'TOL-23 the empty path is usual';
    my $sent = talk(rootNames => $NO);
    like $sent->{GetParameterNames}, qr{<ParameterPath>Device\.</},
        'TOL-23 GetParameterNames of Device.';
    like $sent->{GetParameterValues},
        qr{<string>Device\.</string><string>Device.A</string>},
        'TOL-23 GetParameterValues, too';

    my $d = quirky(rootNames => $NO);
    $_->[0] =~ s/^Device\./InternetGatewayDevice./
        for @{ $d->{params} = default_params() };
    $d->give({ method => 'GetParameterNames' });
    is $d->begin->arg('ParameterPath'), 'InternetGatewayDevice.',
        'TOL-23 as the device reported it';
    $d = quirky(rootNames => $NO);
    $d->{params} = [];
    $d->give({ method => 'GetParameterNames' });
    is $d->begin->arg('ParameterPath'), '',
        'TOL-23 a device that reported none is asked as usual';
};


# --- transfers -------------------------------------------------------------

sub download {
    my ($id, %more) = @_;
    return { method => 'Download', id => $id, URL => 'https://fs.example/f',
             FileType => '1 Firmware Upgrade Image', %more };
}


# An Inform of a device that now has this version.
sub upgraded {
    my ($d, $version, @events) = @_;
    $d->{params} = default_params();
    $d->{params}[2][2] = $version;
    return $d->inform(@events ? @events : '1 BOOT');
}


subtest 'TOL-27 transferComplete: false: done by the SoftwareVersion' => sub {
    my $d = device();
    $d->give(download('fw'));
    is join(' ', $d->session), 'Download', '(accepted)';
    upgraded($d, '7.57');
    is_deeply $d->ended, [], 'TOL-27 a usual device is waited for';

    $d = quirky(transferComplete => $NO);
    $d->give(download('cfg', FileType => '3 Vendor Configuration File'),
             download('fw'), download('fw2'),
             { method => 'Upload', id => 'up', URL => 'https://fs.example/f',
               FileType => '1 Vendor Configuration File' });
    my $r = $d->begin;
    $r = $d->post(download_response($r->id, 1)) for 1 .. 3;
    is $d->respond($r, '<Status>1</Status>')->status, 204, '(all accepted)';
    upgraded($d, '4.0.2');
    is_deeply $d->ended, [], 'TOL-27 not while the version is the same';
    upgraded($d, '7.57');
    is_deeply $d->ended, ['fw done'],
        'TOL-27 the first firmware, and nothing else';
    is_deeply $d->result('fw')->{response}, { verified =>
        'SoftwareVersion' }, 'TOL-27 the result says by what';
    upgraded($d, '7.57');
    is_deeply $d->ended, ['fw done'], 'TOL-27 one version ends one task';
    upgraded($d, '7.58');
    is_deeply $d->ended, ['fw done', 'fw2 done'], 'TOL-27 the next, the next';
    upgraded($d, '7.59');
    is_deeply $d->ended, ['fw done', 'fw2 done'],
        'TOL-27 an Upload, or another file, is not ended by it';
    $d->post(transfer_complete(key => 'cfg'));
    is $d->status('cfg'), 'done', 'TOL-27 a TransferComplete is heard still';

    $d = quirky(transferComplete => $NO);
    $d->give(download('fw'));
    is $d->begin->method, 'Download', '(sent, and the session is lost)';
    upgraded($d, '7.57');
    is_deeply $d->ended, ['fw done'], 'TOL-27 also when its answer was lost';

    $d = quirky(transferComplete => $NO);
    $d->give(download('fw'));
    $d->session;
    my $redis = $t->redis;
    my $w = JSON::PP::decode_json($redis->cmd('HGET', $d->key('waiting'),
                                              'fw'));
    $w->{deadline} = 1;
    $redis->cmd('HSET', $d->key('waiting'), 'fw', JSON::PP::encode_json($w));
    $redis->cmd('ZADD', 'cwmp:{0}:due', 1, 'w ' . $d->id . ' fw');
    CWMP::Test::wait_for(sub { $d->status('fw') ne 'none' }, 10);
    is $d->status('fw'), 'lost', 'TOL-27 without any proof: lost';
    like $d->reason('fw'), qr/SoftwareVersion is still 4\.0\.2/,
        'TOL-27 and why';
};


subtest 'TOL-27 commandKey: false: that of another is the last one' => sub {
    my $d = device();
    $d->give(download('a'));
    $d->session;
    $d->inform('7 TRANSFER COMPLETE');
    $d->post(transfer_complete(key => ''));
    is_deeply $d->ended, [], 'TOL-27 a usual device has to say which';

    for my $key ('', 'own 17') {
        $d = quirky(commandKey => $NO);
        $d->give(download('a'), download('b'));
        is join(' ', $d->session), 'Download Download', '(accepted)';
        $d->inform('7 TRANSFER COMPLETE');
        $d->post(transfer_complete(key => $key));
        is_deeply $d->ended, ['b done'],
            "TOL-27 '$key' is that of what was accepted last";
        $d->post(transfer_complete(key => "$key ", code => 9010));
        is_deeply $d->ended, ['b done', 'a fault'], 'TOL-27 then the other';
        $d->post(transfer_complete(key => "$key."));
        is_deeply $d->ended, ['b done', 'a fault'], 'TOL-27 then none';
    }
    ok $t->wait_log(qr/CommandKey "own 17" is taken for that of task b/, 5),
        'TOL-27 the log says so';

    $d = quirky(commandKey => $NO);
    $d->give(download('a'), download('b'));
    $d->session;
    $d->inform('7 TRANSFER COMPLETE');
    $d->post(transfer_complete(key => 'a'));
    is_deeply $d->ended, ['a done'], 'TOL-27 the right key is right';
};


# --- no quirk is needed ----------------------------------------------------

subtest 'TOL-48 the case of the root' => sub {
    my $d = device();
    $d->{params} = default_params();
    $_->[0] =~ s/^Device\./InternetGateWayDevice./ for @{ $d->{params} };
    push @{ $d->{params} }, ['InternetGateWayDevice.x.InternetGateWayDevice.y',
                             'string', 'z'];
    $d->inform('0 BOOTSTRAP');
    my $facts = $t->redis->device($d->id);
    is $facts->{root}, 'InternetGatewayDevice', 'TOL-48 the device';
    is $facts->{version}, '4.0.2', 'TOL-48 and its facts';
    is $d->value('InternetGatewayDevice.x.InternetGateWayDevice.y'), 'z',
        'TOL-48 its parameters; only the root is mended';
    ok !defined $d->value('InternetGateWayDevice.DeviceInfo.SoftwareVersion'),
        'TOL-48 nothing of the other spelling';

    $d->give_reads('r');
    $d->give({ method => 'GetParameterNames', id => 'n' });
    my $r = $d->empty;
    $r = $d->post(CWMP::Envelope::gpv_response($r->id,
        ['DEVICE.A', 'string', '1'], ['device.B', 'string', '2'],
        ['devices.C', 'string', '3']));
    $d->post(gpn_response($r->id, ['INTERNETGATEWAYDEVICE.', 0]));
    my $read = $d->result('r')->{response}{ParameterList};
    is_deeply [map { $_->{Name} } @$read],
        ['Device.A', 'Device.B', 'devices.C'], 'TOL-48 values that are read';
    is $d->value('Device.B'), '2', 'TOL-48 and stored';
    is $d->result('n')->{response}{ParameterList}[0]{Name},
        'InternetGatewayDevice.', 'TOL-48 names that are read';
};


subtest 'TOL-25 Writable is never held against a task' => sub {
    my $d = device();
    $d->give({ method => 'GetParameterNames', id => 'n',
               ParameterPath => 'Device.' },
             { method => 'SetParameterValues', id => 's', ParameterList =>
               { 'Device.RO' => { value => 'x', type => 'xsd:string' } } },
             { method => 'AddObject', id => 'a', ObjectName => 'Device.Ob.' },
             { method => 'DeleteObject', id => 'd',
               ObjectName => 'Device.Ob.1.' });
    my $r = $d->begin;
    $r = $d->post(gpn_response($r->id, ['Device.RO', 0], ['Device.Ob.', 0],
                               ['Device.Ob.1.', 0]));
    is_deeply $d->result('n')->{response}{ParameterList}[0],
        { Name => 'Device.RO', Writable => $NO }, 'TOL-25 it is no (or wrong)';
    for my $method (qw(SetParameterValues AddObject DeleteObject)) {
        is $r->method, $method, "TOL-25 $method is sent";
        $r = $d->respond($r);
    }
    is_deeply [map { $d->status($_) } qw(s a d)], [('done') x 3],
        'TOL-25 the device decides';
};


# --- rows ------------------------------------------------------------------

subtest 'rows: what they match' => sub {
    my %who = (oui => 'aabbcc', class => 'M 1/x*%', version => 'V5R020C10');
    my @yes = ('*/*/*', 'AABBCC/*/*', 'aaBBcc/*/*', 'AA*/*/*', '*CC/*/*',
        '*/M 1%2Fx%2A%25/*', '*/M*%25/*', '*/*1*x*/*', '*/*/V5*', '*/*/*C10',
        '*/*/V*R*C*', '*/*/V5R020C10', '*/*/**', '*/*/V5*R020C10');
    my @no = ('AABBC/*/*', '*/M/*', '*/m*/*', '*/*/v5*', '*/*/V5', '*/*/5*',
        '*/*/V5*R020C1', '*/*/V5R020*R020C10', '*/*/*V5*V5*', '*//*', '*/*/',
        '*/*x*1*/*', 'AABBCCAABBCC*/*/*');
    for my $match (@yes, @no) {
        my $fits = grep { $_ eq $match } @yes;
        set($match, valuesAtMost => 7);
        is_deeply holds(%who), $fits ? { valuesAtMost => 7 } : {},
            "$match " . ($fits ? 'fits' : 'does not fit');
        is set($match), 'removed', '(removed)';
    }
    set('*//*', namesAtMost => 3);
    is_deeply holds(class => ''), { namesAtMost => 3 }, 'no class at all';
    is set('*//*'), 'removed', '(removed)';
};


subtest 'rows: the more specific one wins, all are merged' => sub {
    my %who = (class => 'Merge', version => '7.5');
    set('00D09E/Merge/*', prefix => 's', valuesAtMost => 10);
    set('*/*/*', prefix => 'soap', booleans => 'words', confirmSet => $YES);
    set('*/Merge/7.*', valuesAtMost => 100000, nextLevel => 'digits');
    is_deeply holds(%who), { prefix => 's', booleans => 'words',
        confirmSet => $YES, nextLevel => 'digits', valuesAtMost => 10 },
        'each name by its most specific row';
    set('00D09E/Merge/7.5', prefix => 'soap-env', confirmSet => $NO,
        valuesAtMost => 100000);
    is_deeply holds(%who), { booleans => 'words', nextLevel => 'digits' },
        'what is as usual is none';
    is_deeply holds(class => 'HN8145X6N'), { prefix => 'soap',
        booleans => 'words', valuesAtMost => 256, confirmSet => $YES },
        'rows that come with us are rows';
    set('*/HN8145X6N/*', valuesAtMost => 64, confirmSet => $NO);
    is_deeply holds(class => 'HN8145X6N'), { prefix => 'soap',
        booleans => 'words', valuesAtMost => 64 }, 'an own one is above them';
    set($_) for '00D09E/Merge/*', '*/*/*', '*/Merge/7.*', '00D09E/Merge/7.5',
                '*/HN8145X6N/*';
};


subtest 'rows: a change reaches a device at its next Inform' => sub {
    my $d = quirky(prefix => 's');
    $d->give_reads('a', 'b');
    $d->inform;
    my $r = $d->empty;
    like $r->body, qr{<s:Env}, 'a session has its quirks';
    my $match = "00D09E/$d->{class}/*";
    is set($match), 'removed', 'the row goes';
    like $d->respond($r)->body, qr{<s:Env}, 'the session goes on as it began';
    like $d->inform->body, qr{<soap-env:Env}, 'the next one is new';
    set($match, prefix => 'soap');
    my $text = $d->inform_text;
    like $d->post($text)->body, qr{<soap:Env}, 'and the next';
    like $d->post($text)->body, qr{<soap:Env}, 'the same Inform a second time';
    is set($match, booleans => 'words'), 'stored', 'a row is replaced';
    like $d->inform->body, qr{<soap-env:Env}, '... as a whole';

    set("00D09E/$d->{class}/9*", prefix => 's');
    like $d->inform->body, qr{<soap-env:Env}, 'for another version';
    like upgraded($d, '9.1')->body, qr{<s:Env}, 'which the device then has';

    like $d->inform('14 HEARTBEAT')->body, qr{<s:Env}, 'a heartbeat keeps it';

    $t->redis->cmd('HSET', $KEY, "00D09E/$d->{class}/9*", '{"prefix":"soap"}');
    like $d->inform->body, qr{<s:Env}, 'without a change nobody looks at rows';
    is set('*/any/*'), 'no such row', '(which changes nothing)';
    like $d->inform->body, qr{<s:Env}, 'still';
    set('*/any/*', prefix => 's');
    like $d->inform->body, qr{<soap:Env}, 'with one, at all of them';
};


subtest 'rows: refused, each with what to write instead' => sub {
    my @bad = (
        ['x', '{}',
         qr{match is not OUI/ProductClass/SoftwareVersion; write \*}],
        ['a/b/c/d', '{}', qr{match is not OUI/.*%2F}],
        ['/b/c', '{}', qr{match has no OUI; write \* for any}],
        ['a/b/%zz', '{}', qr{match has a % that begins no %XX; write %25}],
        ["a/b/\n", '{}', qr{match has control characters; write them as %XX}],
        ['a/b/' . 'c' x 300, '{}', qr{match is longer than 256 bytes}],
        ['a/b/c', 'x', qr{quirks is not JSON}],
        ['a/b/c', '["prefix"]', qr{quirks is not a JSON object}],
        ['a/b/c', '{"prefix":"' . 's' x 1024 . '"}',
         qr{quirks are longer than 1024 bytes}],
        ['a/b/c', '{"boolean":"words"}',
         qr{"boolean" is no quirk; there are booleans, commandKey, confirmSet}],
        ['a/b/c', '{"booleans":true}', qr{booleans is not "digits" or "words"}],
        ['a/b/c', '{"nextLevel":1}', qr{nextLevel is not "digits" or "words"}],
        ['a/b/c', '{"emptyTags":"no"}', qr{emptyTags is not "long" or "short"}],
        ['a/b/c', '{"prefix":"soap_env"}',
         qr{prefix is not "soap-env", "SOAP-ENV", "soap", "soapenv" or "s"}],
        (map { ['a/b/c', qq({"$_":0}), qr{$_ is not true or false}] }
         qw(declaration rootNames transferComplete commandKey partialPaths
            confirmSet)),
        (map { my $name = $_; map { ['a/b/c', qq({"$name":$_}),
               qr{$name is not a whole number from 1 to 100000}] }
               0, -1, 1.5, 100001, '"5"', 'true' }
         qw(valuesAtMost namesAtMost)),
    );
    for my $case (@bad) {
        like refused(@$case[0, 1]), qr{ERR quirk refused: $case->[2]},
            substr("$case->[0] $case->[1]", 0, 60);
    }
    my $got = $t->redis->try('FCALL', 'cwmp_quirk', 1, 'cwmp:{0}:due', 'a/b/c',
                             '{}');
    like $got->{message}, qr{cwmp:\{0\}:due is no key of quirks: use},
        'another key';
};


subtest 'rows: listed, bounded' => sub {
    my $redis = $t->redis;
    $redis->cmd('DEL', $KEY);
    my @ours = rows();
    is_deeply [@ours[0 .. 2]], ['*/HN8145X6N/*',
        '{"valuesAtMost":256,"confirmSet":true}', 'built in'], 'built in';
    is set('a/b/c', prefix => 's'), 'stored', 'one more';
    is_deeply [rows()], [@ours, 'A/b/c', '{"prefix":"s"}', 'own'], 'own';
    is set('A/b/c'), 'removed', 'removed';
    is set('A/b/c'), 'no such row', 'once';
    is_deeply [rows()], \@ours, 'none is left';

    set("AAAAAA/C$_/*", namesAtMost => $_) for 1 .. 500;
    like refused('AAAAAA/C/*', '{"namesAtMost":1}'),
        qr{there are 500 rows of quirks: make one of several by \*, or remove},
        'no more than 500';
    is set('AAAAAA/C7/*', namesAtMost => 99), 'stored', 'those can be changed';
    is_deeply holds(oui => 'AAAAAA', class => 'C7'), { namesAtMost => 99 },
        'and work';
    $redis->cmd('DEL', $KEY);
};


subtest 'rows: what is written past the function does no harm' => sub {
    my $redis = $t->redis;
    $redis->cmd('HSET', $KEY, 'x', '{}', '*/Raw/*', '{"prefix":"x"}',
                '*/Raw/4*', '{"namesAtMost":2}', '*/Raw/4.*', '{');
    is_deeply holds(class => 'Raw'), { namesAtMost => 2 }, 'good rows hold';
    ok $t->wait_log(qr{quirks of \*/Raw/\* are ignored: prefix is not}, 5),
        'bad ones are in the log';
    $redis->cmd('DEL', $KEY);
    $redis->cmd('SET', $KEY, 'x');
    is_deeply holds(class => 'HN8145X6N'),
        { valuesAtMost => 256, confirmSet => $YES }, 'no hash: ours hold';
    ok $t->wait_log(qr{quirks is not a hash: delete it, and use cwmp_quirk}, 5),
        'and the log says so';
    $redis->cmd('DEL', $KEY);

    # without two slashes it would be nobody's: not everybody's
    for my $match ('Foo', '', 'a/b', 'a/b/c/d', '00D09E/Box/%') {
        $t->redis->cmd('HSET', $KEY, $match, '{"prefix":"s"}');
        is_deeply holds(class => 'Bar'), {},
            "a row that is no match holds for no device: '$match'";
        $t->redis->cmd('HDEL', $KEY, $match);
        $t->redis->cmd('HINCRBY', $KEY, '.', 1);
    }
    ok $t->wait_log(qr{quirks of "Foo" are ignored: match is not OUI/Product},
                    5), '... and the log says so';
    $t->redis->cmd('HSET', $KEY, '00d09e/Low/*', '{"prefix":"s"}');
    is_deeply holds(class => 'Low'), { prefix => 's' },
        'an OUI in lower case is one, as for cwmp_quirk';
    $t->redis->cmd('HDEL', $KEY, '00d09e/Low/*');
};

done_testing;
